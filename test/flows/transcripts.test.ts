/** The transcripts listener from outside: who may read, what is shown, what is written down about it. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { type Ask, openHttp1, type Reply, type RequestClient, rawExchange, requestTransports } from '../kit/clients.ts'
import { type Json, startGateway, startGatewayHere, type TestGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startUpstream } from '../kit/upstream.ts'

const PASSWORD = 'Correct-horse-7-battery'
const WRONG = 'Wrong-horse-8-staple'
const USERS = ['ada', 'bob-h1', 'bob-h2', 'eve', 'grace', 'joan', 'zoë']
const base = t.testdir()
const accounts = join(base, 'accounts.json')
const hash = await hashPassword(PASSWORD)
await writeAccounts(accounts, Object.fromEntries(USERS.map((user) => [user, hash])), { roles: ['reader'] })

const folder = join(base, 'transcripts')
const CHAT = {
  id: 'chat-17',
  channel: 'web',
  startedAt: '2026-11-01T09:00:00Z',
  participants: [{ name: 'Grace', role: 'agent' }],
  messages: [
    { at: '2026-11-01T09:00:01Z', from: 'Customer', text: 'a < b <script>alert(1)</script>' },
    { at: '2026-11-01T09:00:05Z', from: 'Grace', text: 'Hello' },
  ],
}
const LONG = Buffer.alloc(500_000, '0123456789')
mkdirSync(join(folder, '2026', '11'), { recursive: true })
mkdirSync(join(folder, '.private'))
writeFileSync(join(folder, '2026-11-01-chat.json'), JSON.stringify(CHAT))
writeFileSync(join(folder, '2026', '11', 'long.txt'), LONG)
writeFileSync(join(folder, '2026-10-05 old.html'), '<h1>Old</h1><script>alert(1)</script>')
writeFileSync(join(folder, '.private', 'a.json'), 'SECRET')
writeFileSync(join(folder, '.hidden.txt'), 'SECRET')
writeFileSync(join(folder, 'notes.md'), 'SECRET')
writeFileSync(join(base, 'secret.txt'), 'SECRET')
symlinkSync('../secret.txt', join(folder, 'link.txt'))
symlinkSync(base, join(folder, 'up'))

const basic = (user: string, password: string): string =>
  `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
const as = (user: string, password = PASSWORD, ...more: string[]): string[] => [
  'authorization',
  basic(user, password),
  ...more,
]

function listener(more: Json = {}, signIn: Json | null = {}): Json {
  return {
    address: '127.0.0.1:0',
    hosts: ['localhost', '127.0.0.1'],
    source: { folder },
    roles: EVERYTHING,
    ...(signIn === null ? {} : { signIn: { accounts, ...signIn } }),
    ...more,
  }
}

function withTranscripts(transcripts: Json, more: Json = {}): Json {
  return testConfig('http://127.0.0.1:9', {
    listeners: { transcripts, admin: { address: '127.0.0.1:0' } },
    routes: [],
    ...more,
  })
}

const placeOf = (gateway: TestGateway) => ({ port: gateway.port('listeners.transcripts.address') })

/** Asks, and holds what every answer must hold. */
function reader(t: Tap, client: RequestClient): (ask: Ask) => Promise<Reply> {
  return async (ask) => {
    const reply = await client.ask(ask)
    const what = `${ask.method ?? 'GET'} ${ask.path} ${reply.status}`
    t.match(reply.header('cache-control'), /no-store/, `no-store: ${what}`)
    t.equal(reply.header('x-content-type-options'), 'nosniff', what)
    t.match(reply.header('strict-transport-security'), /max-age/, what)
    t.equal(reply.header('set-cookie'), null, what)
    t.equal(reply.header('access-control-allow-origin'), null, what)
    return reply
  }
}
type Tap = Pick<typeof t, 'match' | 'equal'>

