/** Single messages in the store of limits: who is counted together, in which order, and what a broken store means. */
import t from 'tap'
import type { Claim, ClaimWaiter } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { MemoryStore } from '../../src/limits/memory-store.ts'
import { makeMessageLimit } from '../../src/limits/message-limit.ts'
import type { Rule } from '../../src/limits/rule.ts'
import { admitParts, limit, rule } from './rules.ts'

const counts: string[] = []
const metrics = { count: (name: string, label: string) => void counts.push(`${name} ${label}`) }
const from = (clientKey: string) => ({ clientKey }) as Exchange
const byAddress = (store: MemoryStore, name: string, points: number) => rule(name, limit(points), store)
const byEvent = (store: MemoryStore, name: string, points: number) =>
  rule(name, limit(points, { by: ['address', 'event'] }), store)
const makeLimit = (rules: Rule[], store: MemoryStore) => makeMessageLimit(rules, admitParts(store, metrics))!
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
  t.equal(makeMessageLimit([], admitParts(new MemoryStore(metrics), metrics)), null)
  t.end()
})

t.test('by address, and by address and event', (t) => {
  const store = new MemoryStore(metrics)
  const messages = makeLimit([byAddress(store, 'a', 2)], store)
  t.same(
    ['a', 'b', 'a'].map((event) => messages.ask(from('1'), event, never)),
    [true, true, false],
  )
  t.equal(messages.ask(from('2'), 'a', never), true)
  const events = makeLimit([byEvent(store, 'b', 1)], store)
  t.same(
    ['a', 'b', 'a', 'b'].map((event) => events.ask(from('1'), event, never)),
    [true, true, false, false],
  )
  t.equal(events.ask(from('2'), 'a', never), true)
  t.ok(counts.includes('limit_decisions_total message-allowed'))
  t.ok(counts.includes('limit_decisions_total message-limited'))
  t.end()
})

t.test('what one limit refuses uses up no other, whatever their order', (t) => {
  for (const isFirst of [true, false]) {
    const store = new MemoryStore(metrics)
    const narrow = byAddress(store, 'narrow', 1)
    const wide = byAddress(store, 'wide', 2)
    const messages = makeLimit(isFirst ? [narrow, wide] : [wide, narrow], store)
    t.same(
      [1, 2, 3].map(() => messages.ask(from('1'), 'a', never)),
      [true, false, false],
    )
    const alone = makeLimit([wide], store)
    t.same(
      [1, 2].map(() => alone.ask(from('1'), 'a', never)),
      [true, false],
    )
  }
  t.end()
})

t.test('a store that answers later', async (t) => {
  const store = new LateStore(metrics)
  const messages = makeLimit([byAddress(store, 'a', 9), byEvent(store, 'b', 1)], store)
  const ask = (event: string) =>
    new Promise<boolean>((resolve) => {
      t.equal(messages.ask(from('1'), event, resolve), null)
    })
  t.same([await ask('a'), await ask('a'), await ask('b')], [true, false, true])
})

t.test('an exempt client and a dry rule lose no message', (t) => {
  const store = new MemoryStore(metrics)
  const parts = admitParts(store, metrics)
  const exempt = rule('exempt', limit(1, { exempt: ['192.0.2.1'] }), store)
  const dry = rule('dry', limit(1, { dryRun: true }), store)
  const messages = makeMessageLimit([exempt, dry], parts)!
  const x = { clientKey: '192.0.2.1', clientAddress: '192.0.2.1' } as Exchange
  t.same(
    [1, 2, 3].map(() => messages.ask(x, 'a', never)),
    [true, true, true],
  )
  t.same(
    parts.told.map(({ rule: name }) => name),
    ['dry', 'dry'],
  )
  t.end()
})
