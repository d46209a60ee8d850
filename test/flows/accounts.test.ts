/** Accounts from outside: the pages of an account by plain HTTP, programs beside them, and what the command changes meanwhile. */
import { spawn } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readAccountFile } from '../../src/access/account-file.ts'
import { hashPassword } from '../../src/access/passwords.ts'
import { codeAt, STEP_MS } from '../../src/access/totp.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { type Ask, type Reply, type RequestClient, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, type TestGateway, testConfig } from '../kit/gateway.ts'

const PASSWORD = 'horse7battery'
const NEXT = 'staple8lanterns'
const BIN = join(import.meta.dirname, '../../bin/portcullis.js')
const base = t.testdir()
const folder = join(base, 'transcripts')
mkdirSync(folder)
writeFileSync(join(folder, '2026-11-01-chat.json'), '{"channel":"web","messages":[{"from":"a","text":"hello"}]}')
const hash = await hashPassword(PASSWORD)

let made = 0
/** A gateway whose accounts all have the same password. */
async function world(
  names: string[],
  signIn: Json = {},
  more: object = {},
): Promise<{ gateway: TestGateway & { gateway: { log: { flush(): Promise<void> } } }; path: string }> {
  const path = join(base, `accounts-${made++}.json`)
  await writeAccounts(path, Object.fromEntries(names.map((name) => [name, hash])), { roles: ['reader'], ...more })
  const transcripts = {
    address: '127.0.0.1:0',
    hosts: ['localhost'],
    source: { folder },
    roles: EVERYTHING,
    signIn: { accounts: path, ...signIn },
  }
  const config = testConfig('http://127.0.0.1:9', {
    listeners: { transcripts, admin: { address: '127.0.0.1:0' } },
    routes: [],
  })
  return { gateway: await startGatewayHere(config), path }
}

const FORM = ['content-type', 'application/x-www-form-urlencoded', 'accept', 'text/html']
const JSON_BODY = ['content-type', 'application/json']
const PAGE = ['accept', 'text/html']

const form = (fields: Record<string, string>): string => new URLSearchParams(fields).toString()

function post(client: RequestClient, path: string, headers: string[], body: string): Promise<Reply> {
  return client.ask({ method: 'POST', path: `/.account/${path}`, headers, body })
}

/** The session that an answer begins, as a request field. */
function cookieOf(reply: Reply): string[] {
  const set = reply.header('set-cookie')
  if (set === null) throw new Error(`no cookie: ${reply.status} ${reply.text}`)
  return ['cookie', set.split(';')[0]!]
}