const gateway = await startGatewayHere(withTranscripts(listener()))
t.teardown(() => gateway.close())

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(placeOf(gateway))
    t.teardown(() => client.close())
    const ask = reader(t, client)
    const read = (path: string, ...more: string[]): Promise<Reply> =>
      ask({ path, headers: as('ada', PASSWORD, ...more) })

    t.test('nothing without the right password, and no word of what there is', async (t) => {
      const answers: Reply[] = []
      for (const headers of [
        [],
        as('ada', WRONG),
        as('nobody', PASSWORD),
        ['authorization', 'Basic'],
        ['authorization', 'Basic !!!'],
        ['authorization', `Bearer ${PASSWORD}`],
        ['authorization', `Basic ${Buffer.from('ada').toString('base64')}`],
        ['authorization', `Basic ${Buffer.from('ada:').toString('base64')}`],
        ['authorization', `Basic ${Buffer.from(`:${PASSWORD}`).toString('base64')}`],
      ]) {
        for (const path of ['/2026-11-01-chat.json', '/missing.json']) {
          // A few wrong ones only: the account must not be locked here.
          if (headers[1] === basic('ada', WRONG) && path === '/missing.json') continue
          const reply = await ask({ path, headers })
          t.equal(reply.status, 401, headers.join(' '))
          t.equal(reply.header('www-authenticate'), 'Basic realm="transcripts", charset="UTF-8"')
          t.notMatch(reply.text, /chat-17|Grace/)
          answers.push(reply)
        }
      }
      const said = answers.map((each) => (each.json() as { code: string }).code)
      t.same([...new Set(said)].toSorted(), ['sign-in-failed', 'sign-in-required'])
    })

    t.test('two fields of credentials are one too many', async (t) => {
      const credentials = basic('ada', PASSWORD)
      if (transport.name === 'h1') {
        const result = await rawExchange(
          placeOf(gateway),
          `GET / HTTP/1.1\r\nhost: localhost\r\nauthorization: ${credentials}\r\nauthorization: ${credentials}\r\nconnection: close\r\n\r\n`,
        )
        t.same(result.statuses, [400])
        t.match(result.text, /cache-control: no-store/i)
      } else {
        const reply = await client
          .ask({ path: '/', headers: as('ada', PASSWORD, 'authorization', credentials) })
          .catch(() => null)
        // The HTTP/2 library of the client or of the gateway may refuse it first.
        t.ok(reply === null || reply.status !== 200)
      }
    })

    t.test('the right password opens the list, for people and for programs', async (t) => {
      const page = await read('/', 'accept', 'text/html,*/*;q=0.8')
      t.equal(page.status, 200)
      t.match(page.header('content-type'), /^text\/html/)
      t.match(page.header('content-security-policy'), /default-src 'none'/)
      t.ok(page.text.includes('2026-11-01-chat.json'))
      t.notMatch(page.text, /hidden|private|notes\.md|link\.txt|secret/)
      const data = await read('/', 'accept', 'application/json')
      t.equal(data.header('content-type'), 'application/json')
      const names = (data.json() as { transcripts: { name: string }[] }).transcripts.map(({ name }) => name)
      t.same(names.toSorted(), ['2026-10-05 old.html', '2026-11-01-chat.json', '2026/11/long.txt'])
      const found = await read('/?q=CHAT', 'accept', 'application/json')
      t.equal((found.json() as { total: number }).total, 1)
    })

    t.test('a conversation is a page for people, where nothing of it is live, and data for programs', async (t) => {
      const page = await read('/2026-11-01-chat.json', 'accept', 'text/html')
      t.equal(page.status, 200)
      t.match(page.header('content-type'), /^text\/html/)
      t.ok(page.text.includes('a &lt; b &lt;script&gt;alert(1)&lt;/script&gt;'))
      t.notMatch(page.text, /<script/)
      t.match(page.header('content-security-policy'), /default-src 'none'/)
      for (const reply of [
        await read('/2026-11-01-chat.json?raw', 'accept', 'text/html'),
        await read('/2026-11-01-chat.json'),
      ]) {
        t.equal(reply.header('content-type'), 'application/json')
        t.same(reply.json(), CHAT)
      }
    })

    t.test('stored HTML is shown in a box of its own', async (t) => {
      const reply = await read('/2026-10-05%20old.html')
      t.equal(reply.status, 200)
      t.match(reply.header('content-security-policy'), /^sandbox;.*default-src 'none'/)
    })

    t.test('large ones come whole, in part, and as a head only', async (t) => {
      const path = '/2026/11/long.txt'
      const whole = await read(path)
      t.equal(whole.body.equals(LONG), true)
      t.equal(whole.header('content-length'), String(LONG.length))
      const part = await read(path, 'range', 'bytes=10-24')
      t.equal(part.status, 206)
      t.equal(part.text, '012345678901234')
      t.equal(part.header('content-range'), `bytes 10-24/${LONG.length}`)
      t.equal((await read(path, 'range', 'bytes=-3')).text, '789')
      t.equal((await read(path, 'range', `bytes=${LONG.length - 2}-`)).text, '89')
      const beyond = await read(path, 'range', `bytes=${LONG.length}-`)
      t.equal(beyond.status, 416)
      t.equal(beyond.header('content-range'), `bytes */${LONG.length}`)
      const head = await ask({ method: 'HEAD', path, headers: as('ada') })
      t.match(head, { status: 200, text: '', isComplete: true })
      t.equal(head.header('content-length'), String(LONG.length))
      const list = await ask({ method: 'HEAD', path: '/', headers: as('ada') })
      t.match(list, { status: 200, text: '', isComplete: true })
    })

    t.test('a client that leaves in the middle harms nobody', async (t) => {
      const other = transport.open(placeOf(gateway))
      const leave = new AbortController()
      const cut = await other.ask({
        path: '/2026/11/long.txt',
        headers: as('ada'),
        signal: leave.signal,
        onData: () => leave.abort(),
      })
      await other.close()
      t.ok(!cut.isComplete || cut.body.length === LONG.length)
      t.equal((await read('/2026/11/long.txt')).body.length, LONG.length)
    })

    t.test('no path leads out of the folder, or to what is hidden in it', async (t) => {
      for (const path of [
        '/../secret.txt',
        '/../../etc/passwd',
        '/2026/../../secret.txt',
        '/%2e%2e/secret.txt',
        '/.%2e/secret.txt',
        '/..%2fsecret.txt',
        '/..%2Fsecret.txt',
        '/%2e%2e%2fsecret.txt',
        '/..%5csecret.txt',
        '/..\\secret.txt',
        '/%252e%252e/secret.txt',
        '/%c0%ae%c0%ae/secret.txt',
        '/..;/secret.txt',
        '/2026-11-01-chat.json%00.txt',
        '/2026-11-01-chat.json%0a',
        '/2026-11-01-chat.json/',
        '/2026-11-01-chat.json/.',
        '/%2fetc%2fpasswd',
        '//etc/passwd',
        '/.hidden.txt',
        '/%2ehidden.txt',
        '/.private/a.json',
        '/2026/../.private/a.json',
        '/notes.md',
        '/link.txt',
        '/up/secret.txt',
        '/up/accounts.json',
        '/2026',
        '/2026/',
        '/2026/11',
        '/missing.json',
        '/CON.txt:stream',
        '/2026-11-01-CHAT.json',
        '/a%E2%80%AEnosj.json',
        `/${'a'.repeat(300)}.json`,
        `/${'a/'.repeat(500)}a.json`,
      ]) {
        const reply = await read(path)
        t.ok(reply.status === 404 || reply.status === 400, `${path.slice(0, 60)}: ${reply.status}`)
        t.notMatch(reply.text, /SECRET|root:|argon2/, path.slice(0, 60))
      }
      // Dots that stay within the folder are only a long way round.
      t.equal((await read('/2026/11/../../2026-11-01-chat.json')).status, 200)
    })

    t.test('there is nothing to change here', async (t) => {
      for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'TRACE', 'PROPFIND']) {
        for (const headers of [as('ada'), []]) {
          const reply = await ask({ method, path: '/2026-11-01-chat.json', headers })
          t.equal(reply.status, 405, method)
          if (method !== 'TRACE') t.equal(reply.header('allow'), 'GET, HEAD', method)
        }
      }
      t.equal((await read('/2026-11-01-chat.json')).status, 200)
    })

    t.test('a name in another script signs in too', async (t) => {
      t.equal((await ask({ path: '/', headers: as('zoë') })).status, 200)
      t.equal((await ask({ path: '/', headers: as('zoe\u0308') })).status, 200, 'however its marks are written')
    })

    t.test('four failures lock, also for who was signed in already', async (t) => {
      const user = `bob-${transport.name}`
      t.equal((await ask({ path: '/', headers: as(user) })).status, 200)
      for (let i = 0; i < 4; i++) t.equal((await ask({ path: '/', headers: as(user, `${WRONG}-${i}`) })).status, 401)
      const refused = await ask({ path: '/', headers: as(user) })
      t.equal(refused.status, 429)
      const seconds = Number(refused.header('retry-after'))
      t.ok(seconds > 29 * 60 && seconds <= 30 * 60, String(seconds))
      t.equal(refused.header('www-authenticate'), null)
      t.equal((await read('/')).status, 200, 'others go on')
    })
  })
}

