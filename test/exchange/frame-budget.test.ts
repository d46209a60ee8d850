/** What the budget of an HTTP/2 session takes and what it does not: floods end it, traffic does not. */
import t from 'tap'
import { FrameBudget } from '../../src/exchange/frame-budget.ts'

const start = performance.now()
const HEAD = 16 * 1024

t.test('a flood of control frames goes over, a few each second do not', async (t) => {
  const flooded = new FrameBudget(HEAD)
  let taken = 0
  while (taken < 10_000 && flooded.takeControl()) taken++
  t.equal(taken, 200)
  const quiet = new FrameBudget(HEAD)
  let isFine = true
  for (let second = 1; second <= 600; second++) {
    for (let i = 0; i < 10; i++) isFine &&= quiet.takeControl()
    isFine &&= quiet.settle(0, 0, start + second * 1000)
  }
  t.equal(isFine, true)
})

t.test('bytes that became nothing go over', async (t) => {
  const budget = new FrameBudget(HEAD)
  budget.onRequest(300)
  t.equal(budget.settle(250_000, 0, start + 500), true, 'a burst is taken')
  t.equal(budget.settle(550_000, 0, start + 1000), false)
})

t.test('before the first request there is room for its head, and little more', async (t) => {
  for (const [head, taken] of [
    [HEAD, 40_000],
    [128 * 1024, 150_000],
    [256 * 1024, 280_000],
  ] as const) {
    for (const bytes of [taken, taken + 10_000]) {
      const budget = new FrameBudget(head)
      t.equal(budget.settle(bytes, 0, performance.now()), bytes === taken, `${bytes} bytes`)
    }
  }
})

t.test('requests that were taken back: so many at once, and some come back each second', async (t) => {
  const budget = new FrameBudget(HEAD)
  t.same([budget.mayTakeBack(15), budget.mayTakeBack(16)], [true, false], 'before there was any request')
  budget.onRequest(100)
  t.same([budget.mayTakeBack(50), budget.mayTakeBack(51)], [true, false])
  budget.onRequest(100)
  t.equal(budget.mayTakeBack(51), false, 'once')
  t.equal(budget.takeBack(50), true)
  t.equal(budget.mayTakeBack(1), false)
  budget.settle(0, 0, performance.now() + 1000)
  t.equal(budget.takeBack(15), true)
  t.equal(budget.takeBack(15), false)
})

t.test('requests, uploads and downloads do not', async (t) => {
  const budget = new FrameBudget(HEAD)
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
  const budget = new FrameBudget(HEAD)
  t.equal(budget.settle(0, 0, start + 3_600_000), true)
  t.equal(budget.settle(600_000, 0, start + 3_600_500), false)
})
