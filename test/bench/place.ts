/**
 * What all contenders of a benchmark share: a folder, one certificate, one set of security headers, one upstream. It
 * knows no proxy.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { compileEdits } from '../../src/exchange/security-headers.ts'
import { makeCertificate, writePair } from '../kit/certificates.ts'

export const SMALL_PATH = '/1k.txt'
export const LARGE_PATH = '/100k.txt'
export const CHAT_PATH = '/api/messages'
/** Answers with the body that reached the upstream. */
export const ECHO_PATH = '/api/check'
/** Where nginx tells what it counted. */
export const METRICS_PATH = '/metrics'
export const SOCKET_PATH = '/ws'
export const CHAT_ANSWER = '{"ok":true}'

/** Text of `bytes` characters; the same in every process. */
export function filler(bytes: number): string {
  return 'All work and no play makes a dull proxy. '.repeat(Math.ceil(bytes / 41)).slice(0, bytes)
}

export const SMALL_BODY = filler(1024)
export const LARGE_BODY = filler(100 * 1024)

/** A configured feature set; a contender is a peer with one of these. */
export interface Variant {
  /** Where requests are counted. */
  readonly limit: 'memory' | 'redis'
  /** HTML filter on the chat path and on WebSockets. */
  readonly filter: boolean
  /** Beside limit and filter all else that the gateway does with a message, where that takes a script: fields, cards, metrics. */
  readonly isWhole: boolean
  readonly http2: boolean
  readonly routes: number
  /** Connections to the upstream are used again. nginx does not do that by itself, and many installations leave it so. */
  readonly keepsUpstream: boolean
  /** Room for tens of thousands of connections, which some programs allocate at start. */
  readonly many: boolean
}

export const PLAIN: Variant = {
  limit: 'memory',
  filter: false,
  isWhole: true,
  http2: false,
  routes: 10,
  keepsUpstream: true,
  many: false,
}

export interface Place {
  readonly folder: string
  readonly certPath: string
  readonly keyPath: string
  /** Certificate and key in one file, as HAProxy wants them. */
  readonly pairPath: string
  /** [name, value] that every answer must carry. */
  readonly headers: readonly (readonly [string, string])[]
  /** Plain HTTP: the pages and the chat answer. */
  readonly sitePort: number
  /** Plain HTTP: WebSocket echo. */
  readonly socketPort: number
  readonly redisPort: number
}

/** A folder with a P-256 certificate for localhost. */
export async function makeFolder(): Promise<Pick<Place, 'folder' | 'certPath' | 'keyPath' | 'pairPath'>> {
  const folder = mkdtempSync(join(tmpdir(), 'portcullis-bench-'))
  const made = await makeCertificate({ names: ['localhost', '127.0.0.1'] })
  const { cert, key } = writePair(folder, 'bench', made)
  const pairPath = join(folder, 'bench-pair.pem')
  writeFileSync(pairPath, made.cert + made.key, { mode: 0o600 })
  return { folder, certPath: cert, keyPath: key, pairPath }
}

export function removeFolder(folder: string): void {
  rmSync(folder, { recursive: true, force: true })
}

/** The security headers that the gateway sets on pages: every peer gets the same. */
export function securityHeaders(): [string, string][] {
  const { set, fallback } = compileEdits({ profile: 'page', set: {}, remove: [], keep: [], frameAncestors: [] }, true)
  const all = [...set, ...fallback]
  return Array.from({ length: all.length / 2 }, (_, i) => [all[i * 2]!, all[i * 2 + 1]!])
}