t.test('many at once with the right password all get in, and cost one check', async (t) => {
  const client = requestTransports[1]!.open(placeOf(gateway))
  t.teardown(() => client.close())
  await gateway.gateway.log.flush()
  const before = gateway.auditLines().length
  const replies = await Promise.all(
    Array.from({ length: 12 }, () => client.ask({ path: '/2026-11-01-chat.json', headers: as('joan') })),
  )
  for (const reply of replies) t.equal(reply.status, 200)
  await gateway.gateway.log.flush()
  const lines = gateway.auditLines().slice(before)
  t.equal(lines.filter(({ event }) => event === 'authn_login_success').length, 1)
  t.equal(lines.filter(({ event }) => event === 'sensitive_read').length, 12)
})

t.test('many guesses at once do not outrun the lockout', async (t) => {
  const client = requestTransports[1]!.open(placeOf(gateway))
  t.teardown(() => client.close())
  const guesses = Array.from({ length: 12 }, (_, i) => as('eve', `${WRONG}-${i}`))
  const replies = await Promise.all(guesses.map((headers) => client.ask({ path: '/', headers })))
  const statuses = replies.map(({ status }) => status)
  t.ok(statuses.filter((status) => status === 401).length <= 4, String(statuses))
  t.ok(
    statuses.every((status) => status === 401 || status === 429),
    String(statuses),
  )
  t.equal((await client.ask({ path: '/', headers: as('eve') })).status, 429)
})

