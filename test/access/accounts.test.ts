import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { isUserName, loadAccounts } from '../../src/access/accounts.ts'
import { addAccount } from '../../src/access/add-account.ts'
import { parseHash, unmatchableHash } from '../../src/access/passwords.ts'
import { ConfigurationError } from '../../src/errors.ts'

const HASH = unmatchableHash({ memory: 19_456, passes: 2, lanes: 1 })
const DEAR = unmatchableHash({ memory: 65_536, passes: 3, lanes: 1 })
const folder = t.testdir()

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
  t.same(accounts.names, ['ada', 'bob@example.com'])
  t.equal(accounts.hashOf('ada'), HASH)
  for (const name of ['Ada', 'eve', '', '__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    t.equal(accounts.hashOf(name), null, name)
  }
  t.end()
})

t.test('an unknown user costs what most accounts cost', (t) => {
  const entries = { a: { password: DEAR }, b: { password: HASH }, c: { password: DEAR } }
  const accounts = loadAccounts(fileOf(JSON.stringify({ accounts: entries })))
  t.match(parseHash(accounts.unknownHash), { memory: 65_536, passes: 3, lanes: 1 })
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
    ['no object', '[]', /must be \{ "accounts"/],
    ['null', 'null', /must be \{ "accounts"/],
    ['no accounts', '{}', /must be \{ "accounts"/],
    ['accounts is a list', '{"accounts":[]}', /must be \{ "accounts"/],
    ['empty', '{"accounts":{}}', /no account/],
    ['unknown key at the top', `{"accounts":{"ada":{"password":"${HASH}"}},"users":{}}`, /unknown key "users"/],
    ['unknown key in an account', `{"accounts":{"ada":{"password":"${HASH}","role":"x"}}}`, /unknown key "role"/],
    ['no password', '{"accounts":{"ada":{}}}', /has no "password"/],
    ['account is a string', `{"accounts":{"ada":"${HASH}"}}`, /must be \{ "password"/],
    ['account is null', '{"accounts":{"ada":null}}', /must be \{ "password"/],
    ['password is a number', account(12345678), /has no "password"/],
    ['clear text', account('SecretSecret1!'), /clear text/],
    ['bcrypt', account('$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW'), /other scheme|another scheme/],
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
    ['too large', ' '.repeat(1_048_577), /larger than/],
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

t.test('an account is added to a new and to a present file, which stays private', (t) => {
  const path = freshPath()
  addAccount(path, 'ada', HASH)
  addAccount(path, 'bob', DEAR)
  t.same(loadAccounts(path).names, ['ada', 'bob'])
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.same(readdirSync(join(path, '..')), ['accounts.json'], 'nothing is left behind')
  t.end()
})

t.test('what cannot be added changes nothing', (t) => {
  const path = freshPath()
  addAccount(path, 'ada', HASH)
  const before = readFileSync(path, 'utf8')
  const attempts: [() => void, RegExp][] = [
    [() => addAccount(path, 'ada', DEAR), /already/],
    [() => addAccount(path, 'bob', 'clear text'), /clear text/],
    [() => addAccount(path, 'b:b', HASH), /not acceptable/],
    [() => addAccount(path, '__proto__', HASH), /not acceptable/],
  ]
  for (const [attempt, message] of attempts) t.throws(attempt, { name: 'ConfigurationError', message })
  t.equal(readFileSync(path, 'utf8'), before)
  addAccount(path, 'ada', DEAR, { replace: true })
  t.equal(loadAccounts(path).hashOf('ada'), DEAR)
  t.end()
})

t.test('a present file that is broken or open to others is not overwritten', (t) => {
  const broken = fileOf('{"accounts":')
  t.throws(() => addAccount(broken, 'ada', HASH), { message: /not valid JSON/ })
  t.equal(readFileSync(broken, 'utf8'), '{"accounts":')
  const open = fileOf(JSON.stringify({ accounts: {} }), 0o644)
  t.throws(() => addAccount(open, 'ada', HASH), { message: /chmod 600/ })
  t.notOk(existsSync(`${open}.new`))
  t.end()
})

t.test('two writers at once: one is told', (t) => {
  const path = freshPath()
  addAccount(path, 'ada', HASH)
  writeFileSync(`${path}.new`, '')
  t.throws(() => addAccount(path, 'bob', HASH), { message: /another command/ })
  t.same(loadAccounts(path).names, ['ada'])
  t.end()
})

t.test('behind a symbolic link the file is replaced, not the link; a planted link is not written through', (t) => {
  const path = freshPath()
  addAccount(path, 'ada', HASH)
  const link = freshPath()
  symlinkSync(path, link)
  addAccount(link, 'bob', HASH)
  t.ok(lstatSync(link).isSymbolicLink())
  t.same(loadAccounts(path).names, ['ada', 'bob'])

  const victim = fileOf('precious')
  const other = freshPath()
  symlinkSync(victim, `${other}.new`)
  t.throws(() => addAccount(other, 'ada', HASH), { name: 'ConfigurationError' })
  t.equal(readFileSync(victim, 'utf8'), 'precious')
  t.end()
})

t.test('a folder that is not there is said', (t) => {
  t.throws(() => addAccount(join(folder, 'no', 'accounts.json'), 'ada', HASH), { message: /ENOENT/ })
  t.end()
})

t.test('what was written is what is read, for any acceptable name', (t) => {
  const names = fc.uniqueArray(fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._@+-]{0,20}$/), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(names, (all) => {
      const path = freshPath()
      for (const name of all) addAccount(path, name, HASH)
      return loadAccounts(path).names.toSorted().join() === all.toSorted().join()
    }),
    { seed: 11, numRuns: 25 },
  )
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (name) => !isUserName(name) || !/[\s:\p{C}]/u.test(name)),
    { seed: 12, numRuns: 500 },
  )
  t.end()
})