const basic = (user: string, password: string): string[] => [
  'authorization',
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`,
]

/** Runs `portcullis users ...` with a line of standard input. */
function users(words: string[], input = ''): Promise<{ code: number | null; out: string; err: string }> {
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
    child.stdin.end(input)
    child.on('close', (code) => resolve({ code, out, err }))
  })
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const { gateway, path } = await world(['ada', 'bob', 'eve', 'joan', 'kim'])
    const place = { port: gateway.port('listeners.transcripts.address') }
    const client = transport.open(place)
    t.teardown(async () => {
      await client.close()
      await gateway.close()
    })
    const ask = (ask: Ask): Promise<Reply> => client.ask(ask)

    t.test('a browser is led to the page, signs in, reads, and signs out', async (t) => {
      const led = await ask({ path: '/2026-11-01-chat.json?raw', headers: PAGE })
      t.equal(led.status, 303)
      t.equal(led.header('location'), '/.account/sign-in?next=%2F2026-11-01-chat.json%3Fraw')
      t.equal(led.header('www-authenticate'), null)
      const page = await ask({ path: led.header('location')!, headers: PAGE })
      t.equal(page.status, 200)
      t.match(page.header('cache-control'), /no-store/)
      t.match(page.header('content-security-policy'), /default-src 'none'.*form-action 'self'.*frame-ancestors 'none'/)
      t.match(page.text, /name="next" value="\/2026-11-01-chat\.json\?raw"/)
      t.notMatch(page.text, /<script/)
      const fields = { user: 'ada', password: PASSWORD, code: '', next: '/2026-11-01-chat.json?raw' }
      const done = await post(client, 'sign-in', FORM, form(fields))
      t.equal(done.status, 303)
      t.equal(done.header('location'), '/2026-11-01-chat.json?raw')
      t.match(done.header('set-cookie'), /^__Host-portcullis=.*; Path=\/; Secure; HttpOnly; SameSite=Strict$/)
      const cookie = cookieOf(done)
      t.match((await ask({ path: '/2026-11-01-chat.json', headers: cookie })).json(), { channel: 'web' })
      const out = await post(client, 'sign-out', [...cookie, ...PAGE], '')
      t.equal(out.status, 303)
      t.match(out.header('set-cookie'), /Max-Age=0/)
      t.equal((await ask({ path: '/', headers: cookie })).status, 401, 'the cookie is worth nothing now')
    })

    t.test('programs keep to Basic, or sign in by JSON', async (t) => {
      const asked = await ask({ path: '/' })
      t.equal(asked.status, 401)
      t.match(asked.header('www-authenticate'), /^Basic /)
      t.equal((await ask({ path: '/', headers: basic('ada', PASSWORD) })).status, 200)
      const wrong = await post(client, 'sign-in', JSON_BODY, JSON.stringify({ user: 'ada', password: 'x' }))
      t.equal(wrong.status, 401)
      t.match(wrong.json(), { code: 'sign-in-failed' })
      const right = await post(client, 'sign-in', JSON_BODY, JSON.stringify({ user: 'ada', password: PASSWORD }))
      t.equal(right.status, 204)
      t.equal((await ask({ path: '/', headers: cookieOf(right) })).status, 200)
    })

    t.test('what is wrong with a sign-in is not told, and nothing of it comes back but the name', async (t) => {
      const replies: Reply[] = []
      for (const fields of [
        { user: 'eve', password: 'wrong' },
        { user: 'nobody"><script>', password: PASSWORD },
      ]) {
        const reply = await post(client, 'sign-in', FORM, form(fields))
        t.equal(reply.status, 401)
        t.equal(reply.header('set-cookie'), null)
        t.match(reply.text, /role="alert".*is wrong/s)
        t.notMatch(reply.text, /<script|horse7/)
        replies.push(reply)
      }
      const plain = (reply: Reply, name: string) => reply.text.replace(`value="${name}"`, '')
      t.equal(plain(replies[0]!, 'eve'), plain(replies[1]!, 'nobody&quot;&gt;&lt;script&gt;'))
    })

    t.test('forms of other sites, and ways to other sites, are refused', async (t) => {
      const body = form({ user: 'ada', password: PASSWORD })
      for (const from of [
        ['origin', 'https://evil.example'],
        ['origin', 'null'],
        ['sec-fetch-site', 'cross-site'],
        ['sec-fetch-site', 'same-site'],
      ]) {
        for (const what of ['sign-in', 'password', 'sign-out']) {
          const reply = await post(client, what, [...FORM, ...from], body)
          t.equal(reply.status, 403, `${what} ${from}`)
          t.equal(reply.header('set-cookie'), null)
        }
      }
      const own = ['origin', `https://localhost:${place.port}`, 'sec-fetch-site', 'same-origin']
      for (const next of ['https://evil.example/', '//evil.example', '/\\evil.example', '/%0d%0ax: y\r\n', 'x']) {
        const reply = await post(client, 'sign-in', [...FORM, ...own], form({ user: 'ada', password: PASSWORD, next }))
        t.equal(reply.status, 303)
        t.ok(['/', '/%0d%0ax'].includes(reply.header('location')!), `${next}: ${reply.header('location')}`)
      }
    })

    t.test('forms that are no forms', async (t) => {
      for (const [headers, body, status] of [
        [FORM, '', 400],
        [FORM, 'user=ada', 400],
        [FORM, 'user=ada&user=bob&password=x', 400],
        [FORM, 'user=ada&password=x&more=y', 400],
        [FORM, Buffer.from([0x75, 0xff]).toString('latin1'), 400],
        [JSON_BODY, '[]', 400],
        [JSON_BODY, '{"user":1,"password":"x"}', 400],
        [JSON_BODY, '{', 400],
        [['content-type', 'text/plain'], 'user=ada&password=x', 415],
        [FORM, `user=ada&password=${'x'.repeat(20_000)}`, 413],
      ] as const) {
        t.equal((await post(client, 'sign-in', [...headers], body)).status, status, body.slice(0, 40))
      }
      for (const missing of ['/.account', '/.account/', '/.account/other', '/.account/sign-in/x']) {
        t.ok([401, 404].includes((await ask({ path: missing })).status), missing)
      }
      t.equal((await ask({ path: '/.account/sign-out', headers: PAGE })).status, 404, 'by POST only')
    })

    t.test('a password that somebody else chose opens the page to change it, and nothing else', async (t) => {
      const password = 'given4you-today'
      const { code } = await users(['passwd', 'bob', '--file', path], `${password}\n`)
      t.equal(code, 0)
      t.match((await ask({ path: '/', headers: basic('bob', password) })).json(), { code: 'password-change-required' })
      const signed = await post(client, 'sign-in', FORM, form({ user: 'bob', password, next: '/?q=x' }))
      t.equal(signed.header('location'), '/.account/password?next=%2F%3Fq%3Dx&why=first-use')
      const cookie = cookieOf(signed)
      const led = await ask({ path: '/', headers: [...cookie, ...PAGE] })
      t.match(led.header('location'), /^\/\.account\/password/)
      t.equal((await ask({ path: '/', headers: cookie })).status, 403)
      const page = await ask({ path: led.header('location')!, headers: [...cookie, ...PAGE] })
      t.match(page.text, /at least 12 characters/)
      t.match(page.text, /value="bob"/)
      const change = (newPassword: string, again = newPassword) =>
        post(
          client,
          'password',
          [...FORM, ...cookie],
          form({ user: 'bob', password, newPassword, again, next: '/?q=x' }),
        )
      for (const [bad, said] of [
        ['short1', /at least 12 characters/],
        ['bobby7-lanterns', /must not contain the user name/],
        [password, /must not be one of the last 4/],
        [PASSWORD, /must not be one of the last 4/],
        ['Password12345', /often used/],
      ] as const) {
        const reply = await change(bad)
        t.equal(reply.status, 422, bad)
        t.match(reply.text, said)
      }
      t.match((await change(NEXT, 'another7lantern')).text, /two new passwords differ/)
      const done = await change(NEXT)
      t.equal(done.status, 303)
      t.equal(done.header('location'), '/?q=x')
      t.equal((await ask({ path: '/', headers: cookieOf(done) })).status, 200)
      t.equal((await ask({ path: '/', headers: cookie })).status, 401, 'sessions of before are over')
      t.equal((await ask({ path: '/', headers: basic('bob', password) })).status, 401)
      t.equal((await ask({ path: '/', headers: basic('bob', NEXT) })).status, 200)
    })

    t.test('a program changes its password; the last four do not come again', async (t) => {
      const words = ['lanterns-in-5-rows', 'quiet-9-harbours', 'seven-8-kettles', 'paper-6-boats']
      let present = PASSWORD
      const change = (newPassword: string) =>
        post(client, 'password', JSON_BODY, JSON.stringify({ user: 'joan', password: present, newPassword }))
      for (const next of words) {
        t.equal((await change(next)).status, 204)
        present = next
        const again = await change(present)
        t.equal(again.status, 422)
        t.match(again.json(), { code: 'password-refused', problems: [/last 4/] })
      }
      for (const old of words) t.equal((await change(old)).status, 422, old)
      t.equal((await change(PASSWORD)).status, 204, 'the fifth back may')
      const stored = readAccountFile(path).accounts.get('joan')!
      t.equal(stored.previous.length, 3)
      t.ok([stored.password, ...stored.previous].every((each) => each.startsWith('$argon2id$')))
    })

    t.test('with a second factor: on the page, and by a program', async (t) => {
      const enrolled = await users(['totp', 'kim', '--file', path])
      const secret = /secret=([A-Z2-7]+)&/.exec(enrolled.out)![1]!
      const recovery = /([2-9A-Z]{4}-){3}[2-9A-Z]{4}/.exec(enrolled.out)![0]
      const factor = { secret, algorithm: 'sha1' } as const
      const step = Math.floor(Date.now() / STEP_MS)
      const signIn = (code: string) => post(client, 'sign-in', FORM, form({ user: 'kim', password: PASSWORD, code }))
      t.equal((await signIn('')).status, 401)
      const code = codeAt(factor, step)
      const cookie = cookieOf(await signIn(code))
      t.equal((await ask({ path: '/', headers: cookie })).status, 200)
      t.equal((await ask({ path: '/', headers: cookie })).status, 200, 'the session needs no further code')
      t.equal((await signIn(code)).status, 401, 'a code counts once')
      t.equal((await ask({ path: '/', headers: basic('kim', `${PASSWORD},${codeAt(factor, step + 1)}`) })).status, 200)
      t.equal((await ask({ path: '/', headers: basic('kim', PASSWORD) })).status, 401)
      t.equal((await signIn(recovery.toLowerCase())).status, 303)
      t.equal((await signIn(recovery)).status, 401)
      const fields = { user: 'kim', password: PASSWORD, newPassword: NEXT, again: NEXT }
      t.equal((await post(client, 'password', FORM, form(fields))).status, 401, 'the code guards the change as well')
      t.equal((await post(client, 'password', [...FORM, ...cookie], form(fields))).status, 303, 'but not twice')
      await gateway.gateway.log.flush()
      const all = JSON.stringify([...gateway.auditLines(), ...gateway.accessLines()])
      for (const each of [secret, recovery, code, PASSWORD, NEXT]) t.notOk(all.includes(each))
      const events = new Set(gateway.auditLines().map(({ event }) => event))
      for (const event of ['authn_password_change', 'authn_password_change_fail', 'session_expired']) {
        t.ok(events.has(event), event)
      }
    })
  })
}

