/** Refused clients that wait: no more than so many, none after it left, and each place is given back. */
import t from 'tap'
import { Tarpit } from '../../src/limits/tarpit.ts'
import { fakeExchange } from '../kit/fake-client.ts'
import { until } from '../kit/wait.ts'

t.test('so many wait, further ones do not', async (t) => {
  const tarpit = new Tarpit(20, 2)
  const [a, b, c] = [fakeExchange(), fakeExchange(), fakeExchange()]
  const refuse = (each: ReturnType<typeof fakeExchange>) => () => each.x.refuse('rate-limited')
  t.equal(tarpit.hold(a.x, refuse(a)), true)
  t.equal(tarpit.hold(b.x, refuse(b)), true)
  t.equal(tarpit.hold(c.x, refuse(c)), false)
  t.equal(tarpit.waiting, 2)
  t.equal(a.client.status, 0)
  await until(() => a.client.status === 429 && b.client.status === 429, 'the refusals')
  t.equal(tarpit.waiting, 0)
  t.equal(tarpit.hold(c.x, refuse(c)), true)
})

t.test('who leaves gives the place back, and is not answered', async (t) => {
  const tarpit = new Tarpit(3_600_000, 1)
  const fake = fakeExchange()
  let released = 0
  fake.x.onRelease = () => released++
  tarpit.hold(fake.x, () => t.fail('was refused'))
  fake.x.finish()
  t.equal(tarpit.waiting, 0)
  t.equal(released, 1, 'what was held before is released too')
})
