/** One step for all claims: all or nothing, dry counters, blocks that grow; the same in Redis and in memory. */
import fc from 'fast-check'
import { Redis } from 'ioredis'
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import t from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { Claim, ClaimStates, CounterOptions, CounterState } from '../../src/exchange/contracts.ts'
import { ownKey } from '../../src/exchange/own-count.ts'
import { type LimitStore, makeStore } from '../../src/limits/store.ts'
import { WINDOW_SCRIPT } from '../../src/limits/window-script.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'

const redis = await startRedis()
const CONFIG = {
  redis: { url: redis.url, prefix: 'step', timeout: 5000 },
  onOutage: 'deny',
  ipv6Prefix: 64,
} as StoreConfig
const counting = makeCounting()
const shared = makeStore(CONFIG, redis.url, counting.log, counting.metrics)
const local = makeStore(CONFIG, null, () => {}, makeCounting().metrics)
await shared.whenSettled()
t.teardown(async () => {
  await shared.close()
  await redis.kill()
})
t.equal(shared.isUp, true)

const options = (name: string, points: number, more: Partial<CounterOptions> = {}): CounterOptions => ({
  name,
  points,
  windowMs: 600_000,
  blocks: [],
  onOutage: 'deny',
  ...more,
})

function step(store: LimitStore, claims: readonly Claim[]): Promise<ClaimStates> {
  return new Promise((resolve) => {
    const states = store.claim(claims, { onStates: resolve })
    if (states !== null) resolve(states)
  })
}

/** What one gateway knows from memory is not what this is about: each asks with fresh counters of its own name. */
const STORES = [
  ['in Redis', shared],
  ['in memory', local],
] as const
const allowed = (states: ClaimStates): (boolean | undefined)[] => states.map((state) => state?.allowed)
const used = async (store: LimitStore, of: CounterOptions, key: string) => (await store.counter(of).get(key))?.used ?? 0

for (const [where, store] of STORES) {
  t.test(`${where}: what one claim refuses is counted by none, in whatever order they stand`, async (t) => {
    for (const order of ['wide first', 'narrow first']) {
      const wide = options(`wide-${order[0]}`, 10)
      const narrow = options(`narrow-${order[0]}`, 2)
      const claims = [wide, narrow].map((each) => ({ counter: store.counter(each), key: 'a', points: 1, own: null }))
      if (order === 'narrow first') claims.reverse()
      for (let i = 0; i < 3; i++) await step(store, claims)
      t.equal(await used(store, wide, 'a'), 2, order)
    }
  })

  t.test(`${where}: a dry counter tells and holds nothing up`, async (t) => {
    const dry = options('dry', 1, { dryRun: true, blocks: [60_000] })
    const wide = options('beside-dry', 10)
    const claims = [dry, wide].map((each) => ({ counter: store.counter(each), key: 'a', points: 1, own: null }))
    t.same(allowed(await step(store, claims)), [true, true])
    t.same(allowed(await step(store, claims)), [false, true])
    t.same(allowed(await step(store, claims)), [false, true])
    t.equal(await used(store, wide, 'a'), 3)
  })

  t.test(`${where}: a claim of no points looks`, async (t) => {
    const seen = options('seen', 1)
    const other = options('other', 5)
    const claims = [
      { counter: store.counter(seen), key: 'a', points: 0, own: null },
      { counter: store.counter(other), key: 'a', points: 2, own: null },
    ]
    t.same(allowed(await step(store, claims)), [true, true])
    t.equal(await used(store, seen, 'a'), 0)
    await store.counter(seen).add('a')
    t.same((await step(store, claims))[0]?.allowed, false, 'full: one more would be refused')
    t.equal(await used(store, other, 'a'), 2, 'and so is the rest')
  })

  t.test(`${where}: blocks grow from strike to strike, the last one stays, and quiet time forgets`, async (t) => {
    const rule = options('growing', 1, { windowMs: 100, blocks: [120, 240, 600], quietMs: 400 })
    const counter = store.counter(rule)
    const told: number[] = []
    /** Goes on until it is refused anew; resolves with the wait. */
    const strike = async (): Promise<number> => {
      for (;;) {
        const state = await counter.add('a')
        if (!state.allowed) return state.resetMs
      }
    }
    for (let i = 0; i < 4; i++) {
      const waitMs = await strike()
      told.push(waitMs)
      await new Promise((resolve) => setTimeout(resolve, waitMs + 5))
    }
    // A busy machine asks late: then the first of the block is over already, or the quiet time.
    t.ok(told[0]! <= 120, String(told))
    t.ok(Math.max(...told) > 120, String(told))
    t.ok(Math.max(...told) <= 600, String(told))
    await new Promise((resolve) => setTimeout(resolve, 450))
    t.ok((await strike()) <= 120, 'the first one again')
  })
}

for (const [where, store] of STORES) {
  t.test(
    `${where}: a known client is counted by itself where the common count is used up, in the same step`,
    async (t) => {
      const name = `own-${where === 'in Redis' ? 'r' : 'm'}`
      const [account, wide] = [options(name, 3), options(`${name}-wide`, 100)].map((each) => store.counter(each))
      const known = store.counter(options(`${name}.known`, 1_000_000))
      await known.add(ownKey('anna', 'home'))
      const ask = async (client: string) => {
        const own = { known, key: ownKey('anna', client) }
        const claims = [
          { counter: account!, key: 'anna', points: 1, own },
          { counter: wide!, key: client, points: 1, own: null },
        ]
        return step(store, claims)
      }
      for (let i = 0; i < 3; i++) t.same(allowed(await ask(`stranger ${i}`)), [true, true], 'in common')
      t.equal((await ask('stranger 4'))[0]!.allowed, false)
      const owns = []
      for (let i = 0; i < 5; i++) owns.push((await ask('home'))[0])
      t.same(
        owns.map((state) => [state!.allowed, state!.remaining]),
        [
          [true, 2],
          [true, 1],
          [true, 0],
          [false, 0],
          [false, 0],
        ],
      )
      t.equal((await wide!.get('home'))!.used, 3, 'all or nothing with the others')
      t.equal(await wide!.get('stranger 4'), null)
      t.equal((await account!.get('anna'))!.used > 2, true, 'the common count stays used up')
    },
  )
}