t.test('what the command changes holds at once, on the gateway that runs', async (t) => {
  const { gateway, path } = await world(['ada', 'bob'], { lockAfter: 2, knownFor: '0 s' })
  const client = requestTransports[0]!.open({ port: gateway.port('listeners.transcripts.address') })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
  })
  const status = async (user: string, password = PASSWORD) =>
    (await client.ask({ path: '/', headers: basic(user, password) })).status
  const command = async (...words: string[]) => {
    const { code, err } = await users([...words, '--file', path], `${NEXT}\n`)
    t.equal(code, 0, err)
  }
  const session = cookieOf(
    await post(client, 'sign-in', JSON_BODY, JSON.stringify({ user: 'ada', password: PASSWORD })),
  )
  t.equal((await client.ask({ path: '/', headers: session })).status, 200)
  for (let i = 0; i < 2; i++) t.equal(await status('ada', `wrong${i}`), 401)
  t.equal(await status('ada'), 429)
  await command('unlock', 'ada')
  t.equal(await status('ada'), 200)
  await command('lock', 'ada')
  t.equal(await status('ada'), 401)
  t.equal((await client.ask({ path: '/', headers: session })).status, 401, 'the session too')
  await command('unlock', 'ada')
  t.equal(await status('ada'), 200)
  await command('add', 'grace', '--own-choice', '--roles', 'reader')
  t.equal(await status('grace', NEXT), 200)
  await command('roles', 'grace', '--roles', 'none')
  const list = await client.ask({ path: '/', headers: basic('grace', NEXT) })
  t.match(list.json(), { total: 0 })
  await command('remove', 'bob')
  t.equal(await status('bob'), 401)
})

