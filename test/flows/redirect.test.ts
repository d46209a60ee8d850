/** The plain HTTP port: it leads people to HTTPS, refuses programs, and serves nothing else. */
import t from 'tap'
import { rawExchange } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { freePort, startUpstream } from '../kit/upstream.ts'

const upstream = await startUpstream()
const httpsPort = await freePort()
const route = (path: string, more: Json = {}): Json => ({
  ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', ...more },
})
const hosts = ['localhost', '127.0.0.1', 'chat.example.com']
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ address: `127.0.0.1:${httpsPort}`, hosts, redirectFrom: '127.0.0.1:0' }),
      known: publicListener({ hosts, redirectFrom: '127.0.0.1:0', redirectPort: 443 }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      route('/*', { methods: ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'], webSocket: true }),
      route('/api/*', { api: true, methods: ['GET', 'POST'], webSocket: true }),
    ],
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const place = { port: gateway.port('listeners.public.redirectFrom') }

async function ask(
  head: string,
  port = place.port,
): Promise<{ status: number; text: string; location: string | null }> {
  const bytes = head.includes('\r\n\r\n') ? head : `${head}\r\nconnection: close\r\n\r\n`
  const { text, statuses } = await rawExchange({ port }, bytes, { secure: false })
  return { status: statuses[0] ?? 0, text, location: /\r\nlocation: (.*)\r\n/.exec(text)?.[1] ?? null }
}

t.test('308 to the HTTPS origin of the same host, with path and query', async (t) => {
  for (const [line, host, location] of [
    ['GET /', 'localhost', `https://localhost:${httpsPort}/`],
    ['GET /a/b?c=d%20e&f', 'chat.example.com', `https://chat.example.com:${httpsPort}/a/b?c=d%20e&f`],
    ['GET /a?', 'chat.example.com', `https://chat.example.com:${httpsPort}/a?`],
    ['GET /a', `chat.example.com:${place.port}`, `https://chat.example.com:${httpsPort}/a`],
    ['GET /a', 'CHAT.example.COM', `https://chat.example.com:${httpsPort}/a`],
    ['HEAD /a', '127.0.0.1', `https://127.0.0.1:${httpsPort}/a`],
    ['DELETE /a', 'localhost', `https://localhost:${httpsPort}/a`],
    // What a browser would take for another host must not stand at the start of the path.
    ['GET //evil.example/x', 'localhost', `https://localhost:${httpsPort}/evil.example/x`],
    ['GET /caf%c3%a9', 'localhost', `https://localhost:${httpsPort}/caf%C3%A9`],
  ] as const) {
    const answer = await ask(`${line} HTTP/1.1\r\nhost: ${host}`)
    t.equal(answer.status, 308, `${line} ${host}`)
    t.equal(answer.location, location)
  }
  const posted = await ask(
    'POST /a HTTP/1.1\r\nhost: localhost\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsecret',
  )
  t.equal(posted.status, 308)
})

t.test('the port that clients see may be another one, and 443 is not written', async (t) => {
  const answer = await ask('GET /a HTTP/1.1\r\nhost: localhost', gateway.port('listeners.known.redirectFrom'))
  t.equal(answer.location, 'https://localhost/a')
})

t.test('programs are refused, so that their secrets do not travel twice', async (t) => {
  for (const line of ['GET /api/x', 'POST /api/x', 'GET /api/../api/x', 'GET /%61pi/x']) {
    const answer = await ask(`${line} HTTP/1.1\r\nhost: localhost`)
    t.equal(answer.status, 403, line)
    t.equal(answer.location, null)
    t.match(answer.text, /"code":"https-required"/)
  }
})

t.test('hosts that are not served, and what is no request, are refused', async (t) => {
  for (const head of [
    'GET / HTTP/1.1\r\nhost: evil.example',
    'GET / HTTP/1.1\r\nhost: localhost@evil.example',
    'GET / HTTP/1.1\r\nhost: localhost\r\nhost: localhost',
    'GET / HTTP/1.1\r\nx: y',
    'GET http://evil.example/ HTTP/1.1\r\nhost: localhost',
    'GET /a%0d%0aset-cookie:x HTTP/1.1\r\nhost: localhost',
    'GET /a%2f..%2fb HTTP/1.1\r\nhost: localhost',
  ]) {
    const answer = await ask(head)
    t.equal(answer.status, 400, head)
    t.equal(answer.location, null)
  }
  const hello = await rawExchange(place, Buffer.from('16030100c8010000c40303', 'hex'), { secure: false })
  t.ok(hello.statuses.length === 0 || hello.statuses[0] === 400, 'a TLS handshake')
  t.equal((await ask('TRACE / HTTP/1.1\r\nhost: localhost')).status, 405)
})

t.test('nothing is served in plain text: no WebSocket, no HTTP/2, no word from the service', async (t) => {
  const handshake = (path: string): string =>
    `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: Upgrade\r\nupgrade: websocket\r\n` +
    'sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n'
  for (const path of ['/ws/a', '/api/ws']) {
    const { text } = await rawExchange(place, handshake(path), {
      secure: false,
      enough: (got) => got.includes('\r\n\r\n'),
    })
    t.notMatch(text, /^HTTP\/1\.1 101/)
    t.match(text, /^HTTP\/1\.1 (?:308|40\d)/)
  }
  const preface = await rawExchange(place, 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', { secure: false })
  t.match(preface.text, /^(?:HTTP\/1\.1 (?:400|505)|$)/)
  t.equal(upstream.received.length, 0)
  t.equal(upstream.connections.length, 0)
})

t.test('the answers carry the security headers but HSTS, which counts over HTTPS only (RFC 6797, 7.2)', async (t) => {
  for (const path of ['/a', '/api/x']) {
    const { text } = await ask(`GET ${path} HTTP/1.1\r\nhost: localhost`)
    t.match(text, /\r\nx-content-type-options: nosniff\r\n/)
    t.notMatch(text, /strict-transport-security/)
    t.notMatch(text, /\r\nserver:|portcullis|node/i)
  }
})
