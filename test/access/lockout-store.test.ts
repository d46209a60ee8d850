import t from 'tap'
import { isRefusal, type Lockout, makeLockout } from '../../src/access/lockout.ts'
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

function makeNode(store: LimitStore, knownForMs = 0): Lockout {
  const key = Buffer.alloc(32, 7)
  return makeLockout({ store, key: () => key, lockAfter: 4, lockForMs: 30 * MINUTE, knownForMs, lockAddressAfter: 8 })
}

async function fail(node: Lockout, account: string, address: string): Promise<number> {
  const begun = await node.begin({ name: account, revision: 1, address })
  return isRefusal(begun) ? -begun.waitMs : ((await begun.onFailure())?.waitMs ?? 0)
}

async function succeed(node: Lockout, account: string, address: string): Promise<boolean> {
  const begun = await node.begin({ name: account, revision: 1, address })
  if (isRefusal(begun)) return false
  await begun.onSuccess()
  return true
}

async function lockedMs(node: Lockout, account: string, address: string): Promise<number> {
  return (await node.look({ name: account, revision: 1, address }))?.waitMs ?? 0
}

async function behaves(t: Tap, one: Lockout, two: Lockout): Promise<void> {
  for (const node of [one, two, one]) t.equal(await fail(node, 'ada', 'a1'), 0)
  t.equal(await succeed(two, 'ada', 'a1'), true)
  for (const node of [two, one, two]) t.equal(await fail(node, 'ada', 'a1'), 0, 'success began a new count')
  t.equal(await fail(one, 'ada', 'a2'), 30 * MINUTE)
  for (const node of [one, two]) {
    const left = await lockedMs(node, 'ada', 'a3')
    t.ok(left > 25 * MINUTE && left <= 30 * MINUTE, `locked on every node: ${left}`)
    t.equal(await succeed(node, 'ada', 'a3'), false, 'also with the right password')
    t.equal(await lockedMs(node, 'bob', 'a3'), 0)
  }
  const many = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      (i % 2 === 0 ? one : two).begin({ name: 'eve', revision: 1, address: `b${i}` }),
    ),
  )
  t.equal(many.filter((each) => !isRefusal(each)).length, 4, 'many at once do not outrun the count')

  for (let i = 0; i < 7; i++) t.equal(await fail(i % 2 === 0 ? one : two, `user${i}`, 'c1'), 0)
  t.equal(await fail(one, 'user8', 'c1'), 30 * MINUTE, 'the address')
  t.equal(await succeed(two, 'bob', 'c1'), false)
  t.equal(await succeed(two, 'bob', 'c2'), true)
}

type Tap = Pick<typeof t, 'equal' | 'ok'>

t.test('lockout on the store in memory, also after a reload made it anew', async (t) => {
  const store = makeStore(storeConfig(null), null, () => {}, metrics)
  await behaves(t, makeNode(store), makeNode(store))
  t.ok((await lockedMs(makeNode(store), 'ada', 'z')) > 0)
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
  const [one, two] = [makeNode(stores[0]!, 60 * MINUTE), makeNode(stores[1]!, 60 * MINUTE)]
  t.equal(await succeed(one, 'joan', 'home'), true)
  for (let i = 0; i < 5; i++) await fail(two, 'joan', `bot${i}`)
  t.equal(await succeed(one, 'joan', 'elsewhere'), false)
  t.equal(await succeed(two, 'joan', 'home'), true, 'an address that is known is known on every node')
  t.ok((await lockedMs(await node(), 'ada', 'z')) > 25 * MINUTE)
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
