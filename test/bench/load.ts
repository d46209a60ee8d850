/**
 * HTTP load by h2load, which speaks HTTP/1.1 and HTTP/2 and keeps a fixed rate: as fast as the answers come, or at a rate
 * with the latency of each request.
 */
import { spawn } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { asProgram } from './programs.ts'

export interface HttpLoad {
  readonly url: string
  /** Asked in turn with `url` on every connection; null for `url` alone. */
  readonly otherUrl: string | null
  readonly seconds: number
  readonly connections: number
  /** HTTP/2 requests at once on a connection; 0 is HTTP/1.1. */
  readonly streams: number
  /** File with the body of a JSON POST; null for GET. */
  readonly bodyPath: string | null
  /** Requests a second over all connections; 0: as many as are answered. */
  readonly rate: number
  /** Where the latencies are written, where `rate` is given. */
  readonly scratchPath: string
}

export interface HttpResult {
  readonly requests: number
  readonly perSecond: number
  /** Milliseconds; 0 without a rate. */
  readonly p50: number
  readonly p99: number
}

const GRACE_MS = 20_000

/** Throws where a single answer was not 2xx or a connection failed: such a run measures something else. */
export async function runHttpLoad(load: HttpLoad): Promise<HttpResult> {
  const args = [
    '--tls13-ciphers=TLS_AES_128_GCM_SHA256',
    '-t',
    '1',
    '-D',
    String(load.seconds),
    '-c',
    String(load.connections),
  ]
  if (load.streams === 0) args.push('--h1')
  else args.push('-m', String(load.streams))
  if (load.bodyPath !== null) args.push('-d', load.bodyPath, '-H', 'content-type: application/json')
  if (load.rate > 0) args.push('--rps', String(load.rate / load.connections), '--log-file', load.scratchPath)
  const urls = load.otherUrl === null ? [load.url] : [load.url, load.otherUrl]
  const text = await run([...args, ...urls], load.seconds * 1000 + GRACE_MS)
  const counts = /requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded, (\d+) failed, (\d+) errored/.exec(text)
  const perSecond = Number(/finished in [^,]+, ([\d.]+) req\/s/.exec(text)?.[1])
  // Of HTTP/2 answers that end after the bell, only the status is counted.
  const others = /status codes: \d+ 2xx, (\d+) 3xx, (\d+) 4xx, (\d+) 5xx/.exec(text)?.slice(1)
  const requests = Number(counts?.[1])
  const isGood = [counts?.[3], counts?.[4], ...(others ?? [''])].every((count) => count === '0')
  if (!(requests > 0) || !isGood) {
    throw new Error(`not every request was answered with 2xx by ${load.url}:\n${text}`)
  }
  return { requests, perSecond, ...(load.rate > 0 ? latencies(load.scratchPath) : { p50: 0, p99: 0 }) }
}

async function run(args: readonly string[], limitMs: number): Promise<string> {
  const child = spawn('h2load', args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const program = asProgram(child)
  let text = ''
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (more) => (text += more))
  const timer = setTimeout(() => child.kill('SIGKILL'), limitMs)
  await new Promise((resolve) => child.once('close', resolve))
  clearTimeout(timer)
  await program.stop()
  return text
}

/** Columns: start in microseconds, status, microseconds until the end of the answer. */
function latencies(path: string): { p50: number; p99: number } {
  const micros = readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => Number(line.split('\t')[2]))
    .sort((a, b) => a - b)
  rmSync(path)
  const at = (share: number): number => micros[Math.min(micros.length - 1, Math.floor(micros.length * share))]! / 1000
  return { p50: at(0.5), p99: at(0.99) }
}
