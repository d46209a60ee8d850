/** The deadline tells a silent store from a busy process. */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { Deadline, DeadlineError } from '../../src/limits/deadline.ts'

const NEVER = () => new Promise<never>(() => {})
// The deadline's own timer does not keep the process alive; something else has to.
const awake = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(awake))

t.test('answers and errors in time pass through, and nothing stays behind', async (t) => {
  const deadline = new Deadline(10_000, () => t.fail('too early'))
  t.equal(await deadline.watch(Promise.resolve(7)), 7)
  await t.rejects(deadline.watch(Promise.reject(new Error('no'))), { message: 'no' })
  t.equal(deadline.size, 0)
  deadline.stop()
})

t.test('the first wait that is late ends all of them, once', async (t) => {
  let calls = 0
  const deadline = new Deadline(30, () => {
    calls++
    deadline.rejectAll('late')
  })
  const waits = [1, 2, 3].map(() => deadline.watch(NEVER()))
  const ends = await Promise.allSettled(waits)
  for (const end of ends) t.ok(end.status === 'rejected' && end.reason instanceof DeadlineError)
  t.equal(calls, 1)
  t.equal(deadline.size, 0)
})

t.test('a process that was held up does not blame the store', async (t) => {
  let calls = 0
  const deadline = new Deadline(40, () => calls++)
  let answer: (value: string) => void = () => {}
  const wait = deadline.watch(new Promise<string>((resolve) => (answer = resolve)))
  const until = performance.now() + 120
  while (performance.now() < until) Math.sqrt(until)
  // The timer is due and late; the answer comes a moment later, as it would from a socket.
  setTimeout(() => answer('here'), 5)
  t.equal(await wait, 'here')
  await sleep(60)
  t.equal(calls, 0)
  deadline.stop()
})

t.test('a process that is held up all the time notices in the end', async (t) => {
  const deadline = new Deadline(20, () => deadline.rejectAll('late'))
  const busy = setInterval(() => {
    const until = performance.now() + 40
    while (performance.now() < until) Math.sqrt(until)
  }, 1)
  await t.rejects(deadline.watch(NEVER()), { name: 'DeadlineError' })
  clearInterval(busy)
})
