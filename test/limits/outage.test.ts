/** Redis killed, paused and brought back under load: every add is decided by the policy, none waits for a dead store. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { CounterState, OutagePolicy } from '../../src/exchange/contracts.ts'
import { type LimitStore, makeStore } from '../../src/limits/store.ts'
import { freePort, RedisProcess, startRedis } from '../kit/redis.ts'
import { makeCounting } from './counting.ts'

// A paused Redis is found out by this. Long enough that a busy machine makes no outage of its own.
const TIMEOUT_MS = 300
const POLICIES: readonly OutagePolicy[] = ['local', 'allow', 'deny']
const POINTS = 20

const rejections: unknown[] = []
process.on('unhandledRejection', (reason) => rejections.push(reason))

const options = (onOutage: OutagePolicy, more = {}) => ({
  name: `on-${onOutage}`,
  points: POINTS,
  windowMs: 600_000,
  blocks: [],
  onOutage,
  ...more,
})

function configFor(url: string): StoreConfig {
  return { redis: { url, prefix: 'outage', timeout: TIMEOUT_MS }, onOutage: 'local', ipv6Prefix: 64 } as StoreConfig
}

async function open(t: { teardown(fn: () => unknown): void }, args: readonly string[] = []) {
  const redis = await startRedis(args)
  t.teardown(() => redis.kill())
  const counting = makeCounting()
  const store = makeStore(configFor(redis.url), redis.url, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  return { ...counting, redis, store, warnings: () => counting.lines.filter(([level]) => level === 'warn') }
}

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1000 && !condition(); i++) await sleep(10)
}

/** Adds without a pause between them until told to stop; resolves with every state. */
function load(store: LimitStore, policy: OutagePolicy): () => Promise<CounterState[]> {
  const counter = store.counter(options(policy))
  let running = true
  const states: CounterState[] = []
  const worker = async (id: number) => {
    for (let i = 0; running; i++) {
      states.push(await counter.add(`${id}-${i % 50}`))
      await sleep(1)
    }
  }
  const workers = Promise.all([1, 2, 3, 4].map(worker))
  return async () => {
    running = false
    await workers
    return states
  }
}

/** What every policy promises once the store is known to be down. */
async function checkDegraded(t: Tap, store: LimitStore, key: string): Promise<void> {
  for (const policy of POLICIES) {
    const counter = store.counter(options(policy))
    // Decided in the microtasks of this turn: a timer or a socket would come later than this immediate.
    const order: string[] = []
    const states: CounterState[] = []
    const adds = Array.from({ length: POINTS + 5 }, () =>
      counter.add(key).then((state) => {
        states.push(state)
        order.push('add')
      }),
    )
    const immediate = new Promise<void>((resolve) => setImmediate(() => resolve(void order.push('turn'))))
    await Promise.all([...adds, immediate])
    t.equal(order.indexOf('turn'), POINTS + 5, `${policy}: no add waited`)
    t.ok(states.every((state) => state.degraded))
    const allowed = { local: POINTS, allow: POINTS + 5, deny: 0 }[policy]
    t.equal(states.filter((state) => state.allowed).length, allowed, policy)
  }
}
type Tap = Pick<typeof t, 'equal' | 'ok' | 'match'>

for (const policy of POLICIES) {
  t.test(`killed under load and restarted on its port: ${policy}`, async (t) => {
    const { redis, store, lines, labels, warnings } = await open(t)
    const stop = load(store, policy)
    await sleep(100)
    await redis.kill()
    await until(() => !store.isUp)
    t.equal(store.isUp, false)
    await checkDegraded(t, store, 'dead')
    await sleep(700)
    t.equal(warnings().length, 1, 'one line for the outage, whatever the load')
    await redis.start()
    await until(() => store.isUp)
    t.equal(store.isUp, true, 'healed without a restart of the gateway')
    t.match(await store.counter(options(policy)).add('fresh'), { used: 1, allowed: true, degraded: false })
    const states = await stop()
    const degraded = states.filter((state) => state.degraded)
    if (policy === 'allow') t.ok(degraded.every((state) => state.allowed))
    if (policy === 'deny') t.ok(degraded.every((state) => !state.allowed))
    if (policy === 'local') t.ok(degraded.every((state) => state.allowed === state.used <= POINTS))
    t.ok(degraded.length > 0 && degraded.length < states.length)
    t.equal(lines.length, 3, 'start, outage, recovery')
    t.match(lines[2]![1], /is back/)
    t.equal(labels('limit_store_total').get('outage'), 1)
    t.equal(labels('limit_store_total').get('recovered'), 1)
    t.ok(labels('limit_store_total').get('degraded')! > 0)
  })
}