t.test('any sequence of steps gives the same answers in Redis and in memory', async (t) => {
  const CLIENTS = ['2001:db8::/64', '192.0.2.1', 'stranger']
  const claim = fc.record({
    ...{ rule: fc.nat(3), key: fc.constantFrom('a', 'b', '{x}y', '}', 'ü'), points: fc.nat(3) },
    client: fc.option(fc.constantFrom(...CLIENTS)),
  })
  const steps = fc.array(
    fc.uniqueArray(claim, { minLength: 1, maxLength: 4, selector: ({ rule, key }) => `${rule} ${key}` }),
    { minLength: 1, maxLength: 15 },
  )
  let run = 0
  await fc.assert(
    fc.asyncProperty(steps, async (list) => {
      run++
      const rules = [
        options(`p${run}-a`, 3),
        options(`p${run}-b`, 2, { burst: 3 }),
        options(`p${run}-c`, 4, { blocks: [500_000, 900_000] }),
        options(`p${run}-d`, 2, { dryRun: true }),
      ]
      const known = options(`p${run}.known`, 1_000_000)
      for (const store of [shared, local]) {
        for (const client of CLIENTS.slice(0, 2)) await store.counter(known).add(ownKey('a', client))
        await store.counter(known).add(ownKey('{x}y', CLIENTS[0]!))
      }
      for (const each of list) {
        const [there, here] = await Promise.all(
          [shared, local].map((store) =>
            step(
              store,
              each.map(({ rule, key, points, client }) => ({
                ...{ counter: store.counter(rules[rule]!), key, points },
                own: client === null || points === 0 ? null : { known: store.counter(known), key: ownKey(key, client) },
              })),
            ),
          ),
        )
        for (let i = 0; i < each.length; i++) {
          // A refusal that is known spares the others the question.
          if (there![i] === null) continue
          const [a, b] = [there![i]!, here![i]!]
          if (a.allowed !== b.allowed || (a.allowed && a.used !== b.used) || a.remaining !== b.remaining) {
            throw new Error(`${JSON.stringify(a)} and ${JSON.stringify(b)}`)
          }
        }
      }
    }),
    { seed: 5, numRuns: 60 },
  )
  t.pass('held')
})

t.test('the plain window is that of RateLimiterRedis', async (t) => {
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const yardstick = new RateLimiterRedis({ storeClient: client, keyPrefix: 'yard', points: 7, duration: 600 })
  const counter = shared.counter(options('yard', 7))
  for (const points of [1, 2, 1, 1, 1, 1, 1, 1]) {
    const theirs = await yardstick.consume('a', points).then(
      (result) => ({ allowed: true, remaining: result.remainingPoints }),
      (result) => {
        if (!(result instanceof RateLimiterRes)) throw result
        return { allowed: false, remaining: 0 }
      },
    )
    const ours: CounterState = await counter.add('a', points)
    t.match(ours, theirs)
  }
})

t.test('requests of one turn are one command, whatever their number and that of their claims', async (t) => {
  const rules = ['one', 'two', 'three', 'four'].map((name) => shared.counter(options(`turn-${name}`, 1000)))
  const ask = (key: string) =>
    step(
      shared,
      rules.map((counter) => ({ counter, key, points: 1, own: null })),
    )
  await ask('warm')
  const client = new Redis(redis.url)
  const watch = await client.monitor()
  t.teardown(() => {
    watch.disconnect()
    client.disconnect()
  })
  let calls = 0
  let isSeen = false
  watch.on('monitor', (_time: string, args: string[]) => {
    if (args[0] === 'evalsha' && args[1] === WINDOW_SCRIPT.digest) calls++
    if (args[0] === 'echo') isSeen = true
  })
  const seen = async () => {
    isSeen = false
    await redis.command('echo end')
    await until(() => isSeen, 'the watch')
    return calls
  }
  const all = await Promise.all(Array.from({ length: 50 }, (_, i) => ask(`k${i % 7}`)))
  t.ok(all.every((states) => states.length === 4 && states.every((state) => state?.allowed)))
  t.equal(all[49]![3]!.used, 8)
  t.equal(await seen(), 1)
  await Promise.all(Array.from({ length: 100 }, (_, i) => ask(`m${i}`)))
  t.equal(await seen(), 3, 'a call is bounded: 256 claims')
})

t.test('a key is bounded in Redis, and braces of a client do not reach it', async (t) => {
  const counter = shared.counter(options('keys', 5))
  await Promise.all(['x'.repeat(5000), 'a}b{c', ''].map((key) => counter.add(key)))
  const keys = (await redis.command('KEYS step:keys:*')).split('\r\n').filter((line) => line.startsWith('step'))
  t.equal(keys.length, 3)
  for (const key of keys) {
    t.ok(key.length < 160)
    t.match(key, /^step:keys:\{[^{}]+\}$/)
  }
})

t.test('a clock of Redis that was set back makes no window longer', async (t) => {
  const counter = shared.counter(options('clock', 5))
  await redis.command(`SET step:clock:{a} "3 ${Date.now() + 86_400_000}" PX 86400000`)
  const state = await counter.add('a')
  t.match(state, { used: 4, allowed: true })
  t.ok(state.resetMs <= 600_000, String(state.resetMs))
})
