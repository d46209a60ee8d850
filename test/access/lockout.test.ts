import t from 'tap'
import { type Attempt, isRefusal, type Lockout, makeLockout, type Refusal } from '../../src/access/lockout.ts'
import { MemoryCounters } from '../kit/memory-counters.ts'

const MINUTE = 60_000

const KEY = Buffer.alloc(32, 7)
const OPTIONS = { key: () => KEY, lockAfter: 4, lockForMs: 30 * MINUTE, knownForMs: 0 }

function make(lockAddressAfter?: number) {
  const store = new MemoryCounters()
  const options = lockAddressAfter === undefined ? OPTIONS : { ...OPTIONS, lockAddressAfter }
  return { store, lockout: makeLockout({ ...options, store }) }
}

const subject = (name: string, address: string, revision = 1) => ({ name, revision, address })

function tryOnce(lockout: Lockout, account: string, address: string): Promise<Attempt | Refusal> {
  return lockout.begin(subject(account, address))
}

async function begin(lockout: Lockout, account: string, address: string): Promise<Attempt> {
  const begun = await tryOnce(lockout, account, address)
  if (isRefusal(begun)) throw new Error(`locked for ${begun.waitMs}`)
  return begun
}

/** Milliseconds of the lock that the failure brought; -1 where it was not even let through. */
async function fail(lockout: Lockout, account: string, address: string): Promise<number> {
  const begun = await tryOnce(lockout, account, address)
  return isRefusal(begun) ? -1 : ((await begun.onFailure())?.waitMs ?? 0)
}

async function succeed(lockout: Lockout, account: string, address: string): Promise<boolean> {
  const begun = await tryOnce(lockout, account, address)
  if (isRefusal(begun)) return false
  await begun.onSuccess()
  return true
}

async function lockedMs(lockout: Lockout, account: string, address: string): Promise<number> {
  return (await lockout.look(subject(account, address)))?.waitMs ?? 0
}

t.test('the fourth failure locks for 30 minutes, the next lock holds 60, and so do all after it', async (t) => {
  const { store, lockout } = make(1000)
  for (const minutes of [30, 60, 60, 60]) {
    for (const expected of [0, 0, 0, minutes * MINUTE]) t.equal(await fail(lockout, 'ada', '192.0.2.1'), expected)
    t.equal(await lockedMs(lockout, 'ada', '192.0.2.9'), minutes * MINUTE, 'from anywhere')
    for (let i = 0; i < 50; i++) {
      t.match(await tryOnce(lockout, 'ada', '192.0.2.9'), { waitMs: minutes * MINUTE, by: 'account' })
    }
    store.nowMs += minutes * MINUTE - 1
    t.equal(await lockedMs(lockout, 'ada', '192.0.2.1'), 1)
    store.nowMs += 1
    t.equal(await lockedMs(lockout, 'ada', '192.0.2.1'), 0)
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
  t.equal(await lockedMs(lockout, 'ada', '192.0.2.2'), 0, 'the account itself is free')
  t.equal(await lockedMs(lockout, 'bob', '192.0.2.1'), 30 * MINUTE)
})

t.test('one address that guesses at many accounts is locked', async (t) => {
  const { lockout } = make()
  for (let i = 0; i < 19; i++) t.equal(await fail(lockout, `user${i}`, '192.0.2.1'), 0)
  t.equal(await fail(lockout, 'user19', '192.0.2.1'), 30 * MINUTE)
  t.match(await tryOnce(lockout, 'user20', '192.0.2.1'), { waitMs: 30 * MINUTE, by: 'address' })
  t.equal(await lockedMs(lockout, 'user20', '192.0.2.2'), 0)
})

t.test('many attempts at once cannot outrun the count: by account', async (t) => {
  const { lockout } = make(1000)
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => tryOnce(lockout, 'ada', `192.0.2.${i}`)))
  const begun = all.filter((each): each is Attempt => !isRefusal(each))
  t.equal(begun.length, 4)
  for (const each of all) if (isRefusal(each)) t.ok(each.waitMs >= 1000)
  const locked = await Promise.all(begun.map((each) => each.onFailure()))
  t.equal(Math.max(...locked.map((each) => each?.waitMs ?? 0)), 30 * MINUTE)
  t.equal(await fail(lockout, 'ada', '198.51.100.1'), -1)
})

t.test('many attempts at once cannot outrun the count: by address', async (t) => {
  const { lockout } = make(20)
  const all = await Promise.all(Array.from({ length: 200 }, (_, i) => tryOnce(lockout, `user${i}`, '192.0.2.1')))
  const begun = all.filter((each): each is Attempt => !isRefusal(each))
  t.equal(begun.length, 20)
  await Promise.all(begun.map((each) => each.onFailure()))
  t.equal(await lockedMs(lockout, 'someone', '192.0.2.1'), 30 * MINUTE)
})

t.test('an address whose attempts all succeed is never locked, and its places are given back', async (t) => {
  const { lockout } = make(5)
  for (let i = 0; i < 100; i++) await (await begin(lockout, `user${i % 7}`, '192.0.2.1')).onSuccess()
  t.equal(await lockedMs(lockout, 'user1', '192.0.2.1'), 0)
  for (let i = 0; i < 100; i++) (await begin(lockout, `other${i}`, '192.0.2.1')).onAbandon()
  t.equal(await fail(lockout, 'last', '192.0.2.1'), 0)
})

