import fc from 'fast-check'
import t from 'tap'
import { newAccount } from '../../src/access/account.ts'
import { hasSession, Sessions, withoutSession } from '../../src/access/sessions.ts'
import { MemoryCounters } from '../kit/memory-counters.ts'

const HOUR = 3_600_000
const ada = newAccount('ada', 'hash', 1000)

function world(key = Buffer.alloc(32, 1)) {
  const state = { now: 1_800_000_000_000, store: new MemoryCounters() }
  const sessions = new Sessions({
    store: state.store,
    key: () => key,
    lifetimeMs: 8 * HOUR,
    idleMs: HOUR / 4,
    now: () => state.now,
  })
  return { state, sessions }
}

const cookieOf = (setCookie: string): string[] => ['cookie', setCookie.split(';')[0]!]

t.test('a session is of its account, in a cookie that only this host gets', async (t) => {
  const { sessions } = world()
  const set = sessions.begin(ada)
  t.match(set, /^__Host-portcullis=[\w-]+; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
  t.notMatch(Buffer.from(set.slice(18).split(';')[0]!, 'base64url').toString('latin1'), /ada/, 'sealed')
  t.match(await sessions.read(cookieOf(set)), { user: 'ada', revision: ada.revision })
  t.equal(await sessions.read([]), null)
})

t.test('it ends after a pause, and at its age however much it is used', async (t) => {
  const { state, sessions } = world()
  let cookie = cookieOf(sessions.begin(ada))
  state.now += HOUR / 4
  t.equal(await sessions.read(cookie), null, 'idle')
  cookie = cookieOf(sessions.begin(ada))
  let hours = 0
  for (let i = 0; i < 100; i++) {
    state.now += HOUR / 5
    const session = await sessions.read(cookie)
    if (session === null) break
    hours += 1 / 5
    cookie = cookieOf(sessions.renew(session)!)
  }
  t.ok(hours > 7.5 && hours < 8, String(hours))
})

t.test('it is written anew now and then, not with every answer', async (t) => {
  const { state, sessions } = world()
  const session = await sessions.read(cookieOf(sessions.begin(ada)))
  t.equal(sessions.renew(session!), null)
  state.now += HOUR / 4 / 10
  t.type(sessions.renew(session!), 'string')
})

t.test('signing out ends it for whoever holds its cookie', async (t) => {
  const { sessions } = world()
  const cookie = cookieOf(sessions.begin(ada))
  const session = await sessions.read(cookie)
  t.match(await sessions.end(session), /^__Host-portcullis=; Max-Age=0; /)
  t.equal(await sessions.read(cookie), null)
  t.not(await sessions.read(cookieOf(sessions.begin(ada))), null)
})

t.test('nothing that was not sealed here opens, whatever it is', async (t) => {
  const { sessions } = world()
  const [, cookie] = cookieOf(sessions.begin(ada))
  const seal = Buffer.from(cookie!.slice(18), 'base64url')
  for (let i = 0; i < seal.length; i++) {
    const bent = Buffer.from(seal)
    bent[i] = bent[i]! ^ 1
    t.equal(await sessions.read(['cookie', `__Host-portcullis=${bent.toString('base64url')}`]), null, `byte ${i}`)
  }
  for (let length = 0; length < seal.length; length++) {
    const cut = seal.subarray(0, length).toString('base64url')
    t.equal(await sessions.read(['cookie', `__Host-portcullis=${cut}`]), null, `cut to ${length}`)
  }
  t.equal(await sessions.read(['cookie', `${cookie}=`]), null, 'one spelling')
  t.equal(await sessions.read(['cookie', `${cookie}; ${cookie}`]), null, 'twice')
  t.equal(await sessions.read(['cookie', cookie!, 'cookie', cookie!]), null, 'twice')
  t.equal(await world(Buffer.alloc(32, 2)).sessions.read(['cookie', cookie!]), null, 'another key')
  await fc.assert(
    fc.asyncProperty(fc.string({ maxLength: 200 }), async (text) => {
      return (await sessions.read(['cookie', `__Host-portcullis=${text}`])) === null
    }),
    { seed: 3, numRuns: 300 },
  )
})

t.test('a service behind gets the other cookies', (t) => {
  const headers = ['accept', '*/*', 'cookie', 'a=1; __Host-portcullis=x; b=2', 'cookie', '__Host-portcullis=y']
  t.equal(hasSession(headers), true)
  t.same(withoutSession(headers), ['accept', '*/*', 'cookie', 'a=1; b=2'])
  t.same(withoutSession(['cookie', 'a=1']), ['cookie', 'a=1'])
  t.end()
})