t.test('who read what, and who tried, is in the audit log; no password is in any', async (t) => {
  await gateway.gateway.log.flush()
  const lines = gateway.auditLines().filter((line) => !String(line.event).startsWith('sys_'))
  const has = (wanted: Json) =>
    lines.some((line) => Object.entries(wanted).every(([name, value]) => line[name] === value))
  t.ok(has({ event: 'authn_login_success', outcome: 'success', user: 'ada', address: '127.0.0.1' }))
  t.ok(has({ event: 'authn_login_fail', outcome: 'failure', user: 'ada', reason: 'wrong password' }))
  t.ok(
    lines.some(
      ({ event, user, reason }) =>
        event === 'authn_login_fail' && /^\?/.test(String(user)) && reason === 'unknown user',
    ),
  )
  t.ok(
    has({ event: 'authn_login_lock', user: 'bob-h1', reason: 'account locked for this known address for 30 minutes' }),
  )
  t.ok(
    has({
      event: 'authn_login_lock',
      user: 'bob-h2',
      reason: 'attempt while locked: account locked for this known address',
    }),
  )
  t.ok(has({ event: 'sensitive_read', outcome: 'success', user: 'ada', object: '2026-11-01-chat.json' }))
  t.ok(
    has({
      event: 'sensitive_read',
      outcome: 'success',
      user: 'ada',
      object: '2026/11/long.txt',
      reason: 'bytes 10-24',
    }),
  )
  t.ok(has({ event: 'sensitive_read', outcome: 'failure', user: 'ada', object: 'missing.json' }))
  for (const line of lines) {
    t.match(line, {
      time: /^\d{4}-\d\d-\d\dT.*Z$/,
      event: /./,
      outcome: /^(success|failure)$/,
      requestId: /^[0-9a-f]{32}$/,
    })
  }
  const read = lines.find(({ event }) => event === 'sensitive_read')!
  const access = gateway.accessLines()
  t.ok(
    access.some((line) => line.id === read.requestId && line.user === read.user),
    'one id leads through both logs',
  )
  const all = JSON.stringify([...lines, ...access])
  for (const secret of [PASSWORD, WRONG, 'nobody', ...USERS.map((user) => basic(user, PASSWORD).slice(6)), 'argon2']) {
    t.notOk(all.includes(secret), secret)
  }
})

