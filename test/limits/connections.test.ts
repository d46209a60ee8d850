/** Slots per address: bounded, given back, and forgotten at 0. */
import fc from 'fast-check'
import t from 'tap'
import { AddressCaps } from '../../src/exchange/address-caps.ts'

t.test('a key holds no more than its slots, and others have their own', async (t) => {
  const caps = new AddressCaps(2)
  t.equal(caps.take('a'), true)
  t.equal(caps.take('a'), true)
  t.equal(caps.take('a'), false)
  t.equal(caps.take('b'), true)
  caps.release('a')
  t.equal(caps.take('a'), true)
  t.equal(caps.held('a'), 2)
})

t.test('a key without slots leaves nothing behind, and a release too many changes nothing', async (t) => {
  const caps = new AddressCaps(2)
  for (let i = 0; i < 1000; i++) {
    caps.take(`key${i}`)
    caps.release(`key${i}`)
    caps.release(`key${i}`)
  }
  t.equal(caps.size, 0)
  caps.take('a')
  caps.release('b')
  t.equal(caps.held('a'), 1)
  t.equal(caps.held('b'), 0)
})

t.test('with no slots at all nothing is taken', async (t) => {
  const caps = new AddressCaps(0)
  t.equal(caps.take('a'), false)
  t.equal(caps.size, 0)
})

t.test('any order of takes and releases keeps the count of a plain model', async (t) => {
  const step = fc.record({ key: fc.constantFrom('a', 'b', 'c'), take: fc.boolean() })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), (steps, max) => {
      const caps = new AddressCaps(max)
      const model = new Map<string, number>()
      for (const { key, take } of steps) {
        const held = model.get(key) ?? 0
        if (take) {
          if (caps.take(key) !== held < max) return false
          if (held < max) model.set(key, held + 1)
        } else {
          caps.release(key)
          model.set(key, Math.max(0, held - 1))
        }
      }
      const open = [...model].filter(([, held]) => held > 0)
      return caps.size === open.length && open.every(([key, held]) => caps.held(key) === held)
    }),
    { seed: 7, numRuns: 300 },
  )
  t.pass('held')
})
