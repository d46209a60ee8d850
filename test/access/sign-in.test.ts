import t from 'tap'
import { Authenticator } from '../../src/access/authenticator.ts'
import { CodeCheck } from '../../src/access/codes.ts'
import { makeLockout } from '../../src/access/lockout.ts'
import { PASSWORD_PRESETS } from '../../src/access/password-rules.ts'
import { hashPassword, unmatchableHash, verifyPassword } from '../../src/access/passwords.ts'
import { DEFAULT_COST } from '../../src/access/scheme.ts'
import { Sessions } from '../../src/access/sessions.ts'
import { makeSignIn } from '../../src/access/sign-in.ts'
import { codeAt, enrol, STEP_MS } from '../../src/access/totp.ts'
import { Upgrader } from '../../src/access/upgrader.ts'
import { Verifier, type VerifierOptions } from '../../src/access/verifier.ts'
import { ConfigurationError, Failure } from '../../src/errors.ts'
import type { AuditEvent } from '../../src/exchange/contracts.ts'
import { accountsInMemory, type TestAccounts } from '../kit/accounts.ts'
import { type FakeOptions, fakeExchange, runThrough } from '../kit/fake-client.ts'
import { MemoryCounters } from '../kit/memory-counters.ts'

const COST = { memory: 19_456, passes: 2, lanes: 1 }
const HASHES: Record<string, string> = { ada: unmatchableHash(COST), bob: unmatchableHash(COST) }
const UNKNOWN = unmatchableHash(COST)
const CHALLENGE = 'Basic realm="transcripts", charset="UTF-8"'

interface World {
  /** Hashes that were checked against, in order. */
  checked: string[]
  running: number
  most: number
  audited: AuditEvent[]
  counted: string[]
  store: MemoryCounters
  verifier: Verifier
  accounts: TestAccounts
  send(user: string, password: string, options?: FakeOptions): Promise<Answer>
  sendHeaders(headers: string[], options?: FakeOptions): Promise<Answer>
  stage: ReturnType<typeof makeSignIn>
}

interface Answer {
  outcome: 'passed' | 'answered'
  status: number
  code: string | undefined
  user: string
  challenge: string | null
  retryAfter: string | null
  body: string
}

/** A gateway's sign-in whose password check is played: the password `right` is right. */
function world(
  options: Partial<VerifierOptions> = {},
  lockAddressAfter = 10_000,
  knownForMs = 0,
  hashes: Readonly<Record<string, string>> = HASHES,
  realm = 'transcripts',
): World {
  const store = new MemoryCounters()
  const accounts = accountsInMemory(hashes, UNKNOWN)
  const self = { checked: [], running: 0, most: 0, audited: [], counted: [], store, accounts } as unknown as World
  self.verifier = new Verifier({
    maxConcurrent: 2,
    maxWaiting: 64,
    async verify(hash, password) {
      self.checked.push(hash)
      self.running++
      self.most = Math.max(self.most, self.running)
      await new Promise((resolve) => setImmediate(resolve))
      self.running--
      return password === 'right'
    },
    ...options,
  })
  const key = () => accounts.key
  const audit = { isUp: true, record: (event: AuditEvent) => self.audited.push(event) }
  const metrics = { count: (name: string, label: string) => self.counted.push(`${name} ${label}`) }
  self.stage = makeSignIn({
    accounts,
    authenticator: new Authenticator({
      accounts,
      verifier: self.verifier,
      lockout: makeLockout({ store, key, lockAfter: 4, lockForMs: 1_800_000, knownForMs, lockAddressAfter }),
      codes: new CodeCheck(accounts, store),
      upgrader: new Upgrader(accounts, DEFAULT_COST, () => {}),
      rules: PASSWORD_PRESETS['pci-4'],
      audit,
      metrics,
      place: 'transcripts',
    }),
    sessions: new Sessions({ store, key, lifetimeMs: 3_600_000, idleMs: 600_000 }),
    metrics,
    defaultRoles: ['reader'],
    realm,
    offerForm: () => false,
  })
  self.send = (user, password, more) => self.sendHeaders(['authorization', basic(user, password)], more)
  self.sendHeaders = async (headers, more) => {
    const fake = fakeExchange({ headers, id: 'same-id', ...more })
    const outcome = await runThrough(fake, [self.stage])
    return {
      outcome,
      status: fake.client.status,
      code: fake.x.failure?.code,
      user: fake.x.user,
      challenge: fake.client.header('www-authenticate'),
      retryAfter: fake.client.header('retry-after'),
      body: fake.client.text,
    }
  }
  return self
}

