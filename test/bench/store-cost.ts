/**
 * What a decision of the limit store costs: processor time of this process, commands and bytes on the wire, each for one and
 * for four limits, in memory, in Redis by the gateway's own step, and by rate-limiter-flexible as the yardstick; and what the
 * counts of a million addresses weigh in memory. Run by hand: `node --expose-gc test/bench/store-cost.ts`.
 */
import { Redis } from 'ioredis'
import { RateLimiterRedis } from 'rate-limiter-flexible'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { CounterOptions } from '../../src/exchange/contracts.ts'
import { MemoryCounter } from '../../src/limits/memory-counter.ts'
import { type LimitStore, makeStore } from '../../src/limits/store.ts'
import { windowRule } from '../../src/limits/window.ts'
import { startRedis } from '../kit/redis.ts'

const REQUESTS = 40_000
const WARM = 8_000
/** Requests of one turn of the event loop. */
const TURNS = [1, 8, 32]
const ADDRESSES = 1_000_000
const NO_METRICS = { count() {} }

const options = (name: string): CounterOptions => ({
  name,
  points: 1_000_000,
  windowMs: 3_600_000,
  blocks: [],
  onOutage: 'deny',
})
const addressOf = (i: number): string => `10.${(i >> 16) & 255}.${(i >> 8) & 255}.${i & 255}`
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

type Ask = (i: number) => Promise<unknown> | null

/** `keys`: distinct addresses. */
function ours(store: LimitStore, limits: number, keys = 5000): Ask {
  const counters = Array.from({ length: limits }, (_, i) => store.counter(options(`limit-${i}`)))
  return (i) => {
    const key = addressOf(i % keys)
    const { promise, resolve } = Promise.withResolvers<unknown>()
    const states = store.claim(
      counters.map((counter) => ({ counter, key, points: 1, own: null })),
      { onStates: resolve },
    )
    return states === null ? promise : null
  }
}

function yardstick(client: Redis, limits: number): Ask {
  const counters = Array.from(
    { length: limits },
    (_, i) => new RateLimiterRedis({ storeClient: client, keyPrefix: `yard-${i}`, points: 1_000_000, duration: 3600 }),
  )
  return (i) => Promise.all(counters.map((counter) => counter.consume(addressOf(i % 5000))))
}

async function run(ask: Ask, from: number, count: number, perTurn: number): Promise<void> {
  for (let i = 0; i < count; i += perTurn) {
    const waits = []
    for (let k = 0; k < perTurn; k++) {
      const wait = ask(from + i + k)
      if (wait !== null) waits.push(wait)
    }
    if (waits.length > 0) await Promise.all(waits)
    else await turn()
  }
}

const redis = await startRedis()
const numbers = async () => {
  const text = `${await redis.command('INFO stats')}${await redis.command('INFO commandstats')}`
  const of = (pattern: RegExp) => Number(pattern.exec(text)?.[1] ?? 0)
  return {
    calls: of(/cmdstat_evalsha:calls=(\d+)/) + of(/cmdstat_eval:calls=(\d+)/),
    in: of(/total_net_input_bytes:(\d+)/),
    out: of(/total_net_output_bytes:(\d+)/),
    usec: of(/cmdstat_evalsha:calls=\d+,usec=(\d+)/),
  }
}
const config = { redis: { url: redis.url, prefix: 'cost', timeout: 5000 }, onOutage: 'deny' } as StoreConfig
const shared = makeStore(config, redis.url, () => {}, NO_METRICS)
const local = makeStore(config, null, () => {}, NO_METRICS)
await shared.whenSettled()
const client = new Redis(redis.url, { disableClientInfo: true })
console.log(
  '| store | limits | requests in a turn | CPU of the gateway per request | calls | bytes out, in | Redis CPU |',
)
console.log('| --- | ---: | ---: | ---: | ---: | ---: | ---: |')
for (const [name, make] of [
  ['in memory', (limits: number) => ours(local, limits)],
  ['in Redis', (limits: number) => ours(shared, limits)],
  ['rate-limiter-flexible', (limits: number) => yardstick(client, limits)],
] as const) {
  for (const limits of [1, 4]) {
    const ask = make(limits)
    for (const perTurn of TURNS) {
      await run(ask, 0, WARM, perTurn)
      const before = await numbers()
      const cpu = process.cpuUsage()
      await run(ask, WARM, REQUESTS, perTurn)
      const { user, system } = process.cpuUsage(cpu)
      const after = await numbers()
      const per = (value: number, digits: number) => (value / REQUESTS).toFixed(digits)
      const wire = `${per(after.in - before.in, 0)}, ${per(after.out - before.out, 0)}`
      const calls = per(after.calls - before.calls, 2)
      const row = [
        name,
        limits,
        perTurn,
        `${per(user + system, 1)} µs`,
        calls,
        wire,
        `${per(after.usec - before.usec, 1)} µs`,
      ]
      console.log(`| ${row.join(' | ')} |`)
    }
  }
}
client.disconnect()

// A million addresses in Redis: what each weighs there, and whether the last cost more than the first.
await redis.flush()
const memoryOf = async () => Number(/used_memory:(\d+)/.exec(await redis.command('INFO memory'))?.[1])
const usedBefore = await memoryOf()
const single = ours(shared, 1, ADDRESSES)
const inRedis: string[] = []
for (let i = 0; i < ADDRESSES; i += ADDRESSES / 10) {
  const before = await numbers()
  const cpu = process.cpuUsage()
  await run(single, i, ADDRESSES / 10, 32)
  const { user, system } = process.cpuUsage(cpu)
  const { usec } = await numbers()
  inRedis.push(
    `${((user + system) / (ADDRESSES / 10)).toFixed(1)}/${((usec - before.usec) / (ADDRESSES / 10)).toFixed(1)}`,
  )
}
console.log(
  `\n${ADDRESSES} addresses in Redis: ${Math.round(((await memoryOf()) - usedBefore) / ADDRESSES)} bytes each there; µs per ` +
    `decision, gateway/Redis, tenth by tenth: ${inRedis.join(' ')}`,
)
await shared.close()
await redis.kill()

const gc = (globalThis as { gc?: () => void }).gc
if (gc !== undefined) {
  gc()
  const heapBefore = process.memoryUsage().heapUsed
  let dropped = 0
  const counter = new MemoryCounter(windowRule({ ...options('million'), points: 1 }), false, () => dropped++)
  const marks: string[] = []
  for (let i = 0; i < ADDRESSES; i += ADDRESSES / 10) {
    const cpu = process.cpuUsage()
    for (let k = 0; k < ADDRESSES / 10; k++) counter.addNow(addressOf(i + k))
    const { user, system } = process.cpuUsage(cpu)
    marks.push(((user + system) / (ADDRESSES / 10)).toFixed(2))
  }
  gc()
  const held = process.memoryUsage().heapUsed - heapBefore
  console.log(
    `\n${ADDRESSES} addresses: ${counter.size} held, ${(held / 1024 / 1024).toFixed(1)} MB, ${Math.round(held / counter.size)} bytes each, ` +
      `keys forgotten ${dropped} times; µs per decision, tenth by tenth: ${marks.join(' ')}`,
  )
}