t.test('paused: it accepts and never answers, is found out by time, and heals when it goes on', async (t) => {
  const { redis, store, lines, warnings } = await open(t)
  const stop = POLICIES.map((policy) => load(store, policy))
  await sleep(100)
  redis.pause()
  await until(() => !store.isUp)
  t.equal(store.isUp, false)
  await checkDegraded(t, store, 'paused')
  // Longer than the connection is trusted: new ones are accepted by the kernel and not answered either.
  await sleep(2500)
  t.equal(store.isUp, false)
  t.equal(warnings().length, 1)
  redis.resume()
  await until(() => store.isUp)
  t.equal(store.isUp, true)
  t.match(await store.counter(options('deny')).add('fresh'), { used: 1, degraded: false })
  await Promise.all(stop.map((end) => end()))
  t.equal(lines.length, 3)
})

t.test('outage after outage is logged once each', async (t) => {
  const { redis, store, lines } = await open(t)
  for (let i = 0; i < 3; i++) {
    await redis.kill()
    await until(() => !store.isUp)
    await redis.start()
    await until(() => store.isUp)
    t.match(await store.counter(options('deny')).add(`again-${i}`), { allowed: true, degraded: false })
  }
  t.equal(lines.length, 7)
})

t.test('a Redis that answers and refuses writes is down, until it takes them again', async (t) => {
  const { redis, store, warnings } = await open(t)
  await redis.command(`REPLICAOF 127.0.0.1 ${await freePort()}`)
  await store.counter(options('local')).add('a')
  await until(() => !store.isUp)
  t.equal(store.isUp, false)
  await sleep(700)
  t.equal(store.isUp, false, 'answering PING is not enough')
  t.equal(warnings().length, 1)
  await redis.command('REPLICAOF NO ONE')
  await until(() => store.isUp)
  t.match(await store.counter(options('deny')).add('b'), { degraded: false })
})

t.test('not there at the start: the policy at once, and shared as soon as it comes', async (t) => {
  const redis = new RedisProcess(await freePort(), [])
  t.teardown(() => redis.kill())
  const { lines, log, metrics } = makeCounting()
  const store = makeStore(configFor(redis.url), redis.url, log, metrics)
  t.teardown(() => store.close())
  await checkDegraded(t, store, 'early')
  await store.whenSettled()
  t.equal(store.isUp, false)
  t.equal(lines.length, 1)
  await redis.start()
  await until(() => store.isUp)
  t.match(await store.counter(options('deny')).add('late'), { used: 1, degraded: false })
})

t.test('blocks and clears made while Redis is down reach it when it is back', async (t) => {
  const { redis, store } = await open(t)
  const counter = store.counter(options('local'))
  await counter.block('unlocked', 60_000)
  redis.pause()
  await counter.add('notice')
  await until(() => !store.isUp)
  await counter.block('locked', 60_000)
  t.match(await counter.add('locked'), { allowed: false, degraded: false }, 'and hold here meanwhile')
  await counter.clear('unlocked')
  t.match(await counter.add('unlocked'), { allowed: true, degraded: true })
  redis.resume()
  await until(() => store.isUp)
  await sleep(1100) // what is known here is trusted for a second
  t.match(await counter.add('locked'), { allowed: false, degraded: false })
  t.match(await counter.add('unlocked'), { used: 1, allowed: true, degraded: false })
})

t.test('an outage does not set a blocked client free', async (t) => {
  const { redis, store } = await open(t)
  const counter = store.counter(options('local', { name: 'strict', points: 2, blocks: [60_000] }))
  for (let i = 0; i < 3; i++) await counter.add('a')
  await redis.kill()
  await until(() => !store.isUp)
  await sleep(1100)
  t.match(await counter.add('a'), { allowed: false, degraded: true })
})

t.test('a wrong password is an outage, and no line shows the right or the wrong one', async (t) => {
  const redis = await startRedis(['--requirepass', 'right-secret'])
  t.teardown(() => redis.kill())
  const wrong = makeCounting()
  const url = redis.url.replace('//', '//:wrong-secret@')
  const refused = makeStore(configFor(url), url, wrong.log, wrong.metrics)
  t.teardown(() => refused.close())
  await refused.whenSettled()
  t.equal(refused.isUp, false)
  t.match(await refused.counter(options('deny')).add('a'), { allowed: false, degraded: true })
  await sleep(400)
  t.equal(wrong.lines.length, 1)
  const right = makeCounting()
  const store = makeStore(configFor(url), url.replace('wrong', 'right'), right.log, right.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  t.equal(store.isUp, true)
  t.notMatch([...wrong.lines, ...right.lines].join(), /secret/)
})

t.test('closing during an outage ends, and what is asked afterwards is answered', async (t) => {
  const { redis, store } = await open(t)
  redis.pause()
  const counter = store.counter(options('deny'))
  const waiting = counter.add('a')
  await store.close()
  t.match(await waiting, { allowed: false, degraded: true })
  t.match(await counter.add('a'), { allowed: false, degraded: true })
  redis.resume()
})

t.test('nothing was rejected without anybody to see it', async (t) => {
  await sleep(50)
  t.same(rejections, [])
})
