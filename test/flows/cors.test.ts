/** Pages of other origins: who may read what, as browsers ask and judge (Fetch, 3.2), whatever the service says. */
import t from 'tap'
import { type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { HandshakeRefused, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const FRIEND = 'https://www.friend.example'
const SECOND = 'https://second.example:8443'
const upstream = await startUpstream()
/** A service with CORS of its own, as wrong as one finds them. */
upstream.on('/', (_request, response) => {
  response.writeHead(200, {
    'content-type': 'text/plain',
    'access-control-allow-origin': '*',
    'access-control-allow-credentials': 'true',
    'access-control-allow-methods': 'DELETE',
    'access-control-allow-headers': '*',
    'access-control-expose-headers': 'x-secret',
    'access-control-max-age': '86400',
    'access-control-allow-private-network': 'true',
    vary: 'accept-language',
  })
  response.end('hello'.repeat(400))
})
const route = (path: string, more: Json = {}): Json => ({
  ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST'] },
  ...more,
})
const cors = { origins: [FRIEND, SECOND] }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    routes: [
      route('/plain/*', { cors, webSocket: true }),
      route('/with/*', {
        cors: { ...cors, credentials: true, headers: ['content-type', 'X-Own'], expose: ['X-Total'], maxAge: '1 hour' },
      }),
      route('/split', { methods: ['GET'], cors }),
      route('/split', { methods: ['PUT'], cors: { origins: [SECOND] } }),
      route('/own', { service: undefined, methods: ['GET'], respond: { text: 'own' }, cors }),
      route('/options/*', { methods: ['GET', 'OPTIONS'], cors }),
      route('/service/*', { methods: ['GET', 'OPTIONS'] }),
      route('/small/*', { cors, compression: 'public' }),
      route('/limited/*', { cors, limits: ['few'] }),
      route('/signed/*', { cors: { ...cors, headers: ['authorization'] }, signIn: { oidc: 'staff' } }),
      route('/closed/*', { cors, maintenance: true }),
    ],
    limits: { few: { rate: '1 per hour' } },
    issuers: {
      staff: { issuer: 'https://127.0.0.1:9', audience: ['chat'], keys: { url: 'https://127.0.0.1:9/keys' } },
    },
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

/** What is said of CORS, by name without its beginning. */
function said(reply: Reply): Record<string, string> {
  const found: Record<string, string> = {}
  for (let i = 0; i < reply.headers.length; i += 2) {
    const name = reply.headers[i]!
    if (!name.startsWith('access-control-')) continue
    const short = name.slice('access-control-'.length)
    found[short] = short in found ? `${found[short]} AND ${reply.headers[i + 1]}` : reply.headers[i + 1]!
  }
  return found
}
const varies = (reply: Reply): string =>
  reply.headers.filter((_, i) => reply.headers[i - 1] === 'vary' && i % 2 === 1).join(', ')

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ ...place, from: transport.name === 'h1' ? '127.0.0.1' : '127.0.0.2' })
    t.teardown(() => client.close())
    const get = (path: string, origin: string | null, headers: string[] = []) =>
      client.ask({ path, headers: origin === null ? headers : ['origin', origin, ...headers] })
    const preflight = (path: string, origin: string, method: string, headers: string[] = []) =>
      client.ask({
        path,
        method: 'OPTIONS',
        headers: ['origin', origin, 'access-control-request-method', method, ...headers],
      })

    t.test('a page on the list may read, and is named', async (t) => {
      for (const origin of [FRIEND, SECOND]) {
        const reply = await get('/plain/x', origin)
        t.same(said(reply), { 'allow-origin': origin })
        t.equal(varies(reply), 'accept-language, origin')
        t.equal(reply.status, 200)
      }
      t.same(said(await get('/with/x', FRIEND)), {
        'allow-origin': FRIEND,
        'allow-credentials': 'true',
        'expose-headers': 'x-total',
      })
      t.same(said(await get('/own', FRIEND)), { 'allow-origin': FRIEND }, 'what the gateway answers, too')
    })

    t.test('nobody else may, whatever the service says', async (t) => {
      for (const origin of [
        ...[null, 'null', '*', 'https://evil.example', 'http://www.friend.example', 'https://friend.example'],
        ...[
          `${FRIEND}:443`,
          `${FRIEND}.evil.example`,
          `${FRIEND}/`,
          `https://evil.example ${FRIEND}`,
          FRIEND.toUpperCase(),
        ],
        ...['https://second.example', `${FRIEND}, ${SECOND}`],
      ]) {
        const reply = await get('/with/x', origin)
        t.same(said(reply), {}, String(origin))
        t.match(varies(reply), /origin/, 'a cache must not give it to a page that may')
      }
      const twice = await client.ask({ path: '/with/x', headers: ['origin', FRIEND, 'origin', 'https://evil.example'] })
      t.same(said(twice), {})
    })

    t.test('a preflight is answered by the gateway', async (t) => {
      upstream.received.length = 0
      const reply = await preflight('/with/x', FRIEND, 'POST', ['access-control-request-headers', 'x-own'])
      t.equal(reply.status, 204)
      t.same(said(reply), {
        'allow-origin': FRIEND,
        'allow-credentials': 'true',
        'expose-headers': 'x-total',
        'allow-methods': 'GET, POST, HEAD',
        'allow-headers': 'content-type, x-own',
        'max-age': '3600',
      })
      t.match(varies(reply), /access-control-request-method.*origin/)
      t.same(said(await preflight('/plain/x', SECOND, 'GET')), {
        ...{
          'allow-origin': SECOND,
          'allow-methods': 'GET, POST, HEAD',
          'allow-headers': 'content-type',
          'max-age': '600',
        },
      })
      t.equal((await preflight('/options/x', FRIEND, 'GET')).status, 204)
      t.same(upstream.received, [], 'the service hears of none')
    })

    t.test('a preflight of anybody else, or for another method, is refused', async (t) => {
      for (const origin of ['null', 'https://evil.example', '*']) {
        const reply = await preflight('/with/x', origin, 'GET')
        t.equal(reply.status, 403, origin)
        t.same(said(reply), {})
      }
      const other = await preflight('/plain/x', FRIEND, 'DELETE')
      t.equal(other.status, 405)
      t.same(said(other), {})
      t.equal((await preflight('/nowhere', FRIEND, 'GET')).status, 404)
      const none = await client.ask({ path: '/plain/x', method: 'OPTIONS', headers: ['origin', FRIEND] })
      t.equal(none.status, 405, 'what asks for nothing is no preflight')
    })

    t.test('each method is asked for at its own route', async (t) => {
      t.equal((await preflight('/split', FRIEND, 'GET')).status, 204)
      t.equal((await preflight('/split', FRIEND, 'PUT')).status, 403)
      const put = await preflight('/split', SECOND, 'PUT')
      t.equal(said(put)['allow-methods'], 'PUT')
    })

    t.test('without the setting what the service says passes', async (t) => {
      t.equal(said(await get('/service/x', 'https://evil.example'))['allow-origin'], '*')
      upstream.received.length = 0
      await preflight('/service/x', FRIEND, 'GET')
      t.equal(upstream.received[0]?.method, 'OPTIONS')
    })

    t.test('pages on the list may send, others may not', async (t) => {
      const post = (origin: string) =>
        client.ask({ path: '/plain/x', method: 'POST', body: 'x', headers: ['origin', origin] })
      t.equal((await post(FRIEND)).status, 200)
      t.same(said(await post(FRIEND)), { 'allow-origin': FRIEND })
      for (const origin of ['null', 'https://evil.example']) t.equal((await post(origin)).status, 403, origin)
    })

    t.test('errors of the gateway can be read by those who may read', async (t) => {
      const closed = await get('/closed/x', FRIEND)
      t.same([closed.status, said(closed)['allow-origin']], [503, FRIEND])
      const unsigned = await get('/signed/x', FRIEND)
      t.same([unsigned.status, said(unsigned)['allow-origin']], [401, FRIEND])
      t.equal((await preflight('/signed/x', FRIEND, 'GET')).status, 204, 'a preflight comes without a token')
      t.equal((await get('/limited/x', FRIEND)).status, 200)
      const limited = await preflight('/limited/x', FRIEND, 'GET')
      t.same([limited.status, said(limited)['allow-origin']], [429, FRIEND], 'preflights count')
    })

    t.test('compression and CORS each say what they vary by', async (t) => {
      const reply = await get('/small/x', FRIEND, ['accept-encoding', 'gzip'])
      t.equal(reply.header('content-encoding'), 'gzip')
      t.same(said(reply), { 'allow-origin': FRIEND })
      t.equal(varies(reply), 'accept-language, accept-encoding, origin')
    })
  })
}

for (const transport of socketTransports) {
  t.test(`WebSockets over ${transport.name} go by their own list`, async (t) => {
    const refused = await transport
      .open(place, { path: '/plain/ws', headers: ['origin', FRIEND] })
      .catch((error) => error)
    t.type(refused, HandshakeRefused)
    t.equal((refused as HandshakeRefused).status, 403)
  })
}
