/**
 * The well-behaved client: `visitor.ts PORT SERVICE`. Asks at a steady pace over a kept HTTP/1.1 and a kept HTTP/2 connection,
 * opens a new one twice a second, and asks the service itself, by plain HTTP, as often. For each line on standard input it prints, as one line of JSON, what it saw since the last.
 */
import { Agent, request } from 'node:http'
import { createInterface } from 'node:readline'
import { openHttp1, openHttp2, type RequestClient } from '../../kit/clients.ts'

export interface Visit {
  readonly requests: number
  /** Milliseconds, over kept connections. */
  readonly p50: number
  readonly p99: number
  /** Of requests that took the straight way to the service. */
  readonly straightP99: number
  /** The longest time of a request over a new connection, its handshake included. */
  readonly newMost: number
  readonly failures: number
}

const PACE_MS = 10
const NEW_EVERY_MS = 500
const place = { port: Number(process.argv[2]) }
let kept: number[] = []
let fresh: number[] = []
let straight: number[] = []
let failures = 0

async function ask(client: RequestClient, into: () => number[]): Promise<void> {
  const startedAt = performance.now()
  const reply = await client.ask({ path: '/small' }).catch(() => null)
  if (reply?.status === 200 && reply.isComplete) into().push(performance.now() - startedAt)
  else failures++
}

async function askAnew(): Promise<void> {
  const client = openHttp1(place)
  await ask(client, () => fresh)
  await client.close()
}

const agent = new Agent({ keepAlive: true, maxSockets: 4 })
function askStraight(): void {
  const startedAt = performance.now()
  request({ host: '127.0.0.1', port: Number(process.argv[3]), path: '/small', agent }, (response) => {
    response.resume().once('end', () => straight.push(performance.now() - startedAt))
  })
    .on('error', () => {})
    .end()
}

setInterval(askStraight, PACE_MS)
for (const client of [openHttp1(place), openHttp2(place)]) {
  setInterval(() => void ask(client, () => kept), PACE_MS)
}
setInterval(() => void askAnew(), NEW_EVERY_MS)

function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
}

createInterface({ input: process.stdin })
  .on('line', () => {
    const times = kept
    const visit: Visit = {
      requests: times.length,
      p50: at(times, 0.5),
      p99: at(times, 0.99),
      straightP99: at(straight, 0.99),
      newMost: Math.max(0, ...fresh),
      failures,
    }
    process.stdout.write(`${JSON.stringify(visit)}\n`)
    kept = []
    fresh = []
    straight = []
    failures = 0
  })
  .on('close', () => process.exit(0))
