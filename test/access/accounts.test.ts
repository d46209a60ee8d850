import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { isUserName } from '../../src/access/account.ts'
import { changeAccounts } from '../../src/access/account-changes.ts'
import { AccountStore } from '../../src/access/accounts.ts'
import { unmatchableHash } from '../../src/access/passwords.ts'
import { parseHash } from '../../src/access/scheme.ts'
import { ConfigurationError } from '../../src/errors.ts'
import { writeAccounts } from '../kit/accounts.ts'

const HASH = unmatchableHash({ memory: 19_456, passes: 2, lanes: 1 })
const DEAR = unmatchableHash({ memory: 65_536, passes: 3, lanes: 1 })
const folder = t.testdir()

/** Opens the file as a gateway does. */
function loadAccounts(path: string, now?: () => number) {
  const told: string[] = []
  const store = new AccountStore(
    path,
    { onChanged: () => told.push('changed'), onBroken: (problems) => told.push(...problems) },
    now,
  )
  return { store, told, hashOf: (name: string) => store.find(name)?.password ?? null }
}

/** Names in a file, by its text. */
function namesIn(path: string): string[] {
  return Object.keys((JSON.parse(readFileSync(path, 'utf8')) as { accounts: object }).accounts)
}

let made = 0
function freshPath(): string {
  const own = join(folder, String(made++))
  mkdirSync(own)
  return join(own, 'accounts.json')
}

function fileOf(content: string | Buffer, mode = 0o600): string {
  const path = freshPath()
  writeFileSync(path, content)
  chmodSync(path, mode)
  return path
}