t.test('addresses that are not allowed are turned away before anything is asked', async (t) => {
  const own = await startGatewayHere(withTranscripts(listener({ allow: ['127.0.0.0/24'], deny: ['127.0.0.66'] })))
  t.teardown(() => own.close())
  for (const transport of requestTransports) {
    for (const [from, status] of [
      ['127.0.0.1', 200],
      ['127.0.0.7', 200],
      ['127.0.0.66', 403],
      ['127.0.1.1', 403],
    ] as const) {
      const client = transport.open({ ...placeOf(own), from })
      const reply = await reader(t, client)({ path: '/', headers: as('ada') })
      t.equal(reply.status, status, `${transport.name} from ${from}`)
      t.equal(reply.header('www-authenticate'), null)
      await client.close()
    }
  }
  await own.gateway.log.flush()
  const successes = own.auditLines().filter(({ event }) => event === 'authn_login_success')
  t.ok(successes.every(({ address }) => address === '127.0.0.1' || address === '127.0.0.7'))
})

t.test('an address that guesses at many accounts is locked as well', async (t) => {
  const own = await startGatewayHere(withTranscripts(listener({}, { lockAfter: 1 })))
  t.teardown(() => own.close())
  const guesser = openHttp1({ ...placeOf(own), from: '127.0.0.5' })
  const other = openHttp1(placeOf(own))
  t.teardown(() => Promise.all([guesser.close(), other.close()]))
  for (let i = 0; i < 5; i++) {
    t.equal((await reader(t, guesser)({ path: '/', headers: as(`guess-${i}`, WRONG) })).status, 401)
  }
  t.equal((await reader(t, guesser)({ path: '/', headers: as('ada') })).status, 429)
  t.equal((await reader(t, other)({ path: '/', headers: as('ada') })).status, 200, 'from elsewhere')
})

t.test('limits stand before the password', async (t) => {
  const own = await startGatewayHere(
    withTranscripts(listener({ limits: ['few'] }), { limits: { few: { rate: '5 per hour' } } }),
  )
  t.teardown(() => own.close())
  const client = openHttp1(placeOf(own))
  t.teardown(() => client.close())
  const ask = reader(t, client)
  const statuses: number[] = []
  for (let i = 0; i < 7; i++) statuses.push((await ask({ path: '/', headers: as('ada') })).status)
  t.same(statuses, [200, 200, 200, 200, 200, 429, 429])
  const refused = await ask({ path: '/', headers: as('ada', WRONG) })
  t.equal(refused.status, 429)
  t.ok(Number(refused.header('retry-after')) > 0)
  const other = openHttp1({ ...placeOf(own), from: '127.0.0.9' })
  t.teardown(() => other.close())
  t.equal((await other.ask({ path: '/', headers: as('ada') })).status, 200)
})

