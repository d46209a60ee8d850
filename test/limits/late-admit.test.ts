/**
 * Limits that wait for the user or the body: one step, nothing that goes uncounted, and no answer before the limits have
 * spoken, whatever comes in between.
 */
import t from 'tap'
import { Failure } from '../../src/errors.ts'
import { type CounterStore, DONE, GO, type Stage, WAIT } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { makeLateAdmit } from '../../src/limits/late-admit.ts'
import { makeStore } from '../../src/limits/store.ts'
import { type FakeOptions, fakeExchange } from '../kit/fake-client.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'
import { admitParts, limit, rule, STORE } from './rules.ts'
import { SlowStore } from './slow-store.ts'

const memory = () => makeStore(STORE, null, () => {}, makeCounting().metrics)
const TYPE = ['content-type', 'application/json']

interface Setting {
  readonly store: CounterStore
  readonly early?: Parameters<typeof limit>[1] & { readonly points?: number }
  readonly by?: string
  readonly signIn?: Stage
}

/** The stages of a route: look, sign in, ask, answer 200. */
function open({ store, early = {}, by = 'user', signIn = () => GO }: Setting) {
  const parts = admitParts(store, makeCounting().metrics)
  const { points = 5, ...more } = early
  const first = rule('address', limit(points, more), store)
  const late = makeLateAdmit([first], [rule('late', limit(5, { by: [by] }), store)], parts)
  const last: Stage = (x) => {
    x.respond(200, [], null)
    return DONE
  }
  return {
    parts,
    run: (options: FakeOptions = {}) => {
      const fake = fakeExchange({ user: 'ada', ...options })
      fake.x.route = { maxBodyBytes: 1000 } as NonNullable<Exchange['route']>
      Object.assign(fake.x.route, { edits: fake.x.listener.edits, pages: null, allow: '' })
      fake.x.runStages([late.look, signIn, late.ask, last])
      return fake
    },
  }
}

/** What a wrong token gets. */
const refuseSignIn: Stage = (x) => {
  x.answerHeaders.push('www-authenticate', 'Bearer')
  x.refuse('token-refused')
  return DONE
}

t.test('all limits are asked in one step, when the user is known', async (t) => {
  const store = new SlowStore()
  const fake = open({ store }).run()
  t.same(
    store.asked.map(({ keys }) => keys.length),
    [2],
  )
  store.asked[0]!.answer({}, {})
  t.equal(fake.client.status, 200)
  t.equal(fake.client.headerValues('ratelimit-policy').length, 1)
  t.equal(fake.client.header('ratelimit'), '"address";r=4;t=1, "late";r=4;t=1')
})

t.test('who is refused by the sign-in is counted, and hears of it after that', async (t) => {
  const store = new SlowStore()
  const setting = open({ store, signIn: refuseSignIn })
  const passed = setting.run()
  t.equal(passed.client.status, 0, 'not before the limits have spoken')
  t.same(
    store.asked.map(({ keys }) => keys),
    [['192.0.2.10']],
  )
  store.asked[0]!.answer({})
  t.equal(passed.client.status, 401)
  t.equal(passed.client.header('www-authenticate'), 'Bearer')
  t.equal(passed.client.header('ratelimit'), '"address";r=4;t=1')
  t.equal(passed.finishCount(), 1)

  const over = setting.run()
  store.asked[1]!.answer({ allowed: false, remaining: 0, resetMs: 7000 })
  t.equal(over.client.status, 429, 'and not whether the token was right')
  t.equal(over.client.header('www-authenticate'), null)
  t.same(over.client.headerValues('retry-after'), ['7'])
  t.equal(over.x.failure?.code, 'rate-limited')
  t.equal(over.finishCount(), 1)
})

t.test('a flood of bad tokens is limited, and each failure costs its penalty', async (t) => {
  const plain = open({ store: memory(), signIn: refuseSignIn })
  const statuses = (setting: ReturnType<typeof open>, count: number) =>
    Array.from({ length: count }, () => setting.run().client.status)
  t.same(statuses(plain, 7), [401, 401, 401, 401, 401, 429, 429])
  const dear = open({ store: memory(), signIn: refuseSignIn, early: { points: 30, penalties: { 401: 14 } } })
  t.same(statuses(dear, 4), [401, 401, 429, 429])
  let judged = 0
  const counting: Stage = (x) => {
    judged++
    return refuseSignIn(x)
  }
  statuses(open({ store: memory(), signIn: counting }), 100)
  t.equal(judged, 5, 'what is known to be over is not judged any more')
})

