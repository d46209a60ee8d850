/**
 * What a request costs Redis, counted by Redis itself, for each kind of request over both protocols: one call of a script at
 * most, however many limits it has and whatever they count by; none for a client that is known to be over.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { WINDOW_SCRIPT } from '../../src/limits/window-script.ts'
import { type Ask, type Reply, rawExchange, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { type MonitoredCommand, startMonitor } from '../kit/redis-monitor.ts'
import { startSlowProxy } from '../kit/slow-proxy.ts'
import { type HandshakeRefused, socketTransports } from '../kit/socket-clients.ts'
import { keycloakClaims, makeKey, makeToken, startKeyServer } from '../kit/token-maker.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const PASSWORD = 'Correct-Horse-7-Battery'
const hash = await hashPassword(PASSWORD)
const redis = await startRedis()
const upstream = await startUpstream()
const key = makeKey('first')
const provider = await startKeyServer([key])
const base = t.testdir({ 'ca.pem': provider.ca })
const accounts = join(base, 'accounts.json')
mkdirSync(join(base, 'transcripts'))
writeFileSync(accounts, JSON.stringify({ accounts: { ada: { password: hash } } }), { mode: 0o600 })
upstream.on('/account', async (request, response) => {
  let body = ''
  for await (const piece of request) body += piece
  response.writeHead(body.includes('right') ? 204 : 401).end()
})
t.teardown(async () => {
  await redis.kill()
  await upstream.close()
  await provider.close()
})

const NOT_REACHED = '1000 per hour'
const route = { service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST'] }
const CONFIG = testConfig(upstream.url, {
  listeners: {
    public: publicListener({ limits: ['everybody'], trustedProxies: ['127.0.0.1/32'] }),
    transcripts: {
      ...{ address: '127.0.0.1:0', hosts: ['localhost'], source: { folder: join(base, 'transcripts') } },
      ...{ signIn: { accounts, defaultRoles: ['reader'] }, limits: ['wide', 'per-user', 'narrow'] },
      ...{ roles: { reader: { read: [{ paths: ['**'] }] } }, trustedProxies: ['127.0.0.1/32'] },
    },
    admin: { address: '127.0.0.1:0' },
  },
  issuers: {
    keycloak: {
      ...{ issuer: provider.issuer, ca: `${base}/ca.pem` },
      audience: ['portcullis'],
      user: 'preferred_username',
    },
  },
  routes: [
    { ...route, path: '/one', limits: ['wide'] },
    { ...route, path: '/many', limits: ['wide', 'narrow', 'per-route', 'tight'] },
    { ...route, path: '/login', limits: ['wide', 'per-account', 'per-field', 'tight'], maxBody: '256 KB' },
    { ...route, path: '/agents', limits: ['wide', 'per-user', 'tight'], signIn: 'keycloak' },
    {
      ...route,
      path: '/socket',
      limits: ['wide', 'per-user', 'per-account', 'tight'],
      webSocket: true,
      signIn: 'keycloak',
    },
    { ...route, path: '/account', limits: ['wide', 'account'] },
    { ...route, path: '/both', limits: ['wide', 'per-user', 'per-account'], signIn: 'keycloak' },
  ],
  limits: {
    everybody: { by: 'all', rate: NOT_REACHED },
    wide: { rate: NOT_REACHED },
    narrow: { by: ['address', 'method'], rate: NOT_REACHED },
    tight: { rate: '3 per hour', block: '1 hour' },
    'per-route': { by: ['address', 'route'], rate: NOT_REACHED },
    'per-account': { by: 'field user', rate: NOT_REACHED },
    account: { by: 'field user', rate: '2 per hour', known: { statuses: [204] } },
    'per-field': { by: ['address', 'field other'], rate: NOT_REACHED },
    'per-user': { by: 'user', rate: '5 per hour' },
    store: { redis: { url: redis.url, timeout: '10 seconds' }, onOutage: 'deny' },
  },
})

const token = (more: Record<string, unknown> = {}) => makeToken(key, keycloakClaims(provider.issuer, more))
const bearer = (text: string) => ['authorization', `Bearer ${text}`]
const basic = (password: string) => ['authorization', `Basic ${Buffer.from(`ada:${password}`).toString('base64')}`]
const json = (body: unknown): Partial<Ask> => ({
  ...{ method: 'POST', headers: ['content-type', 'application/json'], body: JSON.stringify(body) },
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    await redis.flush()
    const gateway = await startGatewayHere(CONFIG)
    const monitor = await startMonitor(redis)
    const open = (setting: string) => transport.open({ port: gateway.port(`listeners.${setting}.address`) })
    const clients = { public: open('public'), transcripts: open('transcripts') }
    t.teardown(async () => {
      monitor.close()
      await Promise.all(Object.values(clients).map((client) => client.close()))
      await gateway.close()
    })
    /** One request and what it cost: calls with its limits' keys, and those of the sign-in. */
    const cost = async (
      address: string,
      path: string,
      more: Partial<Ask> = {},
      place: 'public' | 'transcripts' = 'public',
    ) => {
      await monitor.flushed()
      const from = monitor.commands.length
      const headers = ['x-forwarded-for', address, ...(more.headers ?? [])]
      const reply: Reply = await clients[place].ask({ path, ...more, headers })
      await monitor.flushed()
      const calls = monitor.commands
        .slice(from)
        .filter(({ name, args }) => name.startsWith('eval') && !args.some((each) => each.includes('{bans}')))
      const ofSignIn = calls.filter(({ args }) => args.some((each) => each.includes(':sign-in-')))
      // What is remembered of an answer after it was given, nobody waited for.
      const isAfter = ({ args }: MonitoredCommand) => args[1] === '1' && args[2]!.includes('.known:')
      const ofLimits = calls.filter((call) => !ofSignIn.includes(call) && !isAfter(call))
      const bytes = ofLimits.reduce((sum, call) => sum + call.bytes, 0)
      const limits = ofLimits.map(({ args }) => Number(args[1]))
      t.comment(
        `${path} ${reply.status}: ${ofLimits.length} calls, ${bytes} bytes, limits ${limits.join(' + ')}; sign-in ${ofSignIn.length}`,
      )
      return { status: reply.status, calls: ofLimits.length, signIn: ofSignIn.length, limits, reply }
    }
    /** The first call of a script on a connection brings its text, and is answered NOSCRIPT before: not what this is about. */
    await cost('192.0.2.250', '/one')
    t.ok(monitor.commands.some(({ name, args }) => name === 'evalsha' && args[0] === WINDOW_SCRIPT.digest))

    t.match(await cost('192.0.2.1', '/one'), { status: 200, calls: 1, limits: [2] })
    t.match(await cost('192.0.2.1', '/nowhere'), { status: 404, calls: 1, limits: [1] })
    t.match(await cost('192.0.2.1', '/many'), { status: 200, calls: 1, limits: [5] })
    t.match(await cost('192.0.2.2', '/login', json({ user: 'anna', other: 1 })), { status: 200, calls: 1, limits: [5] })
    t.match(await cost('192.0.2.2', '/login'), { status: 200, calls: 1, limits: [5] }, 'without a body')
    const large = json({ user: 'anna', pad: 'x'.repeat(100_000) })
    t.match(
      await cost('192.0.2.2', '/login', large),
      { status: 413, calls: 1, limits: [3] },
      'counted without the field',
    )

    /** What is known is trusted for a second: a machine that took longer asks again. */
    const known = async (...args: Parameters<typeof cost>) => {
      for (let i = 0; ; i++) {
        const paid = await cost(...args)
        if (paid.calls === 0 || i === 20) return paid
      }
    }
    for (let i = 0; i < 4; i++) await cost('192.0.2.3', '/many')
    t.match(await known('192.0.2.3', '/many'), { status: 429, calls: 0 }, 'over, and known to be')
    t.match(await known('192.0.2.3', '/login', large), { status: 429, calls: 0 }, 'without looking at the body')
    t.match(await known('192.0.2.3', '/agents', { headers: bearer('rubbish') }), { status: 429, calls: 0 })

    const login = (address: string, user: string) => cost(address, '/account', json({ user }))
    t.match(
      await login('192.0.2.10', 'right'),
      { status: 204, calls: 1, limits: [5] },
      'its success is remembered after it',
    )
    await until(async () => (await redis.command('KEYS *account.known*')).includes('192.0.2.10'), 'that')
    for (const address of ['192.0.2.11', '192.0.2.12']) await login(address, 'right')
    t.match(await login('192.0.2.10', 'right'), { status: 204, calls: 1 }, 'over, and known: no further question')
    const stranger = await cost('192.0.2.13', '/account', json({ user: 'right' }))
    t.match(stranger, { status: 429, calls: 1 }, 'over, and a stranger: none either')
    t.match(await known('192.0.2.13', '/account', json({ user: 'right' })), { status: 429, calls: 0 })

    const right = token({ preferred_username: `ada ${transport.name}` })
    t.match(await cost('192.0.2.4', '/agents', { headers: bearer(right) }), { status: 200, calls: 1, limits: [4] })
    t.match(await cost('192.0.2.4', '/agents', { headers: bearer(right) }), { status: 200, calls: 1, limits: [4] })
    const bad = await cost('192.0.2.4', '/agents', { headers: bearer(`${right}x`) })
    t.match(bad, { status: 401, calls: 1, limits: [3] }, 'counted without the user')
    t.match(bad.reply.header('ratelimit'), /"tight";r=0;/, 'and told so')
    const over = await cost('192.0.2.4', '/agents', { headers: bearer(`${right}y`) })
    t.match(over, { status: 429, calls: 1 }, 'no token is judged aloud for who is over')
    t.equal(over.reply.header('www-authenticate'), null)
    t.match(await known('192.0.2.4', '/agents', { headers: bearer(right) }), { status: 429, calls: 0 })
    t.match(await cost('192.0.2.5', '/agents'), { status: 401, calls: 1, limits: [3] }, 'without a token too')
    const both = { ...json({ user: 'x' }), headers: [...json({}).headers!, ...bearer(right)] }
    t.match(await cost('192.0.2.6', '/both', both), { status: 200, calls: 1, limits: [4] }, 'user and field')

    const ask = (password: string) => cost('192.0.2.7', '/', { headers: basic(password) }, 'transcripts')
    const hashed = await ask(PASSWORD)
    t.match(hashed, { status: 200, calls: 2, limits: [2, 1] }, 'the address before the hash, the user after it')
    const remembered = await ask(PASSWORD)
    t.match(remembered, { status: 200, calls: 1, limits: [3] }, 'no hash is needed: one step')
    t.match(await ask('wrong'), { status: 401, calls: 1, limits: [2] })
    const form = { ...json({ user: 'ada', password: PASSWORD }), path: '/.account/sign-in' }
    const signIn = await cost(
      '192.0.2.7',
      form.path,
      {
        ...form,
        headers: [...form.headers!, 'origin', `https://localhost:${gateway.port('listeners.transcripts.address')}`],
      },
      'transcripts',
    )
    t.match(signIn, { calls: 1, limits: [2] })
    const cookie = signIn.reply.header('set-cookie')?.split(';')[0] ?? ''
    t.match(cookie, /portcullis=/)
    t.match(await cost('192.0.2.7', '/', { headers: ['cookie', cookie] }, 'transcripts'), {
      ...{ status: 200, calls: 1, limits: [3] },
      signIn: 1,
    })
  })
}

