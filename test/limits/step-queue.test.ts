/** What becomes of requests between their claim and the call that carries it, when Redis goes away just then. */
import t from 'tap'
import type { ClaimStates } from '../../src/exchange/contracts.ts'
import { RedisCounter } from '../../src/limits/redis-counter.ts'
import type { OnReply } from '../../src/limits/script-call.ts'
import { type StepLink, StepQueue } from '../../src/limits/step-queue.ts'
import { windowRule } from '../../src/limits/window.ts'
import { makeCounting } from './counting.ts'

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const rule = windowRule({ name: 'a', points: 5, windowMs: 60_000, blocks: [], onOutage: 'allow' })

function open(isCluster = false) {
  const counting = makeCounting()
  const replies: OnReply[] = []
  const link = {
    isUp: true,
    call: (_whom: string, _script: unknown, _keys: unknown, _args: unknown, onReply: OnReply) =>
      void replies.push(onReply),
    onFailed() {},
  }
  const queue = new StepQueue(link as unknown as StepLink, isCluster, counting.metrics)
  const counter = new RedisCounter(null as never, 'a', rule, 'allow', counting.metrics)
  const told: ClaimStates[] = []
  const ask = (...keys: string[]) =>
    queue.claim(
      keys.map((key) => ({ counter, key, points: 1, own: null })),
      { onStates: (states) => void told.push(states) },
      (claims) => claims.map(({ key }) => counter.degraded(key, 1, true)),
    )
  return { link, queue, counter, replies, told, ask, events: () => counting.labels('limit_store_total') }
}

t.test('who is not sent yet when the store goes away is not sent after it', async (t) => {
  const { link, queue, counter, replies, told, ask } = open()
  ask('x')
  ask('y')
  const written = queue.write(counter, 'z', '0x')
  link.isUp = false
  await turn()
  t.equal(replies.length, 0)
  t.equal(await written, false)
  t.same(
    told.map(([state]) => state?.degraded),
    [true, true],
  )
})

t.test('each request that waited in vain is counted once, however many calls it had', async (t) => {
  const { replies, told, ask, events } = open(true)
  ask('x', 'y')
  ask('x')
  await turn()
  t.equal(replies.length, 2, 'one call for each key')
  for (const reply of replies) reply(new Error('gone'), null)
  t.equal(told.length, 2)
  t.equal(events().get('gave-up'), 2)
})