t.test('a lockout holds on every gateway of one Redis', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const config = withTranscripts(listener(), { limits: { store: { redis: { url: redis.url, timeout: '2 seconds' } } } })
  const nodes = await Promise.all([startGateway(config), startGateway(config)])
  t.teardown(() => Promise.all(nodes.map((each) => each.close())))
  const clients = nodes.map((each) => openHttp1(placeOf(each)))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  const ask = (node: number, password: string, user = 'grace') =>
    reader(t, clients[node]!)({ path: '/', headers: as(user, password) })
  for (const [i, node] of [0, 1, 1, 0].entries()) t.equal((await ask(node, `${WRONG}-${i}`)).status, 401)
  for (const node of [0, 1, 0]) {
    const refused = await ask(node, PASSWORD)
    t.equal(refused.status, 429, `node ${node}`)
    const seconds = Number(refused.header('retry-after'))
    t.ok(seconds > 29 * 60 && seconds <= 30 * 60, String(seconds))
    t.equal((refused.json() as { code: string }).code, 'locked-out')
  }
  for (const node of [0, 1]) t.equal((await ask(node, PASSWORD, 'ada')).status, 200, 'others sign in')
  const lines = nodes.flatMap((each) => each.auditLines())
  t.equal(lines.filter(({ event, user }) => event === 'authn_login_fail' && user === 'grace').length, 4)
  t.equal(
    lines.filter(({ event, reason }) => event === 'authn_login_lock' && reason === 'account locked for 30 minutes')
      .length,
    1,
  )
  t.equal(
    lines.filter(
      ({ event, reason }) => event === 'authn_login_lock' && reason === 'attempt while locked: account locked',
    ).length,
    3,
  )
  const keys = await redis.command('KEYS *')
  t.match(keys, /sign-in/)
  t.notMatch(keys, /grace|127\.0\.0\.1/, 'names and addresses do not stand in the store')
  const all = JSON.stringify(lines) + nodes.map((each) => each.log()).join('')
  for (const secret of [PASSWORD, WRONG]) t.notOk(all.includes(secret))
})

t.test('no start where anybody could read', async (t) => {
  const readable = join(base, 'readable.json')
  await writeAccounts(readable, { ada: hash })
  chmodSync(readable, 0o644)
  const clear = join(base, 'clear.json')
  writeFileSync(clear, JSON.stringify({ accounts: { ada: { password: PASSWORD } } }), { mode: 0o600 })
  const empty = join(base, 'empty.json')
  writeFileSync(empty, '{"accounts":{}}', { mode: 0o600 })
  const table: [what: string, config: Json, told: RegExp][] = [
    ['no accounts named', listener({}, null), /transcripts.*signIn/s],
    ['no accounts file', listener({}, { accounts: join(base, 'none.json') }), /none\.json/],
    ['a file that others can read', listener({}, { accounts: readable }), /readable\.json.*(0?600|read)/s],
    ['a password in clear text', listener({}, { accounts: clear }), /clear text/],
    ['a file without an account', listener({}, { accounts: empty }), /empty\.json/],
    ['auth none and accounts', listener({ auth: 'none' }), /auth/],
    [
      'auth none beyond loopback',
      listener({ auth: 'none', address: '0.0.0.0:0', tls: { selfSigned: true } }, null),
      /loopback/,
    ],
    ['no such folder', listener({ source: { folder: join(base, 'missing') } }), /missing/],
    ['no such service', listener({ source: { service: 'missing' } }), /missing/],
  ]
  for (const [what, transcripts, told] of table) {
    const error = await startGatewayHere(withTranscripts(transcripts)).then(
      async (started) => {
        await started.close()
        return new Error('it started')
      },
      (error: Error) => error,
    )
    t.match(error.message, told, what)
    t.notOk(error.message.includes(PASSWORD), what)
  }
  // The process says so and ends.
  await t.rejects(startGateway(withTranscripts(listener({}, { accounts: readable }))), /readable\.json/)
})