function basic(user: string, password: string): string {
  return `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
}

t.test('the right password lets the exchange go on with its user', async (t) => {
  const w = world()
  t.match(await w.send('ada', 'right'), { outcome: 'passed', user: 'ada' })
  t.match(w.audited, [
    { event: 'authn_login_success', outcome: 'success', user: 'ada', address: '192.0.2.10', requestId: 'same-id' },
  ])
  t.same(w.checked, [HASHES.ada])
})

t.test('a service behind never sees the password', async (t) => {
  const w = world()
  for (const about of ['checked', 'remembered']) {
    const fake = fakeExchange({ headers: ['accept', '*/*', 'authorization', basic('ada', 'right'), 'x-a', 'b'] })
    t.equal(await runThrough(fake, [w.stage]), 'passed', about)
    t.same(fake.x.headers, ['accept', '*/*', 'x-a', 'b'], about)
  }
})

t.test('no credentials: the challenge, nothing checked, nothing audited', async (t) => {
  const w = world()
  for (const headers of [[], ['authorization', ''], ['authorization', 'Bearer x'], ['authorization', 'Basic !']]) {
    const answer = await w.sendHeaders(headers)
    t.match(answer, { outcome: 'answered', status: 401, code: 'sign-in-required', user: '', challenge: CHALLENGE })
  }
  t.same(w.checked, [])
  t.same(w.audited, [])
})

t.test('two Authorization fields are refused, whichever is right', async (t) => {
  const w = world()
  const right = ['authorization', basic('ada', 'right')]
  const wrong = ['authorization', basic('ada', 'wrong')]
  for (const headers of [
    [...right, ...wrong],
    [...wrong, ...right],
    [...right, ...right],
  ]) {
    t.match(await w.sendHeaders(headers), { outcome: 'answered', status: 400, code: 'bad-header' })
  }
  t.same(w.checked, [])
})

t.test('never over plain HTTP, not even with the right password, and no challenge asks for it', async (t) => {
  const w = world()
  for (const headers of [[], ['authorization', basic('ada', 'right')]]) {
    const answer = await w.sendHeaders(headers, { secure: false })
    t.match(answer, { outcome: 'answered', status: 403, code: 'https-required', challenge: null })
  }
  t.same(w.checked, [])
})

t.test('an unknown user takes the same way and gets the same answer as a wrong password', async (t) => {
  const w = world()
  const known = await w.send('ada', 'wrong')
  const calls = { ...w.store.calls }
  w.store.calls.add = w.store.calls.get = w.store.calls.block = w.store.calls.clear = 0
  const unknown = await w.send('eve', 'wrong')
  t.same(unknown, known)
  t.match(known, { status: 401, code: 'sign-in-failed', challenge: CHALLENGE })
  t.same(w.store.calls, calls, 'the same number of steps in the store')
  t.same(w.checked, [HASHES.ada, UNKNOWN], 'a hash is computed for both')
  for (let i = 0; i < 3; i++) t.same(await w.send('eve', `wrong${i}`), await w.send('ada', `wrong${i}`))
  const [lockedKnown, lockedUnknown] = [await w.send('ada', 'x'), await w.send('eve', 'x')]
  t.same(lockedUnknown, lockedKnown, 'locked alike')
  t.equal(lockedKnown.status, 429)
})

t.test('even a check that says yes does not sign in a user without an account', async (t) => {
  const w = world({ verify: async () => true })
  t.match(await w.send('eve', 'anything'), { outcome: 'answered', status: 401 })
  t.match(await w.send('__proto__', 'anything'), { outcome: 'answered', status: 401 })
  t.match(await w.send('constructor', 'anything'), { outcome: 'answered', status: 401 })
})

t.test('after four failures the right password is refused for 30 minutes, then let in', async (t) => {
  const w = world()
  for (let i = 0; i < 4; i++) t.match(await w.send('ada', `wrong${i}`), { status: 401, code: 'sign-in-failed' })
  const before = w.checked.length
  t.match(await w.send('ada', 'right'), { outcome: 'answered', status: 429, code: 'locked-out', retryAfter: '1800' })
  t.match(await w.send('ada', 'right', { address: '198.51.100.7' }), { status: 429 }, 'from anywhere')
  t.equal(w.checked.length, before, 'no hash is computed for a locked account')
  t.match(await w.send('bob', 'right'), { outcome: 'passed', user: 'bob' }, 'others are not locked')
  w.store.nowMs += 1_800_000
  t.match(await w.send('ada', 'right'), { outcome: 'passed', user: 'ada' })
  t.equal(w.audited.filter((each) => each.event === 'authn_login_fail').length, 4)
  t.equal(w.audited.filter((each) => each.event === 'authn_login_lock').length, 3)
})

t.test('a remembered password is refused too while the account is locked', async (t) => {
  const w = world()
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
  for (let i = 0; i < 4; i++) await w.send('ada', `wrong${i}`, { address: '198.51.100.7' })
  t.match(await w.send('ada', 'right'), { outcome: 'answered', status: 429 })
})

t.test('success clears the failures of the account', async (t) => {
  const w = world({ cacheEntries: 0 })
  for (let round = 0; round < 3; round++) {
    for (let i = 0; i < 3; i++) t.match(await w.send('ada', `wrong${i}`), { status: 401 })
    t.match(await w.send('ada', 'right'), { outcome: 'passed' })
  }
})

t.test('an address that guesses at many accounts is locked, for known and unknown users', async (t) => {
  const w = world({}, 6)
  for (let i = 0; i < 6; i++) t.match(await w.send(`user${i}`, 'wrong'), { status: 401 })
  t.match(await w.send('ada', 'right'), { status: 429, code: 'locked-out' })
  t.match(await w.send('ada', 'right', { address: '198.51.100.7' }), { outcome: 'passed' })
})

t.test('a right password is checked once and remembered; only the check is in the audit log', async (t) => {
  const w = world()
  for (let i = 0; i < 5; i++) t.match(await w.send('ada', 'right'), { outcome: 'passed', user: 'ada' })
  t.equal(w.checked.length, 1)
  t.equal(w.audited.length, 1)
  t.match(await w.send('ada', 'Right'), { status: 401 }, 'close is not right')
  t.match(await w.send('bob', 'right'), { outcome: 'passed', user: 'bob' })
  t.equal(w.checked.length, 3, 'another user is checked anew')
  w.accounts.book.accounts.set('ada', { ...w.accounts.find('ada')!, revision: 0 })
  await w.send('ada', 'right')
  t.equal(w.checked.length, 4, 'an account that was changed is checked anew')
})

t.test('a wrong password is never remembered', async (t) => {
  const w = world()
  for (let i = 0; i < 3; i++) await w.send('ada', 'wrong')
  t.equal(w.checked.length, 3)
})

t.test('a browser that opens many connections at once spends one check and one attempt', async (t) => {
  const w = world()
  const answers = await Promise.all(Array.from({ length: 12 }, () => w.send('ada', 'right')))
  t.ok(answers.every((each) => each.outcome === 'passed' && each.user === 'ada'))
  t.equal(w.checked.length, 1)
  const failed = await Promise.all(Array.from({ length: 12 }, () => w.send('bob', 'wrong')))
  t.ok(failed.every((each) => each.status === 401))
  t.equal(w.checked.length, 2)
  t.match(await w.send('bob', 'right'), { outcome: 'passed' }, 'bob is not locked by one mistake')
})

t.test('a thousand at once: never more than two hashes run, the overflow is told to come back', async (t) => {
  const w = world()
  const all = Array.from({ length: 1000 }, (_, i) => w.send(`user${i}`, 'wrong', { address: `2001:db8::${i}` }))
  const answers = await Promise.all(all)
  t.equal(w.most, 2)
  t.equal(w.checked.length, 66)
  t.equal(answers.filter((each) => each.status === 401).length, 66)
  const busy = answers.filter((each) => each.status === 503)
  t.equal(busy.length, 934)
  t.ok(busy.every((each) => each.code === 'sign-in-busy' && each.retryAfter !== null))
  t.equal(w.verifier.running, 0)
  t.match(await w.send('ada', 'right'), { outcome: 'passed' }, 'and goes on working')
})

t.test('a thousand guesses at one account at once get four checks', async (t) => {
  const w = world({ maxWaiting: 10_000 })
  const all = Array.from({ length: 1000 }, (_, i) => w.send('ada', `guess${i}`, { address: `2001:db8::${i}` }))
  const answers = await Promise.all(all)
  t.equal(w.checked.length, 4)
  t.equal(answers.filter((each) => each.status === 401).length, 4)
  t.equal(answers.filter((each) => each.status === 429).length, 996)
})

t.test('being told "busy" is no failed attempt', async (t) => {
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const w = world({
    maxConcurrent: 1,
    maxWaiting: 1,
    async verify(_hash, password) {
      if (password === 'slow') await gate
      return password === 'right'
    },
  })
  const slow = [w.send('u1', 'slow'), w.send('u2', 'slow')]
  await new Promise((resolve) => setImmediate(resolve))
  for (let i = 0; i < 10; i++) t.match(await w.send('ada', 'right'), { status: 503 })
  release()
  await Promise.all(slow)
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
})

t.test('who leaves while waiting costs no hash', async (t) => {
  const w = world()
  const gone = Array.from({ length: 20 }, (_, i) =>
    fakeExchange({ headers: ['authorization', basic('ada', `guess${i}`)], address: `2001:db8::${i}` }),
  )
  for (const each of gone) each.x.runStages([w.stage])
  for (const each of gone) each.x.onClientGone(new Failure('client-gone'))
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
  t.equal(w.checked.length, 1)
  for (const each of gone) {
    t.equal(each.client.headsSent, 0)
    t.equal(each.finishCount(), 1)
  }
})

t.test('a check that breaks answers 500, signs nobody in, and holds no place', async (t) => {
  const w = world({
    maxConcurrent: 1,
    async verify(_hash, password) {
      if (password === 'break') throw new Error('out of memory: secret')
      return password === 'right'
    },
  })
  const answer = await w.send('ada', 'break')
  t.match(answer, { outcome: 'answered', status: 500, code: 'internal', user: '' })
  t.notMatch(answer.body, /secret/)
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
})

t.test(
  'no password and no unknown name is in the audit log or the metrics; attempts at one name can be told together',
  async (t) => {
    const w = world()
    await w.send('ada', 'MyPassword1')
    await w.send('TypedInTheWrongField1', 'MyPassword2')
    await w.send('TypedInTheWrongField1', 'MyPassword3')
    await w.send('Another', 'MyPassword4')
    const all = JSON.stringify([w.audited, w.counted])
    t.notMatch(all, /MyPassword|TypedIn|Another|Basic|argon2/)
    const users = w.audited.map((each) => each.user)
    t.equal(users[0], 'ada')
    t.match(users[1], /^\?[0-9a-f]{8}$/)
    t.equal(users[1], users[2])
    t.not(users[1], users[3])
    for (const key of w.store.keys) t.notMatch(key, /TypedIn|ada/)
  },
)

t.test('a realm cannot break out of the challenge', (t) => {
  const fake = fakeExchange()
  fake.x.runStages([world({}, 1, 0, HASHES, 'a"\r\nset-cookie: x').stage])
  t.equal(fake.client.header('www-authenticate'), 'Basic realm="aset-cookie x", charset="UTF-8"')
  t.end()
})

t.test('with real hashes: right, wrong, unknown', async (t) => {
  const ada = await hashPassword('Correct horse 7')
  const w = world({ verify: verifyPassword }, 100, 0, { ada })
  t.match(await w.send('ada', 'Correct horse 7'), { outcome: 'passed' })
  t.match(await w.send('ada', 'Correct horse 8'), { status: 401 })
  t.match(await w.send('eve', 'Correct horse 7'), { status: 401 })
})

t.test('who is signed in has roles: his own, or those of everybody without', async (t) => {
  const w = world()
  w.accounts.book.accounts.set('bob', { ...w.accounts.find('bob')!, roles: ['north'], attributes: { team: 'n' } })
  for (const [user, roles] of [
    ['ada', ['reader']],
    ['bob', ['north']],
  ] as const) {
    const fake = fakeExchange({ headers: ['authorization', basic(user, 'right')] })
    t.equal(await runThrough(fake, [w.stage]), 'passed')
    t.same(fake.x.roles, roles)
    t.match(fake.x.principal, { user, roles, scheme: 'basic', expiresAt: 0 })
  }
})

t.test(
  'an account that an operator locked is answered like a wrong password, also where it is remembered',
  async (t) => {
    const w = world()
    const wrong = await w.send('ada', 'wrong')
    t.match(await w.send('ada', 'right'), { outcome: 'passed' })
    w.accounts.book.accounts.set('ada', { ...w.accounts.find('ada')!, locked: true })
    t.same(await w.send('ada', 'right'), wrong)
    t.match(w.audited.at(-1), { event: 'authn_login_fail', reason: 'account locked by an operator' })
  },
)

t.test('a password of somebody else, or one too old, opens nothing', async (t) => {
  const w = world()
  const ada = w.accounts.find('ada')!
  for (const change of [{ mustChange: true }, { changedAt: Date.now() - 91 * 86_400_000 }]) {
    w.accounts.book.accounts.set('ada', { ...ada, ...change })
    t.match(await w.send('ada', 'right'), {
      outcome: 'answered',
      status: 403,
      code: 'password-change-required',
      user: '',
    })
    t.match(await w.send('ada', 'wrong'), { status: 401 }, 'only who knows the password learns that')
  }
  w.accounts.book.accounts.set('ada', { ...ada, changedAt: Date.now() - 89 * 86_400_000 })
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
})

t.test('an older hash is made anew at the first use, once', async (t) => {
  const old = await hashPassword('right', { memory: 8192, passes: 5, lanes: 1 })
  const w = world({ verify: verifyPassword }, 100, 0, { ada: old })
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
  const now = w.accounts.find('ada')!.password
  t.match(now, /m=19456,t=2,p=1/)
  t.equal(await verifyPassword(now, 'right'), true)
  t.match(await w.send('ada', 'right'), { outcome: 'passed' })
  t.equal(w.accounts.find('ada')!.password, now)
})

t.test('with a second factor a code follows the password, and counts once', async (t) => {
  const w = world()
  const { factor, recoveryCodes } = enrol()
  w.accounts.book.accounts.set('ada', { ...w.accounts.find('ada')!, secondFactor: factor })
  const step = Math.floor(Date.now() / STEP_MS)
  const wrong = await w.send('ada', 'wrong')
  t.same(await w.send('ada', 'right'), wrong, 'the password alone is not told to be right')
  const code = codeAt(factor, step)
  t.match(await w.send('ada', `right,${code}`), { outcome: 'passed' })
  t.same(await w.send('ada', `right,${code}`), wrong, 'a code counts once')
  t.same(await w.send('ada', `right,${codeAt(factor, step - 1)}`), wrong, 'and ends those before it')
  t.match(w.audited.at(-1), { event: 'authn_login_fail', reason: 'code of the second factor was used before' })
  t.match(await w.send('ada', `right,${recoveryCodes[0]!.toLowerCase()}`), { outcome: 'passed' })
  t.match(await w.send('ada', `right,${recoveryCodes[0]}`), { status: 401 }, 'a recovery code too')
  t.equal(w.accounts.find('ada')!.secondFactor!.recovery.length, 7)
  t.match(await w.send('bob', 'right,123456'), { status: 401 }, 'without a factor the comma is of the password')
  w.accounts.change = async () => {
    throw new ConfigurationError(['the file cannot be written'])
  }
  t.match(await w.send('ada', `right,${recoveryCodes[1]}`), { status: 401 }, 'what cannot be used up does not count')
  t.match(w.audited.at(-1), { reason: /cannot be used up/ })
})
