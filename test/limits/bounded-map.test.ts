/** The bounded map: a map for those keys that are in use. */
import fc from 'fast-check'
import t from 'tap'
import { BoundedMap } from '../../src/limits/bounded-map.ts'

t.test('holds, replaces and forgets', async (t) => {
  const map = new BoundedMap<number>(4)
  map.set('a', 1)
  map.set('b', 2)
  map.set('a', 3)
  t.equal(map.get('a'), 3)
  t.equal(map.get('b'), 2)
  map.delete('a')
  t.equal(map.get('a'), undefined)
  t.same([...map.entries()], [['b', 2]])
  map.clear()
  t.equal(map.size, 0)
})

t.test('never grows over its bound, never tells an old value, and tells when it forgets', async (t) => {
  const step = fc.record({ key: fc.nat(30), op: fc.constantFrom('set', 'get', 'delete') })
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), fc.integer({ min: 2, max: 12 }), (steps, max) => {
      let drops = 0
      const map = new BoundedMap<number>(max, () => drops++)
      const model = new Map<string, number>()
      let value = 0
      for (const { key, op } of steps) {
        const name = String(key)
        if (op === 'set') {
          map.set(name, ++value)
          model.set(name, value)
        } else if (op === 'delete') {
          map.delete(name)
          model.delete(name)
        } else {
          const got = map.get(name)
          if (got === undefined ? model.has(name) && drops === 0 : got !== model.get(name)) return false
        }
        if (map.size > max) return false
        for (const [each, held] of map.entries()) if (model.get(each) !== held) return false
      }
      return true
    }),
    { seed: 3, numRuns: 500 },
  )
  t.pass('held')
})
