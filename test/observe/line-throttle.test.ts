/** A line that clients can cause: a few are said, the rest is counted. */
import t from 'tap'
import { LineThrottle } from '../../src/observe/line-throttle.ts'
import { until } from '../kit/wait.ts'

t.test('so many in a window, and then their count', async (t) => {
  const counts: number[] = []
  const throttle = new LineThrottle(3, 20, (count) => counts.push(count))
  const said = (now: number, times: number): number =>
    Array.from({ length: times }, () => throttle.take(now)).filter((each) => each).length
  t.equal(said(1000, 100), 3)
  t.equal(said(1019, 50), 0, 'the window is not over')
  await until(() => counts.length === 1, 'the count')
  t.same(counts, [147])
  t.equal(said(1020, 2), 2)
  t.equal(said(1039, 1), 1)
  t.equal(said(1040, 4), 3, 'the next window')
  await until(() => counts.length === 2, 'the next count')
  t.same(counts, [147, 1])
})

t.test('where nothing is held back, nothing is told', async (t) => {
  let told = 0
  const throttle = new LineThrottle(3, 1, () => told++)
  for (let now = 0; now < 100; now += 1) t.equal(throttle.take(now), true)
  await new Promise((done) => setTimeout(done, 20))
  t.equal(told, 0)
})
