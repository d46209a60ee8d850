/** Tokens on routes: over HTTP/1.1, HTTP/2, WebSockets and socket.io, with keys that are fetched over TLS. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { keycloakClaims, makeKey, makeToken, startKeyServer } from '../kit/token-maker.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const CARD = { customer: { phone: '+4917012345678' } }
const HIDDEN = { customer: { phone: '************78' } }
const ISSUER = { audience: ['portcullis'], user: 'preferred_username', roles: { keycloak: 'chat' }, clockSkew: '0 s' }

const first = makeKey('first')
const provider = await startKeyServer([first])
const folder = t.testdir({ 'ca.pem': provider.ca })
const upstream = await startUpstream({
  onSocket: (socket, request) => {
    socket.send(
      JSON.stringify({ ...CARD, user: request.headers['x-portcullis-user'] ?? null, raw: request.rawHeaders }),
    )
    socket.on('message', (data) => socket.send(String(data)))
  },
})
upstream.on('/card', (_request, response) => {
  response.setHeader('content-type', 'application/json')
  response.end(JSON.stringify(CARD))
})
upstream.on('/cached', (_request, response) => {
  response.writeHead(200, {
    'content-type': 'application/json',
    'cache-control': 'public, max-age=600',
    vary: 'accept',
  })
  response.end(JSON.stringify(CARD))
})
upstream.on('/events', (_request, response) => {
  response.setHeader('content-type', 'text/event-stream')
  response.write('data: 1\n\n')
})

const chat = createServer()
const server = new Server(chat, { serveClient: false, pingInterval: 500 })
server.on('connection', (socket) => {
  socket.emit('card', CARD)
})
await new Promise<void>((resolve) => chat.listen(0, '127.0.0.1', resolve))

const route = { service: 'echo', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST', 'OPTIONS'] }
const hide = { fields: ['$..customer.phone'], exceptRoles: ['supervisor'] }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    services: {
      echo: { endpoints: [upstream.url] },
      chat: { endpoints: [`http://127.0.0.1:${(chat.address() as AddressInfo).port}`] },
    },
    issuers: { keycloak: { ...ISSUER, issuer: provider.issuer, ca: `${folder}/ca.pem`, refetch: '1 ms' } },
    routes: [
      { ...route, path: '/*', signIn: 'keycloak' },
      { ...route, path: '/card', signIn: 'keycloak', hide },
      { ...route, path: '/cached', signIn: 'keycloak', hide, headers: { profile: 'asset' } },
      { ...route, path: '/agents', signIn: { oidc: 'keycloak', roles: ['agent', 'chief'], scopes: ['chat'] } },
      { ...route, path: '/limited', signIn: 'keycloak', limits: ['per-user'] },
      { ...route, path: '/told', signIn: { oidc: 'keycloak', forwardToken: true, forwardIdentity: false } },
      { ...route, path: '/open' },
      { ...route, path: '/by-cookie', signIn: { oidc: 'keycloak', alsoIn: { cookie: '__Host-token' } } },
      { ...route, path: '/ws', webSocket: true, signIn: 'keycloak', hide },
      { ...route, path: '/ws-sub', webSocket: true, signIn: { oidc: 'keycloak', alsoIn: { subprotocol: 'bearer.' } } },
      { ...route, path: '/ws-query', webSocket: true, signIn: { oidc: 'keycloak', alsoIn: { query: 'token' } } },
      { ...route, path: '/socket.io/*', service: 'chat', webSocket: true, socketIo: true, signIn: 'keycloak', hide },
    ],
    limits: { 'per-user': { by: 'user', rate: '2 per hour' } },
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
  await provider.close()
  chat.closeAllConnections()
  await server.close()
})
const place = { port: gateway.publicPort }
const claims = (more: Record<string, unknown> = {}) => keycloakClaims(provider.issuer, more)
const token = (more: Record<string, unknown> = {}) => makeToken(first, claims(more))
const customer = { realm_access: { roles: [] }, resource_access: {} }
const bearer = (text: string): string[] => ['authorization', `Bearer ${text}`]
const soon = (seconds = 2): number => Math.floor(Date.now() / 1000) + seconds

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const get = (path: string, headers: readonly string[] = []) => client.ask({ path, headers })

    const none = await get('/any')
    t.equal(none.status, 401)
    t.equal(none.header('www-authenticate'), 'Bearer realm="keycloak"')
    const basic = await get('/any', ['authorization', 'Basic bWFyaWE6eA=='])
    t.equal(basic.header('www-authenticate'), 'Bearer realm="keycloak"')
    const old = await get('/any', bearer(token({ exp: soon(-5) })))
    t.equal(old.status, 401)
    t.match(old.header('www-authenticate'), /error="invalid_token", error_description="The token has expired"/)
    t.equal((await get('/any', bearer('x.y.z'))).status, 401)
    // Node's client for HTTP/2 does not send it.
    if (transport.name !== 'h2') t.equal((await get('/any', [...bearer(token()), ...bearer(token())])).status, 400)
    t.equal((await get('/open')).status, 200)

    const text = token()
    const forged = ['x-portcullis-user', 'root', 'x-portcullis-roles', 'admin', 'X_Portcullis_User', 'root']
    for (const again of [false, true]) {
      const seen = upstream.received.length
      t.equal((await get('/any', [...bearer(text), ...forged])).status, 200)
      const { rawHeaders } = upstream.received[seen]!
      const told = rawHeaders.join('\n').toLowerCase()
      t.match(told, /x-portcullis-user\nmaria\nx-portcullis-issuer\nkeycloak\nx-portcullis-roles\nagent,supervisor/)
      t.notMatch(told, /root|admin|authorization/, again ? 'known from the head before' : 'the first time')
    }
    const before = upstream.received.length
    t.equal((await get('/open', forged)).status, 200)
    t.notMatch(upstream.received[before]!.rawHeaders.join('\n').toLowerCase(), /portcullis/)
    t.equal((await get('/told', bearer(text))).status, 200)
    t.match(upstream.received[before + 1]!.rawHeaders.join('\n').toLowerCase(), /authorization/)
    t.notMatch(upstream.received[before + 1]!.rawHeaders.join('\n').toLowerCase(), /portcullis/)

    t.equal((await get('/agents', bearer(text))).status, 200)
    for (const less of [{ realm_access: { roles: ['agents'] } }, { scope: 'openid' }]) {
      const denied = await get('/agents', bearer(token(less)))
      t.equal(denied.status, 403)
      t.match(denied.header('www-authenticate'), /error="insufficient_scope", scope="chat"/)
    }

    t.same((await get('/card', bearer(text))).json(), CARD)
    t.same((await get('/card', bearer(token(customer)))).json(), HIDDEN)

    for (const who of [token(), token(customer)]) {
      const kept = await get('/cached', bearer(who))
      t.equal(kept.header('cache-control'), 'no-store, max-age=0', 'no cache keeps what is not for all')
      const vary = kept.headers.filter((_, i) => kept.headers[i - 1] === 'vary' && i % 2 === 1).join(', ')
      t.match(vary, /accept\b.*authorization, cookie/, 'and none takes one for the other')
    }

    const user = { preferred_username: `u-${transport.name}` }
    const statuses = []
    for (let i = 0; i < 3; i++) statuses.push((await get('/limited', bearer(token({ ...user, jti: i })))).status)
    t.same(statuses, [200, 200, 429], 'one count over all tokens of a user')
    t.equal((await get('/limited', bearer(token({ preferred_username: `v-${transport.name}` })))).status, 200)

    const cookies = upstream.received.length
    t.equal((await get('/by-cookie', ['cookie', `a=b; __Host-token=${text}; c=d`])).status, 200)
    t.ok(upstream.received[cookies]!.rawHeaders.includes('a=b; c=d'), 'the other cookies stay')
    t.equal((await get('/by-cookie', ['cookie', `__Host-token=${text}; __Host-token=${text}`])).status, 401)
    t.equal((await get('/any', ['cookie', `__Host-token=${text}`])).status, 401, 'only where it is said')
    t.equal((await get(`/any?token=${text}`)).status, 401)

    const preflight = { method: 'OPTIONS', path: '/any' }
    const asks = ['origin', 'https://other.example', 'access-control-request-method', 'POST']
    t.equal((await client.ask({ ...preflight, headers: asks })).status, 200)
    t.equal((await client.ask(preflight)).status, 401, 'any other OPTIONS')

    const events = await within(client.ask({ path: '/events', headers: bearer(token({ exp: soon() })) }), 'the end')
    t.equal(events.status, 200)
    t.equal(events.isComplete, false, 'an event stream ends with the token')
  })
}

for (const transport of socketTransports) {
  t.test(`WebSocket, ${transport.name}`, async (t) => {
    await t.rejects(transport.open(place, { path: '/ws' }), /answered with 401/)
    const all = await transport.open(place, { path: '/ws', headers: bearer(token()) })
    t.match(JSON.parse((await all.next()).text), { ...CARD, user: 'maria' })
    const less = await transport.open(place, { path: '/ws', headers: bearer(token(customer)) })
    t.match(JSON.parse((await less.next()).text), HIDDEN)

    const brief = await transport.open(place, { path: '/ws', headers: bearer(token({ exp: soon() })) })
    t.equal((await brief.closed).code, 1008, 'it ends with its token')
    all.send('still here')
    t.equal((await all.next()).text, 'still here')
    all.terminate()
    less.terminate()

    const text = token()
    const query = await transport.open(place, { path: `/ws-query?a=b&token=${text}&c=d` })
    const { raw } = JSON.parse((await query.next()).text) as { raw: string[] }
    t.notMatch(raw.join('\n'), text)
    t.match(upstream.received.at(-1)!.url, '/ws-query?a=b&c=d')
    query.terminate()
    await t.rejects(transport.open(place, { path: `/ws-query?token=${text}&token=${text}` }), /answered with 400/)
    const offer = await transport.open(place, {
      path: '/ws-sub',
      protocols: ['chat.v1', `bearer.${text}`],
    })
    const told = JSON.parse((await offer.next()).text) as { raw: string[] }
    t.notMatch(told.raw.join('\n'), text)
    t.match(told.raw.join('\n'), /chat\.v1/)
    offer.terminate()
  })
}

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  t.test(`socket.io, ${transports.join(' and ')}`, async (t) => {
    const open = (text: string | null) => {
      const socket = io(`https://localhost:${gateway.publicPort}`, {
        ...{ forceNew: true, rejectUnauthorized: false, reconnection: false, transports },
        ...(text === null ? {} : { extraHeaders: { authorization: `Bearer ${text}` } }),
      } as never)
      t.teardown(() => socket.disconnect())
      return socket
    }
    const outcome = (socket: ReturnType<typeof open>): Promise<unknown> =>
      within(
        new Promise((resolve) => {
          socket.on('card', resolve)
          socket.on('connect_error', () => resolve('refused'))
        }),
        'an outcome',
      )
    t.equal(await outcome(open(null)), 'refused')
    t.same(await outcome(open(token())), CARD)
    t.same(await outcome(open(token(customer))), HIDDEN)
    const brief = open(token({ exp: soon(3) }))
    t.same(await outcome(brief), CARD)
    await until(() => !brief.connected)
  })
}

t.test('keys are rotated while tokens come', async (t) => {
  const client = requestTransports[0]!.open(place)
  t.teardown(() => client.close())
  const ask = async (text: string) => (await client.ask({ path: '/any', headers: bearer(text) })).status
  const second = makeKey('second')
  const early = makeToken(second, claims())
  t.equal(await ask(early), 401)
  provider.keys = [first, second]
  t.equal(await ask(early), 200)
  t.equal(await ask(token({ jti: 'r' })), 200)
  provider.keys = [second]
  const third = makeToken(makeKey('third'), claims())
  t.equal(await ask(third), 401, 'it has the keys fetched')
  t.equal(await ask(token({ jti: 'r' })), 401, 'what the withdrawn key verified is forgotten')
  provider.trouble = 'refuse'
  t.equal(await ask(makeToken(second, claims({ jti: 'outage' }))), 200, 'the keys that are known stay')
  t.equal(await ask(makeToken(second, claims({ jti: 'outage' }), { alg: 'RS256', kid: 'x' })), 401)
  provider.trouble = null
  provider.keys = [first]
})

t.test('a provider that is down at the start', async (t) => {
  const late = await startKeyServer([first])
  late.trouble = 'refuse'
  const gateway = await startGatewayHere(
    testConfig(upstream.url, {
      issuers: { it: { ...ISSUER, issuer: late.issuer, ca: `${folder}/ca.pem`, refetch: '1 ms' } },
      routes: [{ ...route, service: 'chat', path: '/*', signIn: 'it' }],
    }),
  )
  const client = requestTransports[0]!.open({ port: gateway.publicPort })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
    await late.close()
  })
  const ask = () => client.ask({ path: '/any', headers: bearer(makeToken(first, keycloakClaims(late.issuer))) })
  const down = await ask()
  t.equal(down.status, 503)
  t.ok(down.header('retry-after'))
  late.trouble = null
  t.equal((await ask()).status, 200)
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  t.match(metrics, /portcullis_issuer_keys_total\{outcome="failed",issuer="it"\} 1/)
  t.match(metrics, /portcullis_sign_in_total\{outcome="token-unknowable"\} 1/)
})

t.test('what is recorded, and that no token is', async (t) => {
  await until(() => gateway.auditLines().some(({ event }) => event === 'authz_fail'))
  const lines = gateway.auditLines()
  t.ok(lines.some(({ event, user }) => event === 'authn_login_success' && user === 'maria'))
  t.ok(lines.some(({ event, reason }) => event === 'authn_login_fail' && /expired/.test(String(reason))))
  t.ok(gateway.accessLines().some(({ user }) => user === 'maria'))
  const written = JSON.stringify([lines, gateway.accessLines()])
  t.notMatch(written, /eyJ/)
})
