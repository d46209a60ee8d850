import fc from 'fast-check'
import t from 'tap'
import { type HandshakeBounds, HandshakeGate } from '../../src/listen/handshake-gate.ts'

const BOUNDS: HandshakeBounds = { max: 100, perAddress: 100, perSecond: 1000, perAddressPerMinute: 1000 }
const gateWith = (more: Partial<HandshakeBounds>) => new HandshakeGate({ ...BOUNDS, ...more }, 0)

/** How many of so many may begin at one moment. */
function begun(gate: HandshakeGate, key: string, tries: number, now: number, wasResumed: boolean | null): number {
  let count = 0
  for (let i = 0; i < tries; i++) {
    if (!gate.begin(key, now)) continue
    count++
    if (wasResumed !== null) gate.end(key, wasResumed)
  }
  return count
}

t.test('an address has so many under way, others have their own', (t) => {
  const gate = gateWith({ perAddress: 3 })
  t.equal(begun(gate, 'a', 10, 0, null), 3)
  t.equal(begun(gate, 'b', 10, 0, null), 3)
  gate.end('a', false)
  t.equal(begun(gate, 'a', 10, 0, null), 1)
  t.end()
})

t.test('all together have so many under way', (t) => {
  const gate = gateWith({ max: 4 })
  t.equal(begun(gate, 'a', 3, 0, null), 3)
  t.equal(begun(gate, 'b', 3, 0, null), 1)
  t.equal(gate.isFull, true)
  gate.end('a', false)
  t.equal(gate.isFull, false)
  t.end()
})

t.test('an address begins so many in a minute, and four times as many that resume', (t) => {
  for (const [wasResumed, most] of [
    [false, 10],
    [true, 40],
  ] as const) {
    const gate = gateWith({ perAddressPerMinute: 10 })
    t.equal(begun(gate, 'a', 100, 0, wasResumed), most)
    t.equal(begun(gate, 'b', 100, 0, wasResumed), most, 'another has its own')
    t.ok(begun(gate, 'a', 100, 6000, wasResumed) <= 4, 'a tenth comes back in a tenth of the time')
  }
  t.end()
})

t.test('all together begin so many in a second', (t) => {
  const gate = gateWith({ perSecond: 5 })
  let count = 0
  for (let i = 0; i < 20; i++) count += begun(gate, `address${i}`, 1, 0, false)
  t.equal(count, 5)
  t.equal(begun(gate, 'late', 1, 1000, false), 1)
  t.end()
})

t.test('other bounds hold from then on', (t) => {
  const gate = gateWith({ perAddressPerMinute: 2 })
  t.equal(begun(gate, 'a', 10, 0, false), 2)
  gate.change({ ...BOUNDS, perAddressPerMinute: 5 }, 0)
  t.equal(begun(gate, 'a', 10, 0, false), 5)
  t.end()
})

t.test('whatever begins and ends, no bound is passed and nothing is lost', (t) => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), begins: fc.boolean(), resumed: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const gate = gateWith({ max: 5, perAddress: 3 })
      const open = new Map<string, number>()
      let all = 0
      for (const { key, begins, resumed } of steps) {
        const held = open.get(key) ?? 0
        if (begins) {
          const may = held < 3 && all < 5
          if (gate.begin(key, 0) !== may) return false
          if (!may) continue
          open.set(key, held + 1)
          all++
        } else if (held > 0) {
          gate.end(key, resumed)
          open.set(key, held - 1)
          all--
        }
      }
      return gate.isFull === (all === 5)
    }),
    { numRuns: 1000, seed: 5 },
  )
  t.pass()
  t.end()
})
