/** Counters shared through a real Redis: exact together, and the same rule as in memory. */
import { spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { Counter } from '../../src/exchange/contracts.ts'
import { makeStore } from '../../src/limits/store.ts'
import { startRedis } from '../kit/redis.ts'
import { makeCounting } from './counting.ts'

const redis = await startRedis()
t.teardown(() => redis.kill())
t.beforeEach(() => redis.flush())

// Generous: here Redis is up, and a busy machine is no outage.
const CONFIG = {
  redis: { url: redis.url, prefix: 'test', timeout: 5000 },
  onOutage: 'deny',
  ipv6Prefix: 64,
} as StoreConfig

async function openStore(t: Pick<typeof import('tap').t, 'teardown' | 'equal'>) {
  const counting = makeCounting()
  const store = makeStore(CONFIG, redis.url, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  t.equal(store.isUp, true)
  return { ...counting, store }
}

const options = (name: string, points: number, more = {}) => ({
  name,
  points,
  windowMs: 60_000,
  blocks: [],
  onOutage: 'deny' as const,
  ...more,
})

/** As if so many milliseconds had gone by: every time in the value lies nearer by as much, and so does its expiry. */
async function age(key: string, ms: number): Promise<void> {
  const value = (await redis.command(`GET ${key}`)).split('\r\n')[1]
  if (value === undefined || value === '') return
  const left = Number((await redis.command(`PTTL ${key}`)).slice(1)) - ms
  if (left <= 0) return void (await redis.command(`DEL ${key}`))
  const [used, endsAt, till, strikes] = value.split(' ').map(Number) as [number, number, number?, number?]
  const blocked = till === undefined ? '' : ` ${Math.max(0, till - ms)} ${strikes}`
  await redis.command(`SET ${key} "${used} ${endsAt - ms}${blocked}" PX ${left}`)
}

async function passing(counters: Counter[], key: string, tries: number): Promise<number> {
  const adds = Array.from({ length: tries }, (_, i) => counters[i % counters.length]!.add(key))
  return (await Promise.all(adds)).filter((state) => state.allowed).length
}

t.test('two stores on one Redis let through exactly the limit together', async (t) => {
  const [one, two] = [await openStore(t), await openStore(t)]
  const counters = [one.store.counter(options('pair', 50)), two.store.counter(options('pair', 50))]
  t.equal(await passing(counters, '192.0.2.1', 300), 50)
  t.equal(await passing(counters, '192.0.2.1', 300), 0)
  t.equal(await passing(counters, '192.0.2.2', 300), 50, 'another key has its own count')
})

t.test('two processes on one Redis let through exactly the limit together', async (t) => {
  const children = [0, 1].map(() =>
    spawn(process.execPath, [new URL('counting-process.ts', import.meta.url).pathname, redis.url, '40', '100'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  )
  t.teardown(() => {
    for (const child of children) child.kill('SIGKILL')
  })
  const passed = await Promise.all(
    children.map(async (child) => {
      let out = ''
      for await (const chunk of child.stdout) out += chunk
      return Number(out)
    }),
  )
  t.equal(passed[0]! + passed[1]!, 40, `${passed[0]} and ${passed[1]}`)
})

t.test('the state counts down, and its window is not prolonged by further adds', async (t) => {
  const { store } = await openStore(t)
  const counter = store.counter(options('state', 2))
  t.equal(await counter.get('a'), null)
  t.match(await counter.add('a'), { used: 1, remaining: 1, allowed: true, degraded: false })
  await age('test:state:{a}', 40_000)
  const second = await counter.add('a')
  t.match(second, { used: 2, remaining: 0, allowed: true })
  t.ok(second.resetMs <= 20_000 && second.resetMs > 0, String(second.resetMs))
  t.match(await counter.get('a'), { used: 2, allowed: false })
  const third = await counter.add('a')
  t.match(third, { remaining: 0, allowed: false, degraded: false })
  t.ok(third.resetMs <= 20_000 && third.resetMs > 0)
})

t.test('a window that ends gives the rate again', async (t) => {
  const { store } = await openStore(t)
  const counter = store.counter(options('window', 3, { windowMs: 1000 }))
  t.equal(await passing([counter], 'a', 3), 3)
  let refused = await counter.add('a')
  while (!refused.allowed) {
    t.ok(refused.resetMs > 0 && refused.resetMs <= 1000)
    await sleep(refused.resetMs + 5)
    refused = await counter.add('a')
  }
  t.match(refused, { used: 1, remaining: 2 })
})

t.test('a burst is spent once, and only what windows leave unspent fills it again', async (t) => {
  const { store } = await openStore(t)
  const { store: other } = await openStore(t)
  const counters = () => [
    store.counter(options('burst', 5, { burst: 3 })),
    other.counter(options('burst', 5, { burst: 3 })),
  ]
  const passWindow = async () => {
    await age('test:burst:{a}', 60_000)
    await sleep(1050) // what was refused is answered from memory for a second
  }
  t.equal(await passing(counters(), 'a', 20), 8, 'rate and burst')
  await passWindow()
  t.equal(await passing(counters(), 'a', 20), 5, 'the rate only: the burst is spent')
  await passWindow()
  t.equal(await passing(counters(), 'a', 4), 4, 'one is left unspent')
  await passWindow()
  t.equal(await passing(counters(), 'a', 20), 6, 'and saved')
  await passWindow()
  await passWindow()
  t.equal(await passing(counters(), 'a', 20), 8, 'an idle window fills it')
})

t.test('the same adds give the same states in Redis and in memory', async (t) => {
  const { store } = await openStore(t)
  const memory = makeStore(CONFIG, null, () => {}, makeCounting().metrics)
  for (const [name, more] of [
    ['plain', {}],
    ['burst', { burst: 4 }],
    ['block', { burst: 1, blocks: [90_000] }],
  ] as const) {
    const pair = [store, memory].map((each) => each.counter(options(`same-${name}`, 6, more)))
    for (const points of [1, 2, 1, 3, 9, 1, 1, 1]) {
      const [shared, local] = await Promise.all(pair.map((counter) => counter.add('a', points)))
      t.match(shared, { used: local!.used, remaining: local!.remaining, allowed: local!.allowed }, `${name} ${points}`)
      t.ok(Math.abs(shared!.resetMs - local!.resetMs) < 20_000, 'and much the same reset')
    }
  }
})

t.test('a key that went over is blocked for its block time, for everybody, and no longer', async (t) => {
  const [one, two] = [await openStore(t), await openStore(t)]
  const [first, second] = [one, two].map(({ store }) => store.counter(options('blocked', 2, { blocks: [300_000] })))
  t.equal(await passing([first!], 'a', 3), 2)
  const refused = await second!.add('a')
  t.match(refused, { allowed: false })
  t.ok(refused.resetMs > 60_000 && refused.resetMs <= 300_000, 'the block, not the window')
  await age('test:blocked:{a}', 298_500)
  const again = await two.store.counter(options('blocked', 2, { blocks: [299_999] })).add('a')
  t.ok(again.resetMs <= 1500, 'trying again does not prolong it')
  await sleep(1600)
  t.equal(await passing([second!], 'a', 3), 2)
})

t.test('no key ever stands without an expiry', async (t) => {
  const { store } = await openStore(t)
  const plain = store.counter(options('expiry', 2))
  const blocking = store.counter(options('expiring', 2, { blocks: [500] }))
  await passing([plain, blocking], 'a', 10)
  await plain.block('b', 10)
  await plain.block('c', 700)
  for (const key of ['expiry:{a}', 'expiring:{a}', 'expiry:{c}']) {
    const left = Number((await redis.command(`PTTL test:${key}`)).slice(1))
    t.ok(left > 0 || left === -2, `${key} ${left}`)
  }
  await redis.command('SET test:expiry:{d} 99')
  t.match(await plain.add('d'), { used: 1, allowed: true }, 'a value that is not ours counts as fresh')
  await redis.command('SET test:expiry:{e} -1')
  t.match(await plain.add('e'), { used: 1, allowed: true })
})

t.test('block and clear hold at once here, and within a second elsewhere', async (t) => {
  const [one, two] = [await openStore(t), await openStore(t)]
  const [here, there] = [one, two].map(({ store }) => store.counter(options('ban', 5)))
  await here!.block('a', 60_000)
  for (const counter of [here!, there!]) {
    t.match(await counter.add('a'), { allowed: false })
    t.match(await counter.get('a'), { allowed: false, remaining: 0 })
  }
  await here!.clear('a')
  t.match(await here!.add('a'), { used: 1, allowed: true })
  await sleep(1050)
  t.match(await there!.add('a'), { used: 2, allowed: true })
})

t.test('a refused key is answered from memory, with the true reset', async (t) => {
  const { store } = await openStore(t)
  const counter = store.counter(options('cache', 2))
  await passing([counter], 'a', 3)
  await redis.command('CONFIG RESETSTAT')
  const states = await Promise.all(Array.from({ length: 200 }, () => counter.add('a')))
  t.ok(states.every((state) => !state.allowed && state.resetMs > 2000))
  const asked = /calls=(\d+)/.exec(/cmdstat_evalsha:[^\r]*/.exec(await redis.command('INFO commandstats'))?.[0] ?? '')
  t.ok(Number(asked?.[1] ?? 0) < 20, `${asked?.[1] ?? 0} commands for 200 adds`)
})

t.test('scripts that Redis forgot are no outage', async (t) => {
  const { store, labels, lines } = await openStore(t)
  const counter = store.counter(options('script', 30))
  t.equal(await passing([counter], 'a', 10), 10)
  await redis.command('SCRIPT FLUSH')
  t.equal(await passing([counter], 'a', 50), 20, 'exact also while scripts are sent again')
  t.equal(labels('limit_store_total').get('outage') ?? 0, 0)
  t.equal(lines.filter(([level]) => level === 'warn').length, 0)
})

t.test('a key of a foreign kind follows the policy alone', async (t) => {
  const { store, labels, lines } = await openStore(t)
  await redis.command('RPUSH test:foreign:{a} x')
  t.match(await store.counter(options('foreign', 5)).add('a'), { allowed: false, degraded: true })
  t.match(await store.counter(options('foreign', 5)).add('b'), { allowed: true, degraded: false })
  t.equal(store.isUp, true)
  t.equal(labels('limit_store_total').get('key-error'), 1)
  t.equal(lines.length, 1, 'the line of the start')
})

t.test('without a URL counts are in memory, and that is said once', async (t) => {
  const counting = makeCounting()
  const store = makeStore(CONFIG, null, counting.log, counting.metrics)
  await store.whenSettled()
  t.equal(store.isUp, true)
  const counter = store.counter(options('memory', 4))
  t.equal(await passing([counter], 'a', 10), 4)
  t.equal(
    store.counter(options('memory', 4)),
    counter,
    'the same options are the same counter: a reload forgets nothing',
  )
  t.equal(await passing([store.counter(options('memory', 6))], 'a', 10), 6, 'other options start anew')
  t.same(counting.lines, [['info', 'Limits are counted in memory, per process: no Redis is configured']])
  await store.close()
})
