import t from 'tap'
import { type Attempt, makeLockout } from '../../src/access/lockout.ts'
import { MemoryCounters } from '../kit/memory-counters.ts'

const MINUTE = 60_000

function make(lockAddressAfter?: number) {
  const store = new MemoryCounters()
  return { store, lockout: makeLockout({ store, lockAfter: 4, lockForMs: 30 * MINUTE, lockAddressAfter }) }
}

async function begin(lockout: ReturnType<typeof makeLockout>, account: string, address: string): Promise<Attempt> {
  const begun = await lockout.begin(account, address)
  if (typeof begun === 'number') throw new Error(`locked for ${begun}`)
  return begun
}

async function fail(lockout: ReturnType<typeof makeLockout>, account: string, address: string): Promise<number> {
  return (await begin(lockout, account, address)).onFailure()
}

t.test('the fourth failure locks for 30 minutes, the next lock holds 60, and so do all after it', async (t) => {
  const { store, lockout } = make(1000)
  for (const minutes of [30, 60, 60, 60]) {
    for (const expected of [0, 0, 0, minutes * MINUTE]) t.equal(await fail(lockout, 'ada', '192.0.2.1'), expected)
    t.equal(await lockout.lockedForMs('ada', '192.0.2.9'), minutes * MINUTE, 'from anywhere')
    for (let i = 0; i < 50; i++) t.equal(await lockout.begin('ada', '192.0.2.9'), minutes * MINUTE)
    store.nowMs += minutes * MINUTE - 1
    t.equal(await lockout.lockedForMs('ada', '192.0.2.1'), 1)
    store.nowMs += 1
    t.equal(await lockout.lockedForMs('ada', '192.0.2.1'), 0)
  }
})

t.test('after a day without a lock the first one is short again', async (t) => {
  const { store, lockout } = make(1000)
  for (let i = 0; i < 4; i++) await fail(lockout, 'ada', 'a')
  store.nowMs += 25 * 60 * MINUTE
  for (let i = 0; i < 3; i++) t.equal(await fail(lockout, 'ada', 'a'), 0)
  t.equal(await fail(lockout, 'ada', 'a'), 30 * MINUTE)
})

t.test('success forgets the failures of the account, not those of the address', async (t) => {
  const { lockout } = make(6)
  for (let round = 0; round < 2; round++) {
    for (let i = 0; i < 2; i++) t.equal(await fail(lockout, 'ada', '192.0.2.1'), 0)
    await (await begin(lockout, 'ada', '192.0.2.1')).onSuccess()
  }
  t.equal(await fail(lockout, 'ada', '192.0.2.1'), 0)
  t.equal(await fail(lockout, 'ada', '192.0.2.1'), 30 * MINUTE, 'six failures from one address')
  t.equal(await lockout.lockedForMs('ada', '192.0.2.2'), 0, 'the account itself is free')
  t.equal(await lockout.lockedForMs('bob', '192.0.2.1'), 30 * MINUTE)
})

t.test('one address that guesses at many accounts is locked', async (t) => {
  const { lockout } = make()
  for (let i = 0; i < 19; i++) t.equal(await fail(lockout, `user${i}`, '192.0.2.1'), 0)
  t.equal(await fail(lockout, 'user19', '192.0.2.1'), 30 * MINUTE)
  t.type(await lockout.begin('user20', '192.0.2.1'), 'number')
  t.equal(await lockout.lockedForMs('user20', '192.0.2.2'), 0)
})

t.test('many attempts at once cannot outrun the count: by account', async (t) => {
  const { lockout } = make(1000)
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => lockout.begin('ada', `192.0.2.${i}`)))
  const begun = all.filter((each) => typeof each !== 'number')
  t.equal(begun.length, 4)
  for (const each of all) if (typeof each === 'number') t.ok(each >= 1000)
  const locked = await Promise.all(begun.map((each) => (each as Attempt).onFailure()))
  t.equal(Math.max(...locked), 30 * MINUTE)
  t.type(await lockout.begin('ada', '198.51.100.1'), 'number')
})

