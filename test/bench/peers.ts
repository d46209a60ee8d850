/** The contenders: how each is started with one configuration, and what it needs that may be missing. */
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, resolve } from 'node:path'
import { freePort } from '../kit/redis.ts'
import { caddyConfig } from './caddy.ts'
import { haproxyConfig } from './haproxy.ts'
import { missingLua, nginxAccessPath, nginxConfig } from './nginx.ts'
import type { NodePeerSettings } from './node-peer.ts'
import { PLAIN, type Place, type Variant } from './place.ts'
import { gatewayConfig } from './portcullis.ts'
import { has, type Program, startProgram, untilListening } from './programs.ts'

const ROOT = resolve(import.meta.dirname, '../..')

export const PEER_NAMES = ['portcullis', 'nginx', 'haproxy', 'caddy', 'fastify', 'http-proxy'] as const
export type PeerName = (typeof PEER_NAMES)[number]

/** A peer with one set of features, as one row of a table. */
export interface Contender {
  readonly label: string
  readonly peer: PeerName
  readonly variant: Variant
}

/** A contender that listens. */
export interface Target {
  readonly contender: Contender
  readonly port: number
  readonly program: Program
  /** Where it writes its access log. */
  readonly accessPath: string
}

export const TITLES: Record<PeerName, string> = {
  portcullis: 'portcullis',
  nginx: 'nginx',
  haproxy: 'HAProxy',
  caddy: 'Caddy',
  fastify: '@fastify/http-proxy',
  'http-proxy': 'http-proxy',
}

export function contender(peer: PeerName, changes: Partial<Variant> = {}, label: string = TITLES[peer]): Contender {
  return { label, peer, variant: { ...PLAIN, ...changes } }
}

/** Why a contender cannot take part; null where it can. */
export function missing({ peer, variant }: Contender): string | null {
  if (peer === 'nginx' && variant.filter && has('nginx')) return missingLua()
  if ((peer === 'nginx' || peer === 'haproxy' || peer === 'caddy') && !has(peer)) return `${peer} is not installed`
  return null
}

/** The version of each peer that is here. */
export function versions(): Partial<Record<PeerName, string>> {
  const found: Partial<Record<PeerName, string>> = {}
  for (const peer of PEER_NAMES) {
    if (missing(contender(peer)) === null) found[peer] = version(peer)
  }
  return found
}

function version(peer: PeerName): string {
  const first = (command: string, ...args: string[]) =>
    /\d+\.\d+\.\d+/.exec(execFileSync('sh', ['-c', '"$@" 2>&1', 'sh', command, ...args], { encoding: 'utf8' }))?.[0] ??
    'unknown'
  if (peer === 'nginx' || peer === 'haproxy') return first(peer, '-v')
  if (peer === 'caddy') return first(peer, 'version')
  if (peer === 'portcullis') return packageVersion(join(ROOT, 'package.json'))
  const name = peer === 'fastify' ? '@fastify/http-proxy' : peer
  return packageVersion(createRequire(import.meta.url).resolve(`${name}/package.json`))
}

function packageVersion(path: string): string {
  return (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version
}

/** Starts a contender on the proxy's processor and waits until it listens. */
export async function startTarget(place: Place, entrant: Contender, cpus: string | null): Promise<Target> {
  const { peer, variant } = entrant
  const port = await freePort()
  const name = `${peer}-${port}`
  const outPath = join(place.folder, `${name}.out`)
  const options = { cwd: place.folder, outPath, cpus, env: { HOME: place.folder, XDG_CONFIG_HOME: place.folder } }
  const file = (suffix: string, text: string): string => {
    const path = join(place.folder, `${name}.${suffix}`)
    writeFileSync(path, text)
    return path
  }
  const start = async (): Promise<[Program, accessPath: string]> => {
    switch (peer) {
      case 'nginx': {
        const conf = file('conf', nginxConfig(place, variant, port))
        return [startProgram('nginx', ['-p', place.folder, '-c', conf], options), nginxAccessPath(place, port)]
      }
      case 'haproxy':
        return [startProgram('haproxy', ['-f', file('cfg', haproxyConfig(place, variant, port))], options), outPath]
      case 'caddy': {
        const conf = file('caddyfile', caddyConfig(place, variant, port))
        const args = ['run', '--adapter', 'caddyfile', '--config', conf]
        return [startProgram('caddy', args, options), `${place.folder}/caddy.access.log`]
      }
      case 'portcullis': {
        const accessPath = `${place.folder}/logs/${name}.access.log`
        const conf = file('json', gatewayConfig(place, variant, { port, adminPort: await freePort(), accessPath }))
        const args = [join(ROOT, 'bin/portcullis.js'), 'start', '--config', conf]
        return [startProgram(process.execPath, args, options), accessPath]
      }
      case 'fastify':
      case 'http-proxy': {
        const { sitePort, socketPort, certPath, keyPath, headers } = place
        const accessPath = `${place.folder}/logs/${name}.access.log`
        const settings: NodePeerSettings = {
          ...{ port, sitePort, socketPort, certPath, keyPath, headers, accessPath },
          http2: variant.http2,
        }
        const program = join(import.meta.dirname, `${peer}-peer.ts`)
        return [startProgram(process.execPath, [program, JSON.stringify(settings)], options), accessPath]
      }
    }
  }
  const [program, accessPath] = await start()
  await untilListening(port, program).catch((error: Error) => {
    throw new Error(`${entrant.label} ${error.message}`)
  })
  return { contender: entrant, port, program, accessPath }
}
