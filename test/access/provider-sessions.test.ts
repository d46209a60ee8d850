/** What browsers keep of a sign-in by a provider: sealed, for one purpose, and for its time. */
import fc from 'fast-check'
import t from 'tap'
import { ProviderSessions } from '../../src/access/provider-sessions.ts'
import type { Principal } from '../../src/exchange/access-contracts.ts'
import type { Counter, CounterStore } from '../../src/exchange/contracts.ts'
import { MemoryCounters } from '../kit/memory-counters.ts'

const MINUTE = 60_000
const START = 1_800_000_000_000

type Store = Pick<CounterStore, 'counter'>

function world(secret = 's'.repeat(32), store: Store = new MemoryCounters()) {
  const state = { now: START }
  const sessions = new ProviderSessions({
    ...{ store, secret: Buffer.from(secret), lifetimeMs: 480 * MINUTE, idleMs: 15 * MINUTE },
    now: () => state.now,
  })
  return { state, sessions }
}

const principal = (more: Partial<Principal> = {}): Principal => ({
  ...{
    user: 'maria',
    roles: ['reader'],
    attributes: { team: 'north' },
    expiresAt: START + 30 * MINUTE,
    scheme: 'bearer',
  },
  ...more,
})
const field = (set: string | null): string[] => ['cookie', set!.split(';')[0]!]
const transaction = { state: 's', nonce: 'n', verifier: 'v', next: '/a?b=c' }

t.test('a session', async (t) => {
  const { state, sessions } = world()
  const set = sessions.begin(principal())
  t.match(set, /^__Host-portcullis=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
  const cookie = field(set)
  t.match(await sessions.read(cookie), { user: 'maria', roles: ['reader'], attributes: { team: 'north' } })
  t.equal(await world('t'.repeat(32)).sessions.read(cookie), null, 'of another key')
  t.equal(await sessions.read([...cookie, ...cookie]), null, 'twice')
  t.equal(sessions.renew((await sessions.read(cookie))!), null, 'it is young')
  state.now += 14 * MINUTE
  const renewed = field(sessions.renew((await sessions.read(cookie))!))
  state.now += MINUTE
  t.equal(await sessions.read(cookie), null, 'after a pause')
  t.ok(await sessions.read(renewed))
  state.now += 14 * MINUTE
  const last = field(
    sessions.renew((await sessions.read(field(sessions.begin(principal()))))!) ?? sessions.begin(principal()),
  )
  t.ok(await sessions.read(last))
  state.now = START + 30 * MINUTE
  t.equal(await sessions.read(last), null, 'it ends with the token, however busy')
  t.equal(
    sessions.begin(principal({ roles: Array.from({ length: 400 }, (_, i) => `role-${i}`) })),
    null,
    'too much to keep',
  )
})

t.test('an end holds for all who have the cookie, on all nodes of a store', async (t) => {
  const memory = new MemoryCounters()
  let counter: Counter | null = null
  const shared: Store = {
    counter: (options) => {
      counter ??= memory.counter(options)
      return counter
    },
  }
  const { sessions } = world(undefined, shared)
  const cookie = field(sessions.begin(principal()))
  t.ok(await world(undefined, shared).sessions.read(cookie), 'another node knows it')
  t.match(await sessions.end(await sessions.read(cookie)), /^__Host-portcullis=; Max-Age=0; .*SameSite=Strict$/)
  t.equal(await sessions.read(cookie), null)
  t.equal(await world(undefined, shared).sessions.read(cookie), null)
})

t.test('a transaction is Lax, short, and no session', async (t) => {
  const { state, sessions } = world()
  const set = sessions.beginTransaction(transaction)
  t.match(set, /^__Host-portcullis-sign-in=[\w-]+; Max-Age=600; Path=\/; Secure; HttpOnly; SameSite=Lax$/)
  const cookie = field(set)
  t.same(sessions.transactionOf(cookie), transaction)
  const seal = cookie[1]!.split('=')[1]!
  t.equal(await sessions.read(['cookie', `__Host-portcullis=${seal}`]), null)
  const session = field(sessions.begin(principal()))[1]!.split('=')[1]!
  t.equal(sessions.transactionOf(['cookie', `__Host-portcullis-sign-in=${session}`]), null)
  t.same(sessions.without(['cookie', `a=b; __Host-portcullis=${session}; __Host-portcullis-sign-in=${seal}`]), [
    'cookie',
    'a=b',
  ])
  state.now += 10 * MINUTE
  t.equal(sessions.transactionOf(cookie), null)
})

t.test('no mutation of a cookie is a session', async () => {
  const { sessions } = world()
  const seal = field(sessions.begin(principal()))[1]!.split('=')[1]!
  await fc.assert(
    fc.asyncProperty(fc.nat(seal.length - 1), fc.constantFrom(...'ABCxyz019-_'), async (at, letter) => {
      const mutant = seal.slice(0, at) + letter + seal.slice(at + 1)
      fc.pre(mutant !== seal)
      return (await sessions.read(['cookie', `__Host-portcullis=${mutant}`])) === null
    }),
    { numRuns: 500, seed: 7 },
  )
})
