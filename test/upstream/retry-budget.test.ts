/** Further tries are a part of the requests, and a few beside: never more, whatever fails. */
import fc from 'fast-check'
import t from 'tap'
import { RetryBudget } from '../../src/upstream/retry-budget.ts'

t.test('the allowance per second, and a part of the requests', async (t) => {
  const budget = new RetryBudget(20, 2, 0)
  t.same([budget.take(0), budget.take(0), budget.take(0)], [true, true, false])
  for (let i = 0; i < 10; i++) budget.earn()
  t.same([budget.take(0), budget.take(0)].includes(true), true)
  t.equal(budget.take(0), false)
  t.equal(budget.take(500), true, 'one of two per second')
  t.equal(budget.take(500), false)
})

t.test('nothing is allowed where nothing is set', async (t) => {
  const budget = new RetryBudget(0, 0, 0)
  for (let i = 0; i < 1000; i++) budget.earn()
  t.equal(budget.take(1e9), false)
})

t.test('over any time it keeps its bound', async () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 100 }),
      fc.integer({ min: 0, max: 20 }),
      fc.array(fc.tuple(fc.boolean(), fc.integer({ min: 0, max: 300 }))),
      (percent, perSecond, steps) => {
        const budget = new RetryBudget(percent, perSecond, 0)
        let now = 0
        let requests = 0
        let taken = 0
        for (const [isRequest, ms] of steps) {
          now += ms
          if (isRequest) {
            requests++
            budget.earn()
          } else if (budget.take(now)) taken++
        }
        return taken <= (requests * percent) / 100 + perSecond * (1 + now / 1000) + 1e-6
      },
    ),
    { seed: 8 },
  )
})
