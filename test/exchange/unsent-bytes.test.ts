import fc from 'fast-check'
import t from 'tap'
import { type Reader, UnsentBytes } from '../../src/exchange/unsent-bytes.ts'

class Client implements Reader {
  isCut = false
  cut(): void {
    this.isCut = true
  }
}

t.test('over the bound the one that took nothing for longest is cut', (t) => {
  const unsent = new UnsentBytes(100)
  const [first, second, third] = [new Client(), new Client(), new Client()] as const
  unsent.tell(first, 40, false)
  unsent.tell(second, 40, false)
  // It takes a little: now the second one took nothing for longest.
  unsent.tell(first, 30, true)
  unsent.tell(third, 40, false)
  t.same(
    [first, second, third].map((each) => each.isCut),
    [false, true, false],
  )
  t.equal(unsent.total, 70)
  t.end()
})

t.test('one alone over the bound is cut itself', (t) => {
  const unsent = new UnsentBytes(100)
  const client = new Client()
  unsent.tell(client, 101, true)
  t.equal(client.isCut, true)
  t.equal(unsent.total, 0)
  t.end()
})

t.test('whatever is told, the sum is that of those who wait, and never over the bound', (t) => {
  const step = fc.tuple(fc.nat({ max: 4 }), fc.nat({ max: 60 }), fc.boolean())
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const unsent = new UnsentBytes(100)
      const clients = Array.from({ length: 5 }, () => new Client())
      const held = new Map<Client, number>()
      for (const [who, bytes, tookAny] of steps) {
        const client = clients[who]!
        client.isCut = false
        held.set(client, bytes)
        unsent.tell(client, bytes, tookAny)
        for (const each of clients) if (each.isCut) held.set(each, 0)
        for (const each of clients) each.isCut = false
        const sum = [...held.values()].reduce((all, one) => all + one, 0)
        if (unsent.total !== sum || sum > 100) return false
      }
      return true
    }),
    { numRuns: 2000, seed: 11 },
  )
  t.pass()
  t.end()
})
