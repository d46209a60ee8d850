/** What the budget of an HTTP/2 session takes and what it does not: floods end it, traffic does not. */
import t from 'tap'
import { FrameBudget } from '../../src/exchange/frame-budget.ts'

const start = performance.now()

t.test('a flood of control frames goes over, a few each second do not', async (t) => {
  const flooded = new FrameBudget()
  let taken = 0
  while (taken < 10_000 && flooded.takeControl()) taken++
  t.equal(taken, 200)
  const quiet = new FrameBudget()
  let isFine = true
  for (let second = 1; second <= 600; second++) {
    for (let i = 0; i < 10; i++) isFine &&= quiet.takeControl()
    isFine &&= quiet.settle(0, 0, start + second * 1000)
  }
  t.equal(isFine, true)
})

t.test('bytes that became nothing go over', async (t) => {
  const budget = new FrameBudget()
  t.equal(budget.settle(400_000, 0, start + 500), true, 'a burst is taken')
  t.equal(budget.settle(800_000, 0, start + 1000), false)
})

t.test('requests, uploads and downloads do not', async (t) => {
  const budget = new FrameBudget()
  let read = 0
  let written = 0
  let isFine = true
  for (let tick = 1; tick <= 1000; tick++) {
    for (let i = 0; i < 500; i++) {
      budget.onRequest(300)
      read += 340
    }
    // An upload in frames of 1 KB, and a download whose windows are returned every 8 KB, twice.
    budget.onData(1_000_000)
    read += 1_009_000
    written += 5_000_000
    read += (5_000_000 / 8192) * 26
    isFine &&= budget.settle(read, written, start + tick * 500)
  }
  t.equal(isFine, true)
})

t.test('time without traffic gives no more than one burst', async (t) => {
  const budget = new FrameBudget()
  t.equal(budget.settle(0, 0, start + 3_600_000), true)
  t.equal(budget.settle(600_000, 0, start + 3_600_500), false)
})
