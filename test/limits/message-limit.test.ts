/** Single messages in the store of limits: who is counted together, in which order, and what a broken store means. */
import t from 'tap'
import type { Counter } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { Limiter } from '../../src/limits/limiter.ts'
import { MemoryCounter } from '../../src/limits/memory-counter.ts'
import { makeMessageLimit } from '../../src/limits/message-limit.ts'
import { windowRule } from '../../src/limits/window.ts'

const counts: string[] = []
const metrics = { count: (name: string, label: string) => void counts.push(`${name} ${label}`) }
const from = (clientKey: string) => ({ clientKey }) as Exchange
const rule = (points: number) => windowRule({ name: 'x', points, windowMs: 3_600_000, blockMs: 0, onOutage: 'local' })
const inMemory = (points: number) =>
  new Limiter('x', points, 3_600_000, 'local', new MemoryCounter(rule(points), false))
/** Answers later, as Redis does. */
function later(points: number): Limiter {
  const memory = new MemoryCounter(rule(points), false)
  const counter: Counter = {
    add: async (key, added) => memory.addNow(key, added),
    get: (key) => memory.get(key),
    block: (key, ms) => memory.block(key, ms),
    clear: (key) => memory.clear(key),
  }
  return new Limiter('x', points, 3_600_000, 'local', counter)
}
const never = () => {
  throw new Error('was asked to answer later')
}

t.test('without limits there is nothing to ask', (t) => {
  t.equal(makeMessageLimit([], metrics), null)
  t.end()
})

t.test('by address, and by address and event', (t) => {
  const limit = makeMessageLimit([{ limiter: inMemory(2), byEvent: false }], metrics)!
  t.same(
    ['a', 'b', 'a'].map((event) => limit.ask(from('1'), event, never)),
    [true, true, false],
  )
  t.equal(limit.ask(from('2'), 'a', never), true)
  const byEvent = makeMessageLimit([{ limiter: inMemory(1), byEvent: true }], metrics)!
  t.same(
    ['a', 'b', 'a', 'b'].map((event) => byEvent.ask(from('1'), event, never)),
    [true, true, false, false],
  )
  t.equal(byEvent.ask(from('2'), 'a', never), true)
  t.ok(counts.includes('limit_decisions_total message-allowed'))
  t.ok(counts.includes('limit_decisions_total message-limited'))
  t.end()
})

t.test('what the first limit refuses does not use up the second', (t) => {
  const second = inMemory(2)
  const limit = makeMessageLimit(
    [
      { limiter: inMemory(1), byEvent: false },
      { limiter: second, byEvent: false },
    ],
    metrics,
  )!
  t.same(
    [1, 2, 3].map(() => limit.ask(from('1'), 'a', never)),
    [true, false, false],
  )
  t.equal(second.addNow('1')!.allowed, true)
  t.equal(second.addNow('1')!.allowed, false)
  t.end()
})

t.test('a store that answers later', async (t) => {
  const limit = makeMessageLimit(
    [
      { limiter: inMemory(9), byEvent: false },
      { limiter: later(1), byEvent: true },
    ],
    metrics,
  )!
  const ask = (event: string) =>
    new Promise<boolean>((resolve) => {
      t.equal(limit.ask(from('1'), event, resolve), null)
    })
  t.same([await ask('a'), await ask('a'), await ask('b')], [true, false, true])
})

t.test('a counter that rejects lets nothing through', async (t) => {
  const broken = { add: () => Promise.reject(new Error('broken')) } as unknown as Counter
  const limit = makeMessageLimit([{ limiter: new Limiter('x', 1, 1000, 'local', broken), byEvent: false }], metrics)!
  t.equal(await new Promise((resolve) => limit.ask(from('1'), 'a', resolve)), false)
})