t.test('an attempt that was never concluded stays counted', async (t) => {
  const { store, lockout } = make()
  for (let i = 0; i < 4; i++) (await begin(lockout, 'ada', '192.0.2.1')).onAbandon()
  t.match(await tryOnce(lockout, 'ada', '192.0.2.1'), { waitMs: 1000, by: 'full' })
  store.nowMs += 30 * MINUTE
  t.equal(await fail(lockout, 'ada', '192.0.2.1'), 0, 'but not for longer than a lock')
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
  const lockout = makeLockout({ ...OPTIONS, store, lockAddressAfter: 1000 })
  const begun: Attempt[] = []
  for (let i = 0; i < 4; i++) begun.push(await begin(lockout, 'ada', 'a'))
  isHeld = true
  // They have looked (no lock yet) and are not counted yet while the four fail.
  const late = Array.from({ length: 60 }, (_, i) => tryOnce(lockout, 'ada', `b${i}`))
  await new Promise((resolve) => setImmediate(resolve))
  await Promise.all(begun.map((each) => each.onFailure()))
  store.nowMs += 10 * MINUTE
  release()
  for (const each of await Promise.all(late)) t.match(each, { waitMs: 20 * MINUTE, by: 'account' })
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
  const one = makeLockout({ ...OPTIONS, store, lockForMs: MINUTE })
  const two = makeLockout({ ...OPTIONS, store, lockForMs: MINUTE })
  for (const node of [one, two, one]) t.equal(await fail(node, 'ada', 'a'), 0)
  t.equal(await fail(two, 'ada', 'a'), MINUTE)
  t.equal(await lockedMs(one, 'ada', 'b'), MINUTE)
})

t.test('no name and no address stands in the store as it came', async (t) => {
  const { store, lockout } = make()
  await fail(lockout, 'my secret password', '192.0.2.77')
  for (const key of store.keys) t.notMatch(key, /secret|192\.0\.2/)
  t.ok(store.keys.size > 0)
})

const KNOWN = { ...OPTIONS, knownForMs: 14 * 24 * 60 * MINUTE }

t.test('ten thousand addresses at one account get four guesses, and do not lock out its owner', async (t) => {
  const lockout = makeLockout({ ...KNOWN, store: new MemoryCounters() })
  t.equal(await succeed(lockout, 'ada', 'home'), true)
  let guesses = 0
  for (let i = 0; i < 10_000; i++) if ((await fail(lockout, 'ada', `bot${i}`)) !== -1) guesses++
  t.equal(guesses, 4)
  t.match(await tryOnce(lockout, 'ada', 'elsewhere'), { by: 'account', waitMs: 30 * MINUTE })
  for (let i = 0; i < 3; i++) t.equal(await succeed(lockout, 'ada', 'home'), true, 'where the owner is known')
  for (let i = 0; i < 3; i++) t.equal(await fail(lockout, 'ada', 'home'), 0, 'with mistakes of his own')
  t.equal(await succeed(lockout, 'ada', 'home'), true)
  t.equal(await fail(lockout, 'ada', 'bot1'), -1, 'his success gives strangers no new guess')
})

t.test('one address at ten thousand accounts gets twenty guesses; who is known there goes on', async (t) => {
  const lockout = makeLockout({ ...KNOWN, store: new MemoryCounters() })
  t.equal(await succeed(lockout, 'ada', 'office'), true)
  let guesses = 0
  for (let i = 0; i < 10_000; i++) if ((await fail(lockout, `user${i}`, 'office')) !== -1) guesses++
  t.equal(guesses, 20)
  t.match(await tryOnce(lockout, 'bob', 'office'), { by: 'address' })
  t.equal(await succeed(lockout, 'ada', 'office'), true)
  t.equal(await succeed(lockout, 'bob', 'home'), true)
})

t.test('a known address has four failures to lose, and no other address has a guess after them', async (t) => {
  const store = new MemoryCounters()
  const own = makeLockout({ ...KNOWN, store })
  t.equal(await succeed(own, 'ada', 'home'), true)
  for (const expected of [0, 0, 0, 30 * MINUTE]) t.equal(await fail(own, 'ada', 'home'), expected)
  t.match(await tryOnce(own, 'ada', 'home'), { by: 'known-address' })
  t.equal(await fail(own, 'ada', 'elsewhere'), -1)
  store.nowMs += 30 * MINUTE
  t.equal(await succeed(own, 'ada', 'home'), true)
})

t.test('few addresses are known for an account, and only for a while', async (t) => {
  const store = new MemoryCounters()
  const lockout = makeLockout({ ...KNOWN, store })
  for (let i = 0; i < 20; i++) t.equal(await succeed(lockout, 'ada', `place${i}`), true)
  for (let i = 0; i < 4; i++) await fail(lockout, 'ada', 'stranger')
  let known = 0
  for (let i = 0; i < 20; i++) if (await succeed(lockout, 'ada', `place${i}`)) known++
  t.equal(known, 8)
  store.nowMs += 15 * 24 * 60 * MINUTE
  for (let i = 0; i < 4; i++) await fail(lockout, 'ada', 'stranger')
  t.equal(await succeed(lockout, 'ada', 'place0'), false)
})

t.test('another revision of an account is not locked', async (t) => {
  const { lockout } = make(1000)
  for (let i = 0; i < 4; i++) await fail(lockout, 'ada', 'a')
  t.match(await lockout.look(subject('ada', 'a')), { by: 'account' })
  t.equal(await lockout.look(subject('ada', 'a', 2)), null)
})
