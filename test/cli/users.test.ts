/** `portcullis users` as an operator meets it, and what is left when it is killed in the middle. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readAccountFile } from '../../src/access/account-file.ts'
import { unmatchableHash, verifyPassword } from '../../src/access/passwords.ts'
import { DEFAULT_COST } from '../../src/access/scheme.ts'
import { writeAccounts } from '../kit/accounts.ts'

const BIN = join(import.meta.dirname, '../../bin/portcullis.js')
const PASSWORD = 'horse7battery'

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function run(words: readonly string[], input = ''): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [BIN, 'users', ...words])
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => {
      out += chunk
    })
    child.stderr.on('data', (chunk) => {
      err += chunk
    })
    child.stdin.on('error', () => undefined)
    child.stdin.end(input)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

t.test('an account is added, listed, changed and removed, each recorded', async (t) => {
  const base = t.testdir({ transcripts: {} })
  const path = join(base, 'accounts.json')
  const audit = join(base, 'audit.log')
  const config = join(base, 'gateway.json')
  const transcripts = {
    address: '127.0.0.1:0',
    source: { folder: join(base, 'transcripts') },
    roles: { reader: { read: [{ paths: ['**'] }] } },
    signIn: { accounts: path, passwords: { minLength: 13 } },
  }
  writeFileSync(config, JSON.stringify({ listeners: { transcripts }, services: {}, routes: [], log: { audit } }))
  const users = (...words: string[]) => run([...words, '--config', config], `${PASSWORD}\n`)

  t.same(await users('add', 'ada', '--roles', 'reader,north', '--attributes', 'team=north,site=a b'), {
    code: 0,
    out: 'ada: added\n',
    err: '',
  })
  t.equal(statSync(path).mode & 0o777, 0o600)
  const ada = () => readAccountFile(path).accounts.get('ada')!
  t.match(ada(), { mustChange: true, roles: ['reader', 'north'], attributes: { team: 'north', site: 'a b' } })
  t.equal(await verifyPassword(ada().password, PASSWORD), true)
  t.match((await users('list')).out, /^name +state .*\nada +must change +\d{4}-\d\d-\d\d +no +reader,north\n$/)
  const file = join(base, 'password')
  writeFileSync(file, 'lanterns-5-rows\n')
  t.equal((await users('passwd', 'ada', '--own-choice', '--password-file', file)).code, 0)
  t.equal(await verifyPassword(ada().password, 'lanterns-5-rows'), true)
  t.match(ada(), { mustChange: false, previous: [/^\$argon2id/] })
  const before = ada().revision
  t.equal((await users('lock', 'ada')).code, 0)
  t.match(ada(), { locked: true })
  t.equal((await users('unlock', 'ada')).code, 0)
  t.match(ada(), { locked: false })
  t.ok(ada().revision > before)
  const totp = await users('totp', 'ada')
  t.match(totp.out, /otpauth:\/\/totp\/portcullis:ada\?secret=[A-Z2-7]{32}&/)
  t.equal(ada().secondFactor?.recovery.length, 8)
  t.equal((await users('totp', 'ada', '--remove')).code, 0)
  t.equal(ada().secondFactor, null)
  t.equal((await users('remove', 'ada')).code, 0)
  t.equal(readAccountFile(path).accounts.size, 0)

  const lines = readFileSync(audit, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, string>)
  t.same(
    lines.map(({ event, reason }) => `${event}: ${reason}`),
    [
      'user_created: users add ada',
      'sensitive_read: users list',
      'authn_password_change: users passwd ada',
      'user_updated: users lock ada',
      'user_updated: users unlock ada',
      'user_updated: users totp ada',
      'user_updated: users totp ada',
      'user_deleted: users remove ada',
    ],
  )
  t.ok(lines.every(({ user, outcome }) => user!.startsWith('os:') && outcome === 'success'))
  t.notMatch(readFileSync(audit, 'utf8'), /horse7|lanterns/)
})

t.test('what is wrong is said, and changes nothing', async (t) => {
  const base = t.testdir()
  const path = join(base, 'accounts.json')
  await writeAccounts(path, { ada: unmatchableHash(DEFAULT_COST) })
  const text = readFileSync(path, 'utf8')
  const missing = join(base, 'missing')
  for (const [words, input, code, said] of [
    [[], '', 2, /users: say what to do: add, passwd/],
    [['ad', 'ada'], '', 2, /say what to do/],
    [['add'], '', 2, /takes one name/],
    [['add', 'a', 'b'], '', 2, /takes one name/],
    [['list', 'ada'], '', 2, /takes no name/],
    [['add', 'ada', '--password', 'x'], '', 2, /no option "--password"; known are/],
    [['add', 'ada'], `${PASSWORD}\n`, 1, /there is an account "ada" already/],
    [['add', 'bob'], 'short\n', 1, /at least 12 characters/],
    [['add', 'bob-horses'], 'bob-horses-7\n', 1, /must not contain the user name/],
    [['add', 'bob'], '', 1, /no password/],
    [['add', 'b:b'], `${PASSWORD}\n`, 1, /name is not acceptable/],
    [['add', 'bob', '--roles', 'a b'], `${PASSWORD}\n`, 1, /not a name of a role/],
    [['add', 'bob', '--attributes', 'team'], `${PASSWORD}\n`, 1, /not name=value/],
    [['passwd', 'bob'], `${PASSWORD}\n`, 1, /has no account "bob"/],
    [['passwd', 'ada', '--password-file', missing], '', 1, /missing: cannot be read/],
    [['remove', '__proto__'], '', 1, /not acceptable/],
  ] as const) {
    const ended = await run([...words, '--file', path], input)
    t.equal(ended.code, code, words.join(' '))
    t.match(ended.err, said, words.join(' '))
    t.notMatch(ended.err + ended.out, /horse7| {4}at /)
  }
  t.equal(readFileSync(path, 'utf8'), text)
  t.same(readdirSync(base), ['accounts.json'])
})

t.test('killed in the middle it leaves the old file or the new one, and nobody waits for it', async (t) => {
  const base = t.testdir()
  const path = join(base, 'accounts.json')
  const hash = unmatchableHash(DEFAULT_COST)
  await writeAccounts(path, Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`user${i}`, hash])))
  const writer = join(import.meta.dirname, '../kit/account-writer.ts')
  for (let round = 0; round < 12; round++) {
    const child = spawn(process.execPath, [writer, path], { stdio: ['ignore', 'pipe', 'inherit'] })
    let changes = 0
    await new Promise<void>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        changes += chunk.length
        // In a different moment each round; the writer is always in the middle of something.
        if (changes > round) setTimeout(() => child.kill('SIGKILL'), round % 5)
      })
      child.on('close', () => resolve())
    })
    const { accounts } = readAccountFile(path)
    t.ok(accounts.size >= 500, `${accounts.size} accounts`)
    t.ok(Array.from({ length: 500 }, (_, i) => `user${i}`).every((name) => accounts.get(name)?.password === hash))
  }
  await writeAccounts(path, { last: hash })
  t.ok(readAccountFile(path).accounts.has('last'))
  t.same(
    readdirSync(base).filter((name) => name.endsWith('.new')),
    [],
    'what was left is cleared away',
  )
})