t.test('an old htpasswd file with bcrypt works, and is argon2id after the first use', async (t) => {
  const path = join(base, 'htpasswd')
  const { hashSync } = await import('bcryptjs')
  writeFileSync(path, `ada:${hashSync(PASSWORD, 5)}\nbob:${hashSync(PASSWORD, 5)}\n`, { mode: 0o600 })
  const transcripts = {
    address: '127.0.0.1:0',
    hosts: ['localhost'],
    source: { folder },
    roles: EVERYTHING,
    signIn: { accounts: path, defaultRoles: ['reader'] },
  }
  const listeners = { transcripts, admin: { address: '127.0.0.1:0' } }
  const gateway = await startGatewayHere(testConfig('http://127.0.0.1:9', { listeners, routes: [] }))
  const client = requestTransports[0]!.open({ port: gateway.port('listeners.transcripts.address') })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
  })
  t.equal((await client.ask({ path: '/', headers: basic('ada', 'wrong') })).status, 401)
  t.equal((await client.ask({ path: '/', headers: basic('ada', PASSWORD) })).status, 200)
  const { accounts } = readAccountFile(path)
  t.match(accounts.get('ada')!.password, /^\$argon2id\$/)
  t.match(accounts.get('bob')!.password, /^\$2/)
  t.equal((await client.ask({ path: '/', headers: basic('ada', PASSWORD) })).status, 200)
})