t.test('while an answer waits nothing else becomes of the exchange', async (t) => {
  for (const allowed of [true, false]) {
    const store = new SlowStore()
    const fake = open({ store, signIn: refuseSignIn }).run({ bodyLength: 10, headers: TYPE })
    fake.x.onBodyData(Buffer.from('{"a":'))
    fake.x.resume()
    fake.x.refuse('body-timeout')
    fake.x.onBodyData(Buffer.alloc(2000))
    fake.x.onBodyEnd()
    fake.x.resume()
    t.equal(fake.client.status, 0)
    t.equal(store.asked.length, 1)
    store.asked[0]!.answer({ allowed })
    t.equal(fake.client.status, allowed ? 401 : 429)
    t.equal(fake.client.headsSent, 1)
    t.equal(fake.finishCount(), 1)
  }
})

t.test('the client leaves while its answer waits', async (t) => {
  const store = new SlowStore()
  const fake = open({ store, signIn: refuseSignIn }).run()
  fake.x.onClientGone(new Failure('client-gone'))
  store.asked[0]!.answer({ allowed: false })
  t.equal(fake.client.headsSent, 0)
  t.equal(fake.finishCount(), 1)
  t.equal(store.asked.length, 1, 'counted once')
})

t.test('who leaves before anything is known is counted, and what the limits say of it is told', async (t) => {
  const store = new SlowStore()
  const setting = open({ store, signIn: () => WAIT })
  const fake = setting.run()
  t.equal(store.asked.length, 0)
  fake.x.onClientGone(new Failure('client-gone'))
  t.equal(fake.finishCount(), 1)
  t.same(store.asked[0]?.keys, ['192.0.2.10'])
  store.asked[0]!.answer({ allowed: false, resetMs: 9000 })
  t.same(setting.parts.told, [{ rule: 'address', kind: 'limited', waitMs: 9000 }])
})

t.test('counted before a hash, it is not counted again', async (t) => {
  const store = new SlowStore()
  const hashing: Stage = (x) => {
    x.owed!.settle(x, () => x.resume())
    return WAIT
  }
  const fake = open({ store, signIn: hashing }).run()
  store.asked[0]!.answer({})
  t.same(
    store.asked.map(({ keys }) => keys.length),
    [1, 1],
  )
  store.asked[1]!.answer({})
  t.equal(fake.client.status, 200)
  t.same(fake.client.headerValues('ratelimit-policy'), ['"address";q=5;w=60', '"late";q=5;w=60'])
})

t.test('by a field: one step when the body is there, none and no body for who is known to be over', async (t) => {
  const setting = open({ store: memory(), by: 'field user' })
  const post = { method: 'POST', headers: TYPE, bodyLength: 12 }
  for (let i = 0; i < 5; i++) {
    const fake = setting.run(post)
    t.equal(fake.client.bodyFlows, true)
    fake.x.onBodyData(Buffer.from('{"user":"a"}'))
    fake.x.onBodyEnd()
    t.equal(fake.client.status, 200)
  }
  const over = setting.run(post)
  t.equal(over.client.bodyFlows, false)
  t.equal(over.client.status, 429)
})

t.test('a body that never ends is counted when it is given up', async (t) => {
  const setting = open({ store: memory(), by: 'field user' })
  const statuses = Array.from({ length: 7 }, () => {
    const fake = setting.run({ method: 'POST', headers: TYPE, bodyLength: 12 })
    fake.x.refuse('body-timeout')
    return fake.client.status
  })
  t.same(statuses, [408, 408, 408, 408, 408, 429, 429])
})

t.test('a tarpit holds a 429 that took the place of another answer', async (t) => {
  const store = new SlowStore()
  const setting = open({ store, signIn: refuseSignIn, early: { tarpit: { delay: 1, max: 5 } } })
  const fake = setting.run()
  store.asked[0]!.answer({ allowed: false })
  t.equal(fake.client.status, 0)
  await until(() => fake.finishCount() === 1, 'the end of the wait')
  t.equal(fake.client.status, 429)
})

t.test('without its store: the policy speaks before the sign-in', async (t) => {
  for (const [onOutage, status] of [
    ['deny', 503],
    ['allow', 401],
    ['local', 401],
  ] as const) {
    const counting = makeCounting()
    const config = { ...STORE, redis: { url: 'redis://127.0.0.1:1', prefix: 'late', timeout: 50 } } as typeof STORE
    const store = makeStore(config, 'redis://127.0.0.1:1', counting.log, counting.metrics)
    let judged = 0
    const judging: Stage = (x) => {
      judged++
      return refuseSignIn(x)
    }
    const setting = open({ store, signIn: judging, early: { onOutage } })
    t.equal(setting.run().client.status, status)
    t.equal(judged, onOutage === 'deny' ? 0 : 1)
    await store.close()
  }
})
