/** The deadline tells a silent store from a busy process. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Deadline, DeadlineError } from '../../src/limits/deadline.ts'

/** Waits; resolves with the error that ended it. */
function waitOn(deadline: Deadline): { ended: Promise<Error>; waiting: { onGivenUp(error: Error): void } } {
  const { promise, resolve } = Promise.withResolvers<Error>()
  const waiting = { onGivenUp: resolve }
  deadline.add(waiting)
  return { ended: promise, waiting }
}
// The deadline's own timer does not keep the process alive; something else has to.
const awake = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(awake))

t.test('who was answered waits no more, and nothing stays behind', async (t) => {
  const deadline = new Deadline(10_000, () => t.fail('too early'))
  const { waiting } = waitOn(deadline)
  t.equal(deadline.size, 1)
  t.equal(deadline.remove(waiting), true)
  t.equal(deadline.size, 0)
  t.equal(deadline.remove(waiting), false, 'once')
  deadline.stop()
})

t.test('the first wait that is late ends all of them, once', async (t) => {
  let calls = 0
  const deadline = new Deadline(30, () => {
    calls++
    deadline.giveUp('late')
  })
  const waits = [1, 2, 3].map(() => waitOn(deadline))
  for (const { ended, waiting } of waits) {
    t.ok((await ended) instanceof DeadlineError)
    t.equal(deadline.remove(waiting), false, 'an answer would come too late')
  }
  t.equal(calls, 1)
  t.equal(deadline.size, 0)
})

t.test('a process that was held up does not blame the store', async (t) => {
  let calls = 0
  const deadline = new Deadline(40, () => calls++)
  const { waiting } = waitOn(deadline)
  const until = performance.now() + 120
  while (performance.now() < until) Math.sqrt(until)
  // The timer is due and late; the answer comes a moment later, as it would from a socket.
  await sleep(5)
  t.equal(deadline.remove(waiting), true, 'still in time')
  await sleep(60)
  t.equal(calls, 0)
  deadline.stop()
})

t.test('a process that is held up all the time notices in the end', async (t) => {
  const deadline = new Deadline(20, () => deadline.giveUp('late'))
  const busy = setInterval(() => {
    const until = performance.now() + 40
    while (performance.now() < until) Math.sqrt(until)
  }, 1)
  t.match(await waitOn(deadline).ended, { name: 'DeadlineError' })
  clearInterval(busy)
})
