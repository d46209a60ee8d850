/**
 * The well-behaved client: `visitor.ts PORT`. Asks at a steady pace over a kept HTTP/1.1 and a kept HTTP/2 connection, and
 * opens a new one twice a second. For each line on standard input it prints, as one line of JSON, what it saw since the last.
 */
import { createInterface } from 'node:readline'
import { openHttp1, openHttp2, type RequestClient } from '../../kit/clients.ts'

export interface Visit {
  readonly requests: number
  /** Milliseconds, over kept connections. */
  readonly p50: number
  readonly p99: number
  /** The longest time of a request over a new connection, its handshake included. */
  readonly newMost: number
  readonly failures: number
}

const PACE_MS = 10
const NEW_EVERY_MS = 500
const place = { port: Number(process.argv[2]) }
let kept: number[] = []
let fresh: number[] = []
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

for (const client of [openHttp1(place), openHttp2(place)]) {
  setInterval(() => void ask(client, () => kept), PACE_MS)
}
setInterval(() => void askAnew(), NEW_EVERY_MS)

createInterface({ input: process.stdin })
  .on('line', () => {
    const times = kept.sort((a, b) => a - b)
    const at = (share: number): number => times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? 0
    const visit: Visit = {
      requests: times.length,
      p50: at(0.5),
      p99: at(0.99),
      newMost: Math.max(0, ...fresh),
      failures,
    }
    process.stdout.write(`${JSON.stringify(visit)}\n`)
    kept = []
    fresh = []
    failures = 0
  })
  .on('close', () => process.exit(0))
