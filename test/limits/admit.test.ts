/** The stage: which answers carry which fields, which limit decides, and that no exchange is answered twice or never. */
import t from 'tap'
import { DONE, GO, type OutagePolicy, type Stage, type Step, WAIT } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { makeAdmit } from '../../src/limits/admit.ts'
import { makeStore } from '../../src/limits/store.ts'
import { fakeExchange } from '../kit/fake-client.ts'
import { startRedis } from '../kit/redis.ts'
import { makeCounting } from './counting.ts'
import { admitParts, limit, rule, STORE } from './rules.ts'
import { SlowStore } from './slow-store.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function memoryStore() {
  return makeStore(STORE, null, () => {}, makeCounting().metrics)
}

/** Runs the stage and a last one that answers 200, as the pipeline does. */
function run(admit: Stage, key = '192.0.2.1') {
  const { x, client, finishCount } = fakeExchange({ address: key })
  let step: number = -1
  let passed = 0
  const first: Stage = (each) => {
    step = admit(each)
    return step as Step
  }
  const last: Stage = (each: Exchange) => {
    passed++
    each.respond(200, [], null)
    return DONE
  }
  x.runStages([first, last])
  return {
    x,
    client,
    finishCount,
    step: () => step,
    passed: () => passed,
    field: (name: string) => client.header(name),
  }
}

t.test('without limits nothing is counted and nothing is said', async (t) => {
  const done = run(makeAdmit([], admitParts(memoryStore(), makeCounting().metrics)))
  t.equal(done.step(), GO)
  t.equal(done.field('ratelimit'), null)
})

t.test('in memory it decides at once, and says policy and state on every answer', async (t) => {
  const counting = makeCounting()
  const store = memoryStore()
  const admit = makeAdmit([rule('per-customer', limit(2), store, STORE)], admitParts(store, counting.metrics))
  const first = run(admit)
  t.equal(first.step(), GO)
  t.equal(first.client.status, 200)
  t.equal(first.field('ratelimit-policy'), '"per-customer";q=2;w=60')
  t.equal(first.field('ratelimit'), '"per-customer";r=1;t=60')
  t.equal(first.field('retry-after'), null)
  run(admit)
  const third = run(admit)
  t.equal(third.step(), DONE)
  t.equal(third.client.status, 429)
  t.equal(third.passed(), 0)
  t.equal(third.field('ratelimit'), '"per-customer";r=0;t=60')
  t.equal(third.field('retry-after'), '60')
  t.equal(third.finishCount(), 1)
  t.equal(run(admit, '192.0.2.2').client.status, 200, 'another client has its own count')
  t.same(
    [...counting.labels('limit_decisions_total')],
    [
      ['allowed', 3],
      ['limited', 1],
    ],
  )
})

t.test('of several limits the strictest decides', async (t) => {
  const store = memoryStore()
  const wide = rule('wide', limit(100), store, STORE)
  const narrow = rule('narrow', limit(1, { rate: { points: 1, windowMs: 3_600_000 } }), store, STORE)
  const admit = makeAdmit([wide, narrow], admitParts(store, makeCounting().metrics))
  t.equal(run(admit).field('ratelimit'), '"wide";r=99;t=60, "narrow";r=0;t=3600')
  const second = run(admit)
  t.equal(second.client.status, 429)
  t.equal(second.field('ratelimit-policy'), '"wide";q=100;w=60, "narrow";q=1;w=3600')
  t.equal(second.field('retry-after'), '3600')
})

t.test('a limit with a burst lets rate and burst through, and its block is the wait that is told', async (t) => {
  const config = limit(3, { burst: 2, block: [300_000] })
  const store = memoryStore()
  const admit = makeAdmit([rule('burst', config, store, STORE)], admitParts(store, makeCounting().metrics))
  const statuses = Array.from({ length: 7 }, () => run(admit).client.status)
  t.same(statuses, [200, 200, 200, 200, 200, 429, 429])
  t.equal(run(admit).field('retry-after'), '300')
})