t.test('auth none is for loopback, where it is written out', async (t) => {
  const own = await startGatewayHere(withTranscripts(listener({ auth: 'none' }, null)))
  t.teardown(() => own.close())
  for (const transport of requestTransports) {
    const client = transport.open(placeOf(own))
    t.teardown(() => client.close())
    const ask = reader(t, client)
    t.equal((await ask({ path: '/' })).status, 200)
    t.same((await ask({ path: '/2026-11-01-chat.json' })).json(), CHAT)
    t.ok([400, 404].includes((await ask({ path: '/../secret.txt' })).status))
  }
  await own.gateway.log.flush()
  t.ok(own.auditLines().some(({ event, object }) => event === 'sensitive_read' && object === '2026-11-01-chat.json'))
})

t.test('a service as the source: behind the same door, and without the password', async (t) => {
  const upstream = await startUpstream()
  t.teardown(() => upstream.close())
  upstream.on('/cached', (_request, response) => {
    response.writeHead(200, {
      'content-type': 'text/html',
      'cache-control': 'public, max-age=600',
      server: 'inside/1.0',
    })
    response.end('<p>kept</p>')
  })
  // Longer than the clock of the deadlines needs to look.
  upstream.on('/slow', (_request, response) => {
    setTimeout(() => response.write('late '), 1200)
    setTimeout(() => response.end('and later'), 2400)
  })
  const own = await startGatewayHere(
    withTranscripts(listener({ source: { service: 'archive' } }), {
      services: { archive: { endpoints: [upstream.url] } },
    }),
  )
  t.teardown(() => own.close())
  for (const transport of requestTransports) {
    const client = transport.open(placeOf(own))
    t.teardown(() => client.close())
    const ask = reader(t, client)
    const before = upstream.received.length
    t.equal((await ask({ path: '/a.json' })).status, 401)
    t.equal((await ask({ method: 'POST', path: '/a.json', headers: as('ada'), body: 'x' })).status, 405)
    t.equal((await ask({ path: '/..%2fa', headers: as('ada') })).status, 400)
    t.equal(upstream.received.length, before, 'nothing reached the service')
    const reply = await ask({ path: '/a.json?x=1', headers: as('ada', PASSWORD, 'x-own', '1') })
    t.equal(reply.status, 200)
    const echo = reply.json() as { url: string; headers: string[] }
    t.equal(echo.url, '/a.json?x=1')
    t.ok(echo.headers.includes('x-own'))
    t.notOk(echo.headers.some((each) => /authorization/i.test(each)))
    t.notOk(reply.text.includes(basic('ada', PASSWORD).slice(6)))
    const cached = await ask({ path: '/cached', headers: as('ada') })
    t.equal(cached.status, 200)
    t.notMatch(cached.header('cache-control'), /public/)
    t.equal(cached.header('server'), null)
    t.match(cached.header('content-security-policy'), /frame-ancestors 'none'/)
    const slow = await ask({ path: '/slow', headers: as('ada') })
    t.equal(slow.status, 200, 'a service has the time that services have')
    t.equal(slow.text, 'late and later')
  }
  await own.gateway.log.flush()
  const reads = own.auditLines().filter(({ event }) => event === 'sensitive_read')
  t.ok(reads.some(({ object, user, outcome }) => object === '/a.json' && user === 'ada' && outcome === 'success'))
  t.notOk(
    reads.some(({ user }) => user === null || user === ''),
    'who was not signed in has read nothing',
  )
})
