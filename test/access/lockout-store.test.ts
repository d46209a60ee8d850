import t from 'tap'
import { type Lockout, makeLockout } from '../../src/access/lockout.ts'
import { configuration, type StoreConfig } from '../../src/config/shape.ts'
import { type LimitStore, makeStore } from '../../src/limits/store.ts'
import { startRedis } from '../kit/redis.ts'

const MINUTE = 60_000
const metrics = { count() {} }

function storeConfig(url: string | null): StoreConfig {
  const store = url === null ? {} : { redis: { url, timeout: '2 seconds' } }
  const parsed = configuration.parse({ listeners: {}, services: {}, routes: [], limits: { store } })
  return parsed.limits.store
}

function makeNode(store: LimitStore): Lockout {
  return makeLockout({ store, lockAfter: 4, lockForMs: 30 * MINUTE, lockAddressAfter: 8 })
}

async function fail(node: Lockout, account: string, address: string): Promise<number> {
  const begun = await node.begin(account, address)
  return typeof begun === 'number' ? -begun : begun.onFailure()
}

async function succeed(node: Lockout, account: string, address: string): Promise<boolean> {
  const begun = await node.begin(account, address)
  if (typeof begun === 'number') return false
  await begun.onSuccess()
  return true
}

async function behaves(t: Tap, one: Lockout, two: Lockout): Promise<void> {
  for (const node of [one, two, one]) t.equal(await fail(node, 'ada', 'a1'), 0)
  t.equal(await succeed(two, 'ada', 'a1'), true)
  for (const node of [two, one, two]) t.equal(await fail(node, 'ada', 'a1'), 0, 'success began a new count')
  t.equal(await fail(one, 'ada', 'a2'), 30 * MINUTE)
  for (const node of [one, two]) {
    const left = await node.lockedForMs('ada', 'a3')
    t.ok(left > 25 * MINUTE && left <= 30 * MINUTE, `locked on every node: ${left}`)
    t.equal(await succeed(node, 'ada', 'a3'), false, 'also with the right password')
    t.equal(await node.lockedForMs('bob', 'a3'), 0)
  }
  const many = await Promise.all(Array.from({ length: 40 }, (_, i) => (i % 2 === 0 ? one : two).begin('eve', `b${i}`)))
  t.equal(many.filter((each) => typeof each !== 'number').length, 4, 'many at once do not outrun the count')

  for (let i = 0; i < 7; i++) t.equal(await fail(i % 2 === 0 ? one : two, `user${i}`, 'c1'), 0)
  t.equal(await fail(one, 'user8', 'c1'), 30 * MINUTE, 'the address')
  t.equal(await succeed(two, 'bob', 'c1'), false)
  t.equal(await succeed(two, 'bob', 'c2'), true)
}

type Tap = Pick<typeof t, 'equal' | 'ok'>

t.test('lockout on the store in memory, also after a reload made it anew', async (t) => {
  const store = makeStore(storeConfig(null), null, () => {}, metrics)
  await behaves(t, makeNode(store), makeNode(store))
  t.ok((await makeNode(store).lockedForMs('ada', 'z')) > 0)
  await store.close()
})

t.test('lockout on Redis, shared by two nodes, and there for a third that starts later', async (t) => {
  const redis = await startRedis()
  const stores: LimitStore[] = []
  const node = async () => {
    const store = makeStore(storeConfig(redis.url), redis.url, () => {}, metrics)
    stores.push(store)
    await store.whenSettled()
    t.equal(store.isUp, true)
    return makeNode(store)
  }
  t.teardown(async () => {
    for (const store of stores) await store.close()
    await redis.kill()
  })
  await behaves(t, await node(), await node())
  t.ok((await (await node()).lockedForMs('ada', 'z')) > 25 * MINUTE)
})

t.test('without Redis this process counts alone, and locks all the same', async (t) => {
  const redis = await startRedis()
  const store = makeStore(storeConfig(redis.url), redis.url, () => {}, metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  await redis.kill()
  const node = makeNode(store)
  const results: number[] = []
  for (let i = 0; i < 6; i++) results.push(await fail(node, 'ada', 'a1'))
  t.ok(
    results.some((each) => each === 30 * MINUTE),
    String(results),
  )
  t.equal(await succeed(node, 'ada', 'a1'), false)
})