t.test('a shared store is asked once, for all limits together', async (t) => {
  const store = new SlowStore()
  const limiters = ['one', 'two'].map((name) => rule(name, limit(5), store, STORE))
  const done = run(makeAdmit(limiters, admitParts(store, makeCounting().metrics)))
  t.equal(done.step(), WAIT)
  t.same(
    store.asked.map(({ keys }) => keys),
    [['192.0.2.1', '192.0.2.1']],
  )
  t.equal(done.passed(), 0)
  store.asked[0]!.answer({ remaining: 3, resetMs: 1 }, {})
  t.equal(done.passed(), 1)
  t.equal(done.client.status, 200)
  t.equal(done.field('ratelimit'), '"one";r=3;t=1, "two";r=4;t=1')
})

t.test('of several refusals the longest wait is told', async (t) => {
  const store = new SlowStore()
  const limiters = ['one', 'two'].map((name) => rule(name, limit(5), store, STORE))
  const done = run(makeAdmit(limiters, admitParts(store, makeCounting().metrics)))
  store.asked[0]!.answer(
    { allowed: false, remaining: 0, resetMs: 12_001 },
    { allowed: false, remaining: 0, resetMs: 400 },
  )
  t.equal(done.client.status, 429)
  t.equal(done.field('retry-after'), '13')
  t.equal(done.passed(), 0)
  t.equal(done.finishCount(), 1)
})

t.test('what one limit refuses is counted by none', async (t) => {
  const store = memoryStore()
  const wide = rule('wide', limit(3), store, STORE)
  const narrow = rule('narrow', limit(1), store, STORE)
  const both = makeAdmit([wide, narrow], admitParts(store, makeCounting().metrics))
  t.same(
    Array.from({ length: 5 }, () => run(both).client.status),
    [200, 429, 429, 429, 429],
  )
  t.equal(run(both).field('ratelimit'), '"wide";r=2;t=60, "narrow";r=0;t=60')
})

t.test('a client that left meanwhile is not answered', async (t) => {
  for (const allowed of [true, false]) {
    const store = new SlowStore()
    const done = run(makeAdmit([rule('one', limit(5), store, STORE)], admitParts(store, makeCounting().metrics)))
    done.x.finish()
    store.asked[0]!.answer({ allowed })
    t.equal(done.client.status, 0)
    t.equal(done.passed(), 0)
    t.equal(done.finishCount(), 1)
  }
})

for (const [onOutage, status] of [
  ['local', 429],
  ['allow', 200],
  ['deny', 503],
] as const satisfies [OutagePolicy, number][]) {
  t.test(`while the store is down: ${onOutage}`, async (t) => {
    const store = new SlowStore()
    const limiter = rule('one', limit(5, { onOutage }), store, STORE)
    const done = run(makeAdmit([limiter], admitParts(store, makeCounting().metrics)))
    const allowed = onOutage === 'allow'
    store.asked[0]!.answer({ allowed, degraded: true, remaining: 0, resetMs: 5000 })
    t.equal(done.client.status, status)
    t.equal(done.field('ratelimit-policy'), '"one";q=5;w=60')
    t.equal(done.field('ratelimit'), onOutage === 'local' ? '"one";r=0;t=5' : null, 'only what was counted is told')
    t.equal(done.client.headers.filter((each) => each === 'retry-after').length, allowed ? 0 : 1)
  })
}

t.test('the policy of the store holds where the limit names none', async (t) => {
  t.equal(rule('a', limit(1), new SlowStore(), { ...STORE, onOutage: 'deny' }).limiter.onOutage, 'deny')
  t.equal(rule('a', limit(1, { onOutage: 'allow' }), new SlowStore(), STORE).limiter.onOutage, 'allow')
})

