/** Values that all processes share: written whole, swapped in one step, over when their time has come, and never waited for. */
import t from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import { MAX_SHARED_VALUE, type SharedValues } from '../../src/exchange/shared-values.ts'
import { makeStore } from '../../src/limits/store.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'

const redis = await startRedis()
t.teardown(() => redis.kill())
t.beforeEach(() => redis.flush())

type Test = typeof t

async function open(t: Pick<Test, 'teardown'>, url: string | null = redis.url) {
  const counting = makeCounting()
  const config = (
    url === null ? { onOutage: 'local' } : { redis: { url, prefix: 'values', timeout: 1000 }, onOutage: 'local' }
  ) as StoreConfig
  const store = makeStore(config, url, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  return { store, values: store.values }
}

const LONG_MS = 60_000

/** What holds wherever they are kept: `one` and `two` are two processes, or one where there is no Redis. */
async function holds(t: Pick<Test, 'equal' | 'rejects'>, one: SharedValues, two: SharedValues): Promise<void> {
  t.equal(await one.get('a'), null)
  t.equal(await one.put('a', 'x = ü', LONG_MS), true)
  t.equal(await two.get('a'), 'x = ü')

  t.equal(await one.swap('lock', null, 'one', LONG_MS), 'done', 'taken')
  t.equal(await two.swap('lock', null, 'two', LONG_MS), 'differs', 'it is taken')
  t.equal(await two.swap('lock', 'two', 'two', LONG_MS), 'differs', 'nobody renews that of another')
  t.equal(await two.swap('lock', 'two', null, 0), 'differs', 'nor gives it back')
  t.equal(await one.swap('lock', 'one', 'one', LONG_MS), 'done', 'renewed')
  t.equal(await one.swap('lock', 'one', null, 0), 'done', 'given back')
  t.equal(await two.swap('lock', null, 'two', LONG_MS), 'done')

  t.equal(await one.swap('a', 'x = ü', 'next', LONG_MS), 'done')
  t.equal(await two.swap('a', 'x = ü', 'other', LONG_MS), 'differs')
  t.equal(await two.get('a'), 'next')
  t.equal(await two.swap('a', '-', 'other', LONG_MS), 'differs', 'the sign for nothing is a value like others')
  t.equal(await one.put('empty', '', LONG_MS), true)
  t.equal(await two.get('empty'), '', 'an empty value is one')
  t.equal(await two.swap('empty', null, 'y', LONG_MS), 'differs')

  t.equal(await one.put('short', 'x', 1), true)
  await until(async () => (await two.get('short')) === null, 'its end')
  t.equal(await two.swap('short', null, 'y', LONG_MS), 'done')

  const large = 'x'.repeat(MAX_SHARED_VALUE)
  t.equal(await one.put('large', large, LONG_MS), true)
  t.equal((await two.get('large'))?.length, MAX_SHARED_VALUE)
  t.equal(await one.put('large', `${large}x`, LONG_MS), false)
  t.equal(await one.swap('none', null, `${large}x`, LONG_MS), 'failed')
  t.equal(await one.get('none'), null)
  await t.rejects(one.get('a b'), TypeError)
  await t.rejects(one.put('', 'x', LONG_MS), TypeError)
}

t.test('through Redis', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  await holds(t, one.values, two.values)
  t.match(await redis.command('PTTL values:value:lock'), /^:[1-9]/, 'a lock ends by itself')
})

t.test('in memory', async (t) => {
  const { values } = await open(t, null)
  await holds(t, values, values)
})

t.test('of many who take a lock at once, one has it', async (t) => {
  const stores = await Promise.all(Array.from({ length: 5 }, () => open(t)))
  const outcomes = await Promise.all(
    Array.from({ length: 50 }, (_, i) => stores[i % 5]!.values.swap('race', null, `owner-${i}`, LONG_MS)),
  )
  t.equal(outcomes.filter((outcome) => outcome === 'done').length, 1)
  t.equal(outcomes.filter((outcome) => outcome === 'differs').length, 49)
})

t.test('an outage: failure at once, and what was there when it is over', async (t) => {
  const { store, values } = await open(t)
  await values.put('kept', 'x', LONG_MS)
  redis.pause()
  t.equal(await values.get('kept'), undefined, 'the first one waits for the deadline')
  t.equal(values.isUp, false)
  t.equal(await values.get('kept'), undefined)
  t.equal(await values.swap('kept', 'x', 'y', LONG_MS), 'failed')
  t.equal(await values.put('kept', 'y', LONG_MS), false)
  redis.resume()
  await until(() => store.isUp, 'the recovery')
  t.equal(await values.get('kept'), 'x')
})

t.test('memory is bounded, and what is over makes room', async (t) => {
  const { values } = await open(t, null)
  for (let i = 0; i < 10_000; i++) await values.put(`k${i}`, 'x', i < 10 ? 1 : LONG_MS)
  await until(async () => (await values.get('k9')) === null, 'the end of ten')
  t.equal(await values.put('new', 'x', LONG_MS), true)
  for (let i = 0; i < 9; i++) t.equal(await values.put(`more${i}`, 'x', LONG_MS), true)
  t.equal(await values.put('beyond', 'x', LONG_MS), false)
  t.equal(await values.put('new', 'y', LONG_MS), true, 'what is there can still be replaced')
})
