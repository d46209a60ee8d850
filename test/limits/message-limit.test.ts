/** Single messages in the store of limits: who is counted together, in which order, and what a broken store means. */
import t from 'tap'
import type { Claim, ClaimWaiter } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { Limiter } from '../../src/limits/limiter.ts'
import { MemoryStore } from '../../src/limits/memory-store.ts'
import { makeMessageLimit } from '../../src/limits/message-limit.ts'

const counts: string[] = []
const metrics = { count: (name: string, label: string) => void counts.push(`${name} ${label}`) }
const from = (clientKey: string) => ({ clientKey }) as Exchange
/** A limit of its own in the store. */
function limiter(store: MemoryStore, name: string, points: number): Limiter {
  const counter = store.counter({ name, points, windowMs: 3_600_000, blocks: [], onOutage: 'local' })
  return new Limiter(name, points, 3_600_000, 'local', counter)
}
/** Answers later, as Redis does. */
class LateStore extends MemoryStore {
  override claim(claims: readonly Claim[], waiter?: ClaimWaiter): never {
    const states = super.claim(claims)
    setImmediate(() => waiter!.onStates(states))
    return null as never
  }
}
const never = () => {
  throw new Error('was asked to answer later')
}

t.test('without limits there is nothing to ask', (t) => {
  t.equal(makeMessageLimit([], new MemoryStore(metrics), metrics), null)
  t.end()
})

t.test('by address, and by address and event', (t) => {
  const store = new MemoryStore(metrics)
  const limit = makeMessageLimit([{ limiter: limiter(store, 'a', 2), byEvent: false }], store, metrics)!
  t.same(
    ['a', 'b', 'a'].map((event) => limit.ask(from('1'), event, never)),
    [true, true, false],
  )
  t.equal(limit.ask(from('2'), 'a', never), true)
  const byEvent = makeMessageLimit([{ limiter: limiter(store, 'b', 1), byEvent: true }], store, metrics)!
  t.same(
    ['a', 'b', 'a', 'b'].map((event) => byEvent.ask(from('1'), event, never)),
    [true, true, false, false],
  )
  t.equal(byEvent.ask(from('2'), 'a', never), true)
  t.ok(counts.includes('limit_decisions_total message-allowed'))
  t.ok(counts.includes('limit_decisions_total message-limited'))
  t.end()
})

t.test('what one limit refuses uses up no other, whatever their order', (t) => {
  for (const isFirst of [true, false]) {
    const store = new MemoryStore(metrics)
    const narrow = { limiter: limiter(store, 'narrow', 1), byEvent: false }
    const wide = { limiter: limiter(store, 'wide', 2), byEvent: false }
    const limit = makeMessageLimit(isFirst ? [narrow, wide] : [wide, narrow], store, metrics)!
    t.same(
      [1, 2, 3].map(() => limit.ask(from('1'), 'a', never)),
      [true, false, false],
    )
    const alone = makeMessageLimit([wide], store, metrics)!
    t.same(
      [1, 2].map(() => alone.ask(from('1'), 'a', never)),
      [true, false],
    )
  }
  t.end()
})

t.test('a store that answers later', async (t) => {
  const store = new LateStore(metrics)
  const limit = makeMessageLimit(
    [
      { limiter: limiter(store, 'a', 9), byEvent: false },
      { limiter: limiter(store, 'b', 1), byEvent: true },
    ],
    store,
    metrics,
  )!
  const ask = (event: string) =>
    new Promise<boolean>((resolve) => {
      t.equal(limit.ask(from('1'), event, resolve), null)
    })
  t.same([await ask('a'), await ask('a'), await ask('b')], [true, false, true])
})
