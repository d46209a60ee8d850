/** The deadline tells a silent store from a busy process. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Deadline, DeadlineError, Waiting } from '../../src/limits/deadline.ts'

class Patient extends Waiting {
  readonly onGivenUp: (error: Error) => void
  constructor(onGivenUp: (error: Error) => void) {
    super()
    this.onGivenUp = onGivenUp
  }
}

/** Waits; resolves with the error that ended it. */
function waitOn(deadline: Deadline): { ended: Promise<Error>; waiting: Waiting } {
  const { promise, resolve } = Promise.withResolvers<Error>()
  const waiting = new Patient(resolve)
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

t.test('they may end in any order, and all that wait are given up in the order of their start', async (t) => {
  for (const order of [[0, 1, 2, 3], [3, 2, 1, 0], [1, 3, 0, 2], [2], [0, 3], []]) {
    const deadline = new Deadline(10_000, () => t.fail('too early'))
    const given: number[] = []
    const all = [0, 1, 2, 3].map((i) => new Patient(() => given.push(i)))
    for (const each of all) deadline.add(each)
    for (const i of order) t.ok(deadline.remove(all[i]!))
    t.equal(deadline.size, 4 - order.length)
    deadline.giveUp('now')
    t.same(
      given,
      [0, 1, 2, 3].filter((i) => !order.includes(i)),
    )
    t.equal(deadline.size, 0)
    for (const each of all) t.notOk(deadline.remove(each))
    deadline.stop()
  }
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