t.test('many attempts at once cannot outrun the count: by address', async (t) => {
  const { lockout } = make(20)
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => lockout.begin(`user${i}`, '192.0.2.1')))
  const begun = all.filter((each) => typeof each !== 'number') as Attempt[]
  t.equal(begun.length, 20)
  await Promise.all(begun.map((each) => each.onFailure()))
  t.equal(await lockout.lockedForMs('someone', '192.0.2.1'), 30 * MINUTE)
})

t.test('an address whose attempts all succeed is never locked, and its places are given back', async (t) => {
  const { lockout } = make(5)
  for (let i = 0; i < 100; i++) await (await begin(lockout, `user${i % 7}`, '192.0.2.1')).onSuccess()
  t.equal(await lockout.lockedForMs('user1', '192.0.2.1'), 0)
  for (let i = 0; i < 100; i++) (await begin(lockout, `other${i}`, '192.0.2.1')).onAbandon()
  t.type(await lockout.begin('last', '192.0.2.1'), 'object')
})

t.test('an attempt that was never concluded stays counted', async (t) => {
  const { store, lockout } = make()
  for (let i = 0; i < 4; i++) (await begin(lockout, 'ada', '192.0.2.1')).onAbandon()
  t.equal(await lockout.begin('ada', '192.0.2.1'), 1000)
  store.nowMs += 30 * MINUTE
  t.type(await lockout.begin('ada', '192.0.2.1'), 'object', 'but not for longer than a lock')
})

t.test('a lock that falls between the two looks of another attempt leaves no count behind', async (t) => {
  const store = new MemoryCounters()
  let isHeld = false
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const counter = store.counter.bind(store)
  store.counter = (options) => {
    const made = counter(options)
    const add: typeof made.add = async (key, points) => {
      if (isHeld && options.name === 'sign-in-account-failures') await gate
      return made.add(key, points)
    }
    return { ...made, add }
  }
  const lockout = makeLockout({ store, lockAfter: 4, lockForMs: 30 * MINUTE, lockAddressAfter: 1000 })
  const begun: Attempt[] = []
  for (let i = 0; i < 4; i++) begun.push(await begin(lockout, 'ada', 'a'))
  isHeld = true
  // They have looked (no lock yet) and are not counted yet while the four fail.
  const late = Array.from({ length: 60 }, (_, i) => lockout.begin('ada', `b${i}`))
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all(begun.map((each) => each.onFailure()))
  store.nowMs += 10 * MINUTE
  release()
  for (const each of await Promise.all(late)) t.equal(each, 20 * MINUTE)
  isHeld = false
  store.nowMs += 20 * MINUTE
  for (const expected of [0, 0, 0, 60 * MINUTE]) t.equal(await fail(lockout, 'ada', 'd'), expected)
})

t.test('two nodes on one store count together', async (t) => {
  const store = new MemoryCounters()
  const shared = new Map<string, ReturnType<MemoryCounters['counter']>>()
  const counter = store.counter.bind(store)
  store.counter = (options) => {
    const known = shared.get(options.name) ?? counter(options)
    shared.set(options.name, known)
    return known
  }
  const one = makeLockout({ store, lockAfter: 4, lockForMs: MINUTE })
  const two = makeLockout({ store, lockAfter: 4, lockForMs: MINUTE })
  for (const node of [one, two, one]) t.equal(await fail(node, 'ada', 'a'), 0)
  t.equal(await fail(two, 'ada', 'a'), MINUTE)
  t.equal(await one.lockedForMs('ada', 'b'), MINUTE)
})

t.test('no name and no address stands in the store as it came', async (t) => {
  const { store, lockout } = make()
  await fail(lockout, 'my secret password', '192.0.2.77')
  for (const key of store.keys) t.notMatch(key, /secret|192\.0\.2/)
  t.ok(store.keys.size > 0)
})
