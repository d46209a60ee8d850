/** What the two Node peers share: settings from the command line, a request counter by address, an access log. */
import { readFileSync } from 'node:fs'
import { LineFile } from '../../src/observe/line-file.ts'

export interface NodePeerSettings {
  readonly port: number
  readonly sitePort: number
  readonly socketPort: number
  readonly certPath: string
  readonly keyPath: string
  readonly accessPath: string
  readonly http2: boolean
  readonly headers: readonly (readonly [string, string])[]
}

export interface NodePeer extends NodePeerSettings {
  readonly tls: { readonly cert: Buffer; readonly key: Buffer }
  readonly log: LineFile
}

const WINDOW_MS = 60_000
const POINTS = 100_000_000
const LOG_HOLD_BYTES = 64 * 1024

/** The settings that `startPeer` gave as the one argument. */
export function readNodePeer(): NodePeer {
  const settings = JSON.parse(process.argv[2]!) as NodePeerSettings
  return {
    ...settings,
    tls: { cert: readFileSync(settings.certPath), key: readFileSync(settings.keyPath) },
    log: new LineFile(settings.accessPath, { holdBytes: LOG_HOLD_BYTES }),
  }
}

interface Window {
  count: number
  endsAt: number
}
const windows = new Map<string, Window>()

/** The cheapest limit there is: a fixed window by address. False when it is used up. */
export function admits(address: string): boolean {
  const now = performance.now()
  let window = windows.get(address)
  if (window === undefined || window.endsAt < now) {
    window = { count: 0, endsAt: now + WINDOW_MS }
    windows.set(address, window)
  }
  return ++window.count <= POINTS
}

/** One access line, JSON. */
export function accessLine(address: string, method: string, url: string, status: number, startedAt: number): string {
  const ms = performance.now() - startedAt
  return JSON.stringify({ time: new Date().toISOString(), address, method, url, status, ms })
}
