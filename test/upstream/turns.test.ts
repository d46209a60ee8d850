import { setImmediate as turn } from 'node:timers/promises'
import t from 'tap'
import { takeTurn } from '../../src/upstream/turns.ts'

t.test('few go on at once, the others in later turns of the loop, in their order', async (t) => {
  const order: number[] = []
  for (let i = 0; i < 100; i++) takeTurn({ onTurn: () => order.push(i) })
  const atOnce = order.length
  t.ok(atOnce > 0 && atOnce <= 8, String(atOnce))
  let before = atOnce
  for (let turns = 0; order.length < 100; turns++) {
    t.ok(turns < 100, 'comes to an end')
    await turn()
    t.ok(order.length - before <= 16, `${order.length - before} in a turn`)
    before = order.length
  }
  t.same(
    order,
    Array.from({ length: 100 }, (_, i) => i),
  )
})

t.test('one that takes another turn from within its own waits behind those that came before', async (t) => {
  const order: string[] = []
  const first = {
    left: 20,
    onTurn() {
      order.push('first')
      if (--this.left > 0) takeTurn(this)
    },
  }
  takeTurn(first)
  takeTurn({ onTurn: () => order.push('second') })
  while (order.length < 21) await turn()
  t.ok(order.indexOf('second') <= 8, 'the second is not starved')
})

t.test('alone, it need not wait', async (t) => {
  await turn()
  await turn()
  let ran = false
  takeTurn({
    onTurn: () => {
      ran = true
    },
  })
  t.equal(ran, true)
})
