/**
 * A real ACME server for tests (pebble), with a name server that leads every name to this machine; both are gone with the
 * test process. Where they are not there and cannot be installed, `PEBBLE_MISSING` says so.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { makeCertificate, writePair } from './certificates.ts'
import { freePort } from './redis.ts'
import { until } from './wait.ts'

const ENSURE = resolve(import.meta.dirname, '../../scripts/ensure-pebble.sh')

/** Empty where the programs are there; else why not. */
export const PEBBLE_MISSING = spawnSync('sh', [ENSURE], { encoding: 'utf8' }).status === 0 ? '' : 'no pebble here'

export interface Pebble {
  readonly directory: string
  /** PEM file of what signed the directory's certificate. */
  readonly ca: string
  /** Where it visits names. */
  readonly httpPort: number
  readonly tlsPort: number
  readonly log: () => string
  /** How many certificates it has issued. */
  readonly issued: () => number
  kill(): Promise<void>
}

interface PebbleWish {
  env?: Readonly<Record<string, string>>
  /** External accounts: key by id; given, every account must name one. */
  accounts?: Readonly<Record<string, string>>
}

export async function startPebble({ env = {}, accounts }: PebbleWish = {}): Promise<Pebble> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-pebble-'))
  const authority = await makeCertificate({ names: [], subject: 'CN=directory authority', authority: true })
  const pair = writePair(folder, 'directory', await makeCertificate({ names: ['localhost'], issuer: authority }))
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, authority.cert)
  const [port, httpPort, tlsPort, dns, management] = await Promise.all(Array.from({ length: 5 }, freePort))
  const config = {
    listenAddress: `127.0.0.1:${port}`,
    managementListenAddress: '',
    certificate: pair.cert,
    privateKey: pair.key,
    ...{ httpPort, tlsPort },
    ocspResponderURL: '',
    externalAccountBindingRequired: accounts !== undefined,
    ...(accounts === undefined ? {} : { externalAccountMACKeys: accounts }),
  }
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ pebble: config }))
  const names = run('pebble-challtestsrv', [
    ...['-dns01', `127.0.0.1:${dns}`, '-management', `127.0.0.1:${management}`, '-defaultIPv4', '127.0.0.1'],
    ...['-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', ''],
  ])
  const server = run('pebble', ['-config', join(folder, 'config.json'), '-dnsserver', `127.0.0.1:${dns}`], {
    PEBBLE_VA_NOSLEEP: '1',
    // Every answer of an authority is to be expected: some nonces are refused.
    PEBBLE_WFE_NONCEREJECT: '20',
    PEBBLE_AUTHZREUSE: '0',
    ...env,
  })
  const directory = `https://localhost:${port}/dir`
  await until(() => answers(directory, authority.cert), 'the ACME server')
  return {
    ...{ directory, ca, httpPort: httpPort!, tlsPort: tlsPort! },
    log: server.log,
    issued: () => server.log().split('Issued certificate serial').length - 1,
    kill: async () => {
      await Promise.all([server.kill(), names.kill()])
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

function run(program: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
  const child: ChildProcess = spawn(program, args, {
    env: { PATH: process.env.PATH, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const stop = (): void => void child.kill('SIGKILL')
  process.on('exit', stop)
  let log = ''
  for (const stream of [child.stdout!, child.stderr!]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      log += text
    })
  }
  const exited = new Promise<void>((done) => child.once('exit', () => done()))
  const kill = async (): Promise<void> => {
    process.off('exit', stop)
    stop()
    await exited
  }
  return { log: () => log, kill }
}

function answers(url: string, ca: string): Promise<boolean> {
  return new Promise((done) => {
    const sent = request(url, { ca, agent: false }, (answer) => {
      answer.resume()
      done(answer.statusCode === 200)
    })
    sent.on('error', () => done(false))
    sent.end()
  })
}