function problemsOf(path: string): readonly string[] {
  try {
    loadAccounts(path)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
  return []
}

t.test('a good file is read', (t) => {
  const path = fileOf(JSON.stringify({ accounts: { ada: { password: HASH }, 'bob@example.com': { password: DEAR } } }))
  const accounts = loadAccounts(path)
  t.equal(accounts.hashOf('ada'), HASH)
  for (const name of ['Ada', 'eve', '', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    t.equal(accounts.hashOf(name), null, name)
  }
  t.end()
})

t.test('an unknown user costs what most accounts cost', (t) => {
  const entries = { a: { password: DEAR }, b: { password: HASH }, c: { password: DEAR } }
  const accounts = loadAccounts(fileOf(JSON.stringify({ accounts: entries })))
  t.match(parseHash(accounts.store.unknownHash), { memory: 65_536, passes: 3, lanes: 1 })
  t.end()
})

t.test('a file that others may read or write is refused, and the remedy is said', (t) => {
  const good = JSON.stringify({ accounts: { ada: { password: HASH } } })
  for (const mode of [0o640, 0o604, 0o620, 0o602, 0o610, 0o601, 0o644, 0o666, 0o777]) {
    const path = fileOf(good, mode)
    const problems = problemsOf(path)
    t.equal(problems.length, 1)
    t.ok(problems[0]?.includes(`chmod 600 ${path}`), mode.toString(8))
  }
  for (const mode of [0o600, 0o400, 0o700]) t.same(problemsOf(fileOf(good, mode)), [], mode.toString(8))
  t.end()
})

t.test('every mistake is told, with the file and never with a hash or a password', (t) => {
  const account = (password: unknown) => JSON.stringify({ accounts: { ada: { password } } })
  const table: [string, string | Buffer, RegExp][] = [
    ['empty file', '', /not valid JSON/],
    ['not JSON', '{ "accounts": { ada: 1 } }', /not valid JSON/],
    ['half written', `{"accounts":{"ada":{"password":"${HASH}`, /not valid JSON/],
    ['no object', '[]', /neither JSON nor/],
    ['null', 'null', /neither JSON nor/],
    ['no accounts', '{}', /must be \{ "version"/],
    ['accounts is a list', '{"accounts":[]}', /must be \{ "version"/],
    ['empty', '{"accounts":{}}', /no account/],
    ['unknown key at the top', `{"accounts":{"ada":{"password":"${HASH}"}},"users":{}}`, /unknown key "users"/],
    ['unknown key in an account', `{"accounts":{"ada":{"password":"${HASH}","role":"x"}}}`, /unknown key "role"/],
    ['no password', '{"accounts":{"ada":{}}}', /has no "password"/],
    ['account is a string', `{"accounts":{"ada":"${HASH}"}}`, /must be \{ "password"/],
    ['account is null', '{"accounts":{"ada":null}}', /must be \{ "password"/],
    ['password is a number', account(12345678), /has no "password"/],
    ['clear text', account('SecretSecret1!'), /clear text/],
    ['half a bcrypt hash', account('$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36W'), /not a whole bcrypt/],
    ['a newer version', `{"version":3,"accounts":{"ada":{"password":"${HASH}"}}}`, /newer gateway/],
    ['a short key', `{"version":2,"key":"abc","accounts":{"ada":{"password":"${HASH}"}}}`, /"key" must be/],
    ['no date', `{"accounts":{"ada":{"password":"${HASH}","changed":"soon"}}}`, /no date/],
    ['no flag', `{"accounts":{"ada":{"password":"${HASH}","locked":"yes"}}}`, /"locked" must be/],
    ['previous in clear text', `{"accounts":{"ada":{"password":"${HASH}","previous":["x"]}}}`, /"previous" must be/],
    ['no name of a role', `{"accounts":{"ada":{"password":"${HASH}","roles":["a b"]}}}`, /"roles" must be/],
    ['attributes', `{"accounts":{"ada":{"password":"${HASH}","attributes":{"team":1}}}}`, /"attributes" must be/],
    [
      'a weak secret',
      `{"accounts":{"ada":{"password":"${HASH}","secondFactor":{"secret":"JBSWY3DP","algorithm":"sha1","recovery":[]}}}}`,
      /no secret of 128 bits/,
    ],
    ['htpasswd with MD5', 'ada:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/', /:1: account "ada": the password is apr1: MD5/],
    [
      'htpasswd with SHA',
      '# users\nada:{SHA}W6ph5Mm5Pz8GgiULbPgzG37mj9g=',
      /:2: account "ada": the password is \{SHA\}/,
    ],
    ['htpasswd with clear text', 'ada:SecretSecret1!', /clear text/],
    ['no colon', 'just some text', /neither JSON nor/],
    ['weak', account(HASH.replace('m=19456', 'm=1024')), /too weak/],
    ['monstrous', account(HASH.replace('m=19456', 'm=4194304')), /more than one sign-in/],
    ['name with a colon', `{"accounts":{"a:b":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['empty name', `{"accounts":{"":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['name of a prototype', `{"accounts":{"__proto__":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['name like a hidden one', `{"accounts":{"?0a1b2c3d":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['name with a line break', `{"accounts":{"a\\nb":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['decomposed name', `{"accounts":{"u\u0308ber":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['long name', `{"accounts":{"${'a'.repeat(65)}":{"password":"${HASH}"}}}`, /the name is not acceptable/],
    ['twice the same', `{"accounts":{"ada":{"password":"${HASH}"},"ada":{"password":"${HASH}"}}}`, /more than once/],
    [
      'twice, escaped',
      `{"accounts":{"ada":{"password":"${HASH}"},"\\u0061da":{"password":"${HASH}"}}}`,
      /more than once/,
    ],
    ['two passwords', `{"accounts":{"ada":{"password":"${HASH}","password":"${HASH}"}}}`, /more than once/],
    ['invalid UTF-8', Buffer.from([0x7b, 0xff, 0x7d]), /cannot be read/],
    ['too large', ' '.repeat(4_194_305), /larger than/],
  ]
  for (const [about, content, expected] of table) {
    const path = fileOf(content)
    const problems = problemsOf(path)
    t.ok(
      problems.some((each) => expected.test(each)),
      `${about}: ${problems.join(' | ')}`,
    )
    t.ok(
      problems.every((each) => each.startsWith(path)),
      `${about}: the file is named`,
    )
    t.notOk(
      /SecretSecret1!|[A-Za-z0-9+/]{22,}\$|\$2b\$12/.test(problems.join()),
      `${about}: no hash in ${problems.join()}`,
    )
  }
  t.end()
})

t.test('the place of a syntax error is told', (t) => {
  const [problem] = problemsOf(fileOf('{\n  "accounts": {\n    x\n'))
  t.match(problem, /:3:5: is not valid JSON/)
  t.end()
})

t.test('what is no file is refused at once', (t) => {
  t.match(problemsOf(join(folder, 'missing.json')), [/ENOENT/])
  t.match(problemsOf(folder), [/is not a file/])
  const fifo = join(folder, 'fifo')
  execFileSync('mkfifo', ['-m', '600', fifo])
  t.match(problemsOf(fifo), [/is not a file/])
  t.end()
})

t.test('several problems are told together', (t) => {
  const path = fileOf('{"accounts":{"a b":{"password":"x"},"c":{}},"more":1}')
  t.equal(problemsOf(path).length, 4)
  t.end()
})

t.test('an account is added to a new and to a present file, which stays private', async (t) => {
  const path = freshPath()
  await writeAccounts(path, { ada: HASH })
  await writeAccounts(path, { bob: DEAR })
  t.same(namesIn(path), ['ada', 'bob'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(path, '..')), ['accounts.json'], 'nothing is left behind')
})

t.test('a present file that is broken or open to others is not overwritten', async (t) => {
  const broken = fileOf('{"accounts":')
  await t.rejects(writeAccounts(broken, { ada: HASH }), { message: /not valid JSON/ })
  t.equal(readFileSync(broken, 'utf8'), '{"accounts":')
  const open = fileOf(JSON.stringify({ accounts: {} }), 0o644)
  await t.rejects(writeAccounts(open, { ada: HASH }), { message: /chmod 600/ })
  t.same(readdirSync(join(open, '..')), ['accounts.json'])
})

t.test('a change that throws changes nothing', async (t) => {
  const path = freshPath()
  await writeAccounts(path, { ada: HASH })
  const before = readFileSync(path, 'utf8')
  const change = changeAccounts(path, ({ accounts }) => {
    accounts.clear()
    throw new ConfigurationError(['no'])
  })
  await t.rejects(change, { message: 'no' })
  t.equal(readFileSync(path, 'utf8'), before)
  t.same(readdirSync(join(path, '..')), ['accounts.json'])
})

t.test('many writers at once: each change is there', async (t) => {
  const path = freshPath()
  await writeAccounts(path, { ada: HASH })
  const names = Array.from({ length: 20 }, (_, i) => `user${i}`)
  await Promise.all(names.map((name) => writeAccounts(path, { [name]: HASH })))
  t.same(namesIn(path).toSorted(), ['ada', ...names].toSorted())
})

t.test('who holds the lock is waited for, and told where it does not end', async (t) => {
  const path = freshPath()
  await writeAccounts(path, { ada: HASH })
  writeFileSync(`${path}.lock`, 'elsewhere\n1\n2\n')
  const change = changeAccounts(path, ({ accounts }) => accounts.clear(), 30)
  await t.rejects(change, { message: /is being changed by another process/ })
  t.same(namesIn(path), ['ada'])
})

t.test(
  'behind a symbolic link the file is replaced, not the link; a planted link is not written through',
  async (t) => {
    const path = freshPath()
    await writeAccounts(path, { ada: HASH })
    const link = freshPath()
    symlinkSync(path, link)
    await writeAccounts(link, { bob: HASH })
    t.ok(lstatSync(link).isSymbolicLink())
    t.same(namesIn(path), ['ada', 'bob'])
    const victim = fileOf('precious')
    const other = freshPath()
    symlinkSync(victim, `${other}.new`)
    await writeAccounts(other, { ada: HASH })
    t.equal(readFileSync(victim, 'utf8'), 'precious')
  },
)

t.test('a folder that is not there is said', async (t) => {
  await t.rejects(writeAccounts(join(folder, 'no', 'accounts.json'), { ada: HASH }), { message: /ENOENT/ })
})

t.test('all that an account is comes back as it was written', async (t) => {
  const path = freshPath()
  const more = {
    changedAt: Date.parse('2026-11-01T09:00:00Z'),
    mustChange: true,
    previous: [DEAR, HASH],
    locked: true,
    roles: ['reader', 'north'],
    attributes: { team: 'north' },
    secondFactor: { secret: 'A'.repeat(32), algorithm: 'sha1' as const, recovery: ['x'.repeat(43)] },
    revision: 17,
  }
  await writeAccounts(path, { ada: HASH }, more)
  const key = loadAccounts(path).store.key
  await writeAccounts(path, { bob: HASH })
  const { store } = loadAccounts(path)
  t.same(store.find('ada'), { name: 'ada', password: HASH, ...more })
  t.same(store.key, key, 'the key of the file stays')
})

t.test('an htpasswd file is read, and becomes our own form with the first change', async (t) => {
  const bcrypt = '$2y$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'
  const path = fileOf(`# readers\nada:${bcrypt}\r\n\nbob:${HASH}\n`)
  const { hashOf } = loadAccounts(path)
  t.equal(hashOf('ada'), bcrypt)
  await writeAccounts(path, { joan: HASH })
  t.same(namesIn(path), ['ada', 'bob', 'joan'])
})

t.test('a change of the file is seen at once; a broken file changes nothing and is told once', async (t) => {
  let now = 0
  const path = freshPath()
  await writeAccounts(path, { ada: HASH })
  const { hashOf, told } = loadAccounts(path, () => now)
  await writeAccounts(path, { bob: HASH })
  t.equal(hashOf('bob'), null)
  now += 50
  t.equal(hashOf('bob'), HASH)
  t.same(told, ['changed'])
  writeFileSync(path, 'half')
  for (let i = 0; i < 3; i++) {
    now += 50
    t.equal(hashOf('bob'), HASH)
  }
  t.equal(told.length, 2)
  t.match(told[1], /neither JSON nor/)
  rmSync(path)
  now += 50
  t.equal(hashOf('ada'), HASH)
  await writeAccounts(path, { eve: HASH })
  now += 50
  t.equal(hashOf('ada'), null)
  t.equal(hashOf('eve'), HASH)
})

t.test('what was written is what is read, for any acceptable name', async () => {
  const names = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}$/), { minLength: 1, maxLength: 5 })
  await fc.assert(
    fc.asyncProperty(names, async (all) => {
      const path = freshPath()
      for (const name of all) await writeAccounts(path, { [name]: HASH })
      const { hashOf } = loadAccounts(path)
      return all.every((name) => hashOf(name) === HASH)
    }),
    { seed: 11, numRuns: 25 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => !isUserName(name) || !/[\s:\p{C}]/u.test(name)),
    { seed: 12, numRuns: 500 },
  )
})

t.test('no text of an accounts file makes the reader throw anything but its problems', (t) => {
  const path = freshPath()
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string({ unit: 'binary', maxLength: 300 })), (text) => {
      writeFileSync(path, text, { mode: 0o600 })
      return problemsOf(path).length > 0
    }),
    { seed: 13, numRuns: 300 },
  )
  t.end()
})