for (const transport of socketTransports) {
  t.test(`a WebSocket over ${transport.name}`, async (t) => {
    await redis.flush()
    const gateway = await startGatewayHere(CONFIG)
    const monitor = await startMonitor(redis)
    t.teardown(async () => {
      monitor.close()
      await gateway.close()
    })
    const headers = ['x-forwarded-for', '192.0.2.20', ...bearer(token({ preferred_username: `ws ${transport.name}` }))]
    const open = () => transport.open({ port: gateway.publicPort }, { path: '/socket', headers })
    await (await open()).close()
    await (await open()).close()
    await (await open()).close()
    const refused = await open().catch((error) => error as HandshakeRefused)
    t.equal((refused as HandshakeRefused).status, 429)
    await monitor.flushed()
    const calls = monitor.commands.filter(
      ({ name, args }) => name === 'evalsha' && args.some((each) => each.includes(':wide:')),
    )
    t.equal(calls.length, 4, 'one for each handshake')
    t.ok(
      calls.every(({ args }) => args[1] === '5'),
      'with all limits',
    )
  })
}

t.test('a client that leaves before its body is there is counted all the same', async (t) => {
  await redis.flush()
  const gateway = await startGatewayHere(CONFIG)
  const client = requestTransports[0]!.open({ port: gateway.publicPort })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
  })
  for (let i = 0; i < 2; i++) {
    const leaving = new AbortController()
    async function* body(): AsyncIterable<Buffer> {
      yield Buffer.from('{"user":')
      setTimeout(() => leaving.abort(), 100)
      await new Promise((resolve) => leaving.signal.addEventListener('abort', resolve))
    }
    const headers = ['x-forwarded-for', '192.0.2.9', 'content-type', 'application/json']
    await client.ask({ method: 'POST', path: '/login', headers, body: body(), signal: leaving.signal })
  }
  await until(async () => /\b2 \d+/.test(await redis.command('GET portcullis:wide:{192.0.2.9}')), 'two counts')
})

