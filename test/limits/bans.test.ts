/** Bans that all processes share: known everywhere soon, through an outage, and after a Redis that forgot everything. */
import { Redis } from 'ioredis'
import t from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import { BanList, MAX_BANS } from '../../src/limits/ban-list.ts'
import { makeStore } from '../../src/limits/store.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'

const redis = await startRedis()
t.teardown(() => redis.kill())
t.beforeEach(() => redis.flush())

async function open(t: { teardown(fn: () => unknown): void }) {
  const counting = makeCounting()
  const config = { redis: { url: redis.url, prefix: 'bans', timeout: 1000 }, onOutage: 'local' } as StoreConfig
  const store = makeStore(config, redis.url, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  return { store, bans: store.bans, ...counting }
}

t.test('a ban of one process holds in the others, and so does a pardon', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  let changes = 0
  two.bans.onChange(() => changes++)
  const told = one.bans.ban('192.0.2.0/24', 60_000, 'a storm')
  t.ok(one.bans.list.has('192.0.2.0/24'), 'here at once')
  t.equal(await told, 'done')
  await until(() => two.bans.list.has('192.0.2.0/24'), 'the copy')
  t.equal(changes, 1)
  const ban = two.bans.list.get('192.0.2.0/24')!
  t.equal(ban.reason, 'a storm')
  t.ok(ban.until > Date.now() + 40_000 && ban.until <= Date.now() + 60_000)
  await one.bans.ban('user:7', 60_000, '')
  await until(() => two.bans.list.size === 2, 'the second')
  t.equal(await two.bans.unban('192.0.2.0/24'), 'done')
  await until(() => !one.bans.list.has('192.0.2.0/24'), 'the pardon')
  t.equal(await two.bans.unban('nobody'), 'done')
})

t.test('a process that starts later knows them; one that is over is gone', async (t) => {
  const one = await open(t)
  await one.bans.ban('long', 60_000, 'x')
  await one.bans.ban('short', 50, 'x')
  const left = await redis.command('PTTL bans:{bans}')
  t.ok(Number(left.slice(1)) > 0, 'the set itself expires')
  await new Promise((resolve) => setTimeout(resolve, 60))
  const two = await open(t)
  await until(() => two.bans.list.has('long'), 'the copy')
  t.equal(two.bans.list.has('short'), false)
})

t.test('an outage: in force here at once, elsewhere when Redis is back', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  await one.bans.ban('before', 60_000, '')
  await until(() => two.bans.list.has('before'), 'the copy')
  redis.pause()
  // Nobody asks for anything: the look for changes notices.
  await until(() => !one.store.isUp && !two.store.isUp, 'the outage')
  t.equal(await one.bans.ban('meanwhile', 60_000, ''), 'later')
  t.equal(await one.bans.unban('before'), 'later')
  t.same([...one.bans.list.keys()], ['meanwhile'])
  t.same([...two.bans.list.keys()], ['before'], 'what is known stays in force')
  redis.resume()
  await until(() => two.bans.list.has('meanwhile') && !two.bans.list.has('before'), 'the news')
  t.same([...one.bans.list.keys()], ['meanwhile'])
})

t.test('a Redis that was emptied, or comes back empty, is taught again', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  await one.bans.ban('kept', 60_000, 'why')
  await until(() => two.bans.list.has('kept'), 'the copy')
  await redis.flush()
  const three = await open(t)
  await until(() => three.bans.list.has('kept'), 'the lesson')
  t.equal(three.bans.list.get('kept')?.reason, 'why')
  await redis.restart()
  await until(() => [one, two, three].every(({ store }) => store.isUp), 'the recovery')
  const four = await open(t)
  await until(() => four.bans.list.has('kept'), 'the second lesson')
  t.ok([one, two, three].every(({ bans }) => bans.list.has('kept')))
})

t.test('a ban given to an emptied Redis does not stand for all', async (t) => {
  const [one, two] = [await open(t), await open(t)]
  await one.bans.ban('old', 60_000, '')
  await until(() => two.bans.list.has('old'), 'the copy')
  await redis.flush()
  await one.bans.ban('new', 60_000, '')
  const three = await open(t)
  await until(() => three.bans.list.size === 2 && two.bans.list.size === 2, 'both')
  t.same([...three.bans.list.keys()].sort(), ['new', 'old'])
})

t.test('as many as there may be are read page by page, and those that are over are left out', async (t) => {
  const client = new Redis(redis.url)
  t.teardown(() => client.disconnect())
  const pair = (i: number) => [`2001:db8:${i.toString(16)}::/64`, `${i % 2 === 0 ? Date.now() + 60_000 : 5} told why`]
  for (let i = 0; i < MAX_BANS; i += 1000) {
    await client.hset('bans:{bans}', ...Array.from({ length: 1000 }, (_, k) => pair(i + k)).flat())
  }
  const { store, bans, labels } = await open(t)
  t.match(await bans.ban('one more', 60_000, 'x'), /done|full/, 'some of those that are over make place')
  await until(() => bans.list.size >= MAX_BANS / 2, 'the copy')
  t.ok(bans.list.size <= MAX_BANS / 2 + 1)
  t.equal(bans.list.get('2001:db8:2::/64')?.reason, 'told why')
  t.equal(await bans.ban('another', 60_000, 'x'), 'done')
  t.equal(store.isUp, true)
  t.equal(labels('limit_store_total').get('outage') ?? 0, 0)
  t.ok(Number((await redis.command('HLEN bans:{bans}')).slice(1)) <= MAX_BANS / 2 + 2, 'gone there too')
})

t.test('bounded: what is over makes place, and nothing else does', async (t) => {
  const list = new BanList()
  const all = new Map(
    Array.from({ length: MAX_BANS }, (_, i) => [`s${i}`, { subject: `s${i}`, until: Date.now() + 60_000, reason: '' }]),
  )
  list.replace(all)
  t.equal(await list.ban('more', 1000, ''), 'full')
  t.equal(await list.ban('s5', 1000, ''), 'done', 'anew')
  all.set('s7', { subject: 's7', until: 1, reason: '' })
  list.replace(all)
  t.equal(await list.ban('more', 1000, 'x'.repeat(999)), 'done')
  t.equal(list.list.get('more')?.reason.length, 160)
  t.equal(await list.ban('x'.repeat(129), 1000, ''), 'full')
  t.equal(await list.ban('', 1000, ''), 'full')
})

t.test('without Redis they are those of this process', async (t) => {
  const counting = makeCounting()
  const store = makeStore({ onOutage: 'local' } as StoreConfig, null, counting.log, counting.metrics)
  t.equal(await store.bans.ban('a', 1000, 'x'), 'done')
  t.same([...store.bans.list.keys()], ['a'])
  t.equal(await store.bans.unban('a'), 'done')
  t.equal(store.bans.list.size, 0)
})