t.test('with a real Redis: exactly the limit is answered 200, and nobody waits when it is gone', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const config = { ...STORE, redis: { url: redis.url, prefix: 'admit', timeout: 5000 } }
  const counting = makeCounting()
  const store = makeStore(config, redis.url, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  const names = ['local', 'allow', 'deny'] as const
  const stages = names.map((onOutage) =>
    makeAdmit([rule(onOutage, limit(10, { onOutage }), store, config)], admitParts(store, counting.metrics)),
  )
  const many = (admit: Stage) => Array.from({ length: 30 }, () => run(admit))
  for (const admit of stages) {
    const all = many(admit)
    t.ok(all.every((each) => each.step() === WAIT))
    while (all.some((each) => each.client.status === 0)) await turn()
    t.equal(all.filter((each) => each.client.status === 200).length, 10)
    t.equal(all.filter((each) => each.client.status === 429).length, 20)
    t.ok(all.every((each) => each.field('ratelimit') !== null))
  }
  await redis.kill()
  while (store.isUp) await turn()
  const passed = stages.map((admit) => {
    const all = Array.from({ length: 30 }, () => run(admit, '2001:db8::/64'))
    t.ok(
      all.every((each) => each.step() !== WAIT),
      'decided before the stage returned',
    )
    return all.filter((each) => each.client.status === 200).length
  })
  t.same(passed, [10, 30, 0])
})

t.test('who is exempt, denied or without a key costs the store nothing', async (t) => {
  const store = new SlowStore()
  const counting = makeCounting()
  const parts = admitParts(store, counting.metrics)
  const lists = limit(1, { exempt: ['192.0.2.0/24'], deny: ['198.51.100.1', '192.0.2.66'] })
  const keyed = limit(1, { by: ['header X-Tenant'], missing: 'skip' })
  const admit = makeAdmit([rule('lists', lists, store), rule('keyed', keyed, store)], parts)
  t.equal(run(admit, '192.0.2.1').client.status, 200)
  t.equal(run(admit, '192.0.2.66').client.status, 403)
  t.equal(run(admit, '198.51.100.1').client.status, 403)
  t.equal(store.asked.length, 0)
  t.same(
    parts.told.map(({ rule: name, kind }) => `${name} ${kind}`),
    ['lists denied', 'lists denied'],
  )
  run(admit, '203.0.113.1')
  t.same(store.asked[0]?.keys, ['203.0.113.1'], 'the other rule is not asked either')
  t.equal(counting.labels('limit_decisions_total').get('exempt'), 1)
})

t.test('a dry rule is told of and refuses nothing, whatever it would do', async (t) => {
  const store = memoryStore()
  const parts = admitParts(store, makeCounting().metrics)
  const dry = limit(1, { dryRun: true, deny: ['192.0.2.66'], concurrent: 1, tarpit: { delay: 3_600_000, max: 9 } })
  const admit = makeAdmit([rule('dry', dry, store)], parts)
  const statuses = ['192.0.2.1', '192.0.2.1', '192.0.2.66'].map((address) => run(admit, address).client.status)
  t.same(statuses, [200, 200, 200])
  t.same(
    parts.told.map(({ kind }) => kind),
    ['limited', 'denied'],
  )
})

t.test('a slot is held as long as the exchange, and not by one that was refused', async (t) => {
  const store = memoryStore()
  const one = rule('one', limit(100, { concurrent: 1 }), store)
  const admit = makeAdmit([one], admitParts(store, makeCounting().metrics))
  const first = fakeExchange({ address: '192.0.2.1' })
  first.x.runStages([admit, () => WAIT])
  t.equal(one.running?.held('192.0.2.1'), 1)
  t.equal(run(admit).client.status, 429)
  t.equal(one.running?.held('192.0.2.1'), 1)
  first.x.finish()
  t.equal(one.running?.size, 0)
  t.equal(run(admit).client.status, 200)
})