t.test('what follows a broken body, while its answer waits for Redis, is no request', async (t) => {
  await redis.flush()
  const proxy = await startSlowProxy(redis.port)
  const slow = structuredClone(CONFIG) as typeof CONFIG & { limits: { store: { redis: Json } } }
  slow.limits.store.redis = { url: `redis://127.0.0.1:${proxy.port}`, timeout: '10 seconds' }
  const gateway = await startGatewayHere(slow)
  t.teardown(async () => {
    await gateway.close()
    await proxy.close()
  })
  proxy.delayMs = 100
  const place = { port: gateway.publicPort }
  const head = (address: string) =>
    `POST /login HTTP/1.1\r\nhost: localhost:${place.port}\r\nx-forwarded-for: ${address}\r\n` +
    'content-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n'
  const next = `GET /one?smuggled HTTP/1.1\r\nhost: localhost:${place.port}\r\n\r\n`
  const rest = `0\r\n\r\n${next}`
  const seen = upstream.received.length
  const broken = ['zz\r\n', '3;\x00\r\nabc\r\n', '3\r\nabcX', '3\nabc\r\n', '-1\r\n', 'ffffffffffffffffff\r\n']
  for (const [i, chunk] of broken.entries()) {
    const address = `192.0.2.${100 + i}`
    for (const pieces of [[head(address) + chunk + rest], [head(address), chunk, rest, next]]) {
      const { statuses, closedBy } = await rawExchange(place, pieces)
      t.same([statuses, closedBy], [[400], 'server'], JSON.stringify(chunk))
    }
    t.match(await redis.command(`GET portcullis:wide:{${address}}`), /\b2 \d+/, 'and it is counted')
  }
  t.equal(upstream.received.length, seen, 'nothing reached the service')
})
