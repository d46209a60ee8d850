/**
 * Forward proxies that refuse, hang, break off, answer nonsense or speak for the service: each has an outcome of its own within its
 * time, by answer, access line, log and metric, and none leads past the proxy.
 */
import { writeFileSync } from 'node:fs'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { openHttp1, openHttp2 } from '../kit/clients.ts'
import { type ConnectProxy, startConnectProxy } from '../kit/connect-proxy.ts'
import { type Json, startGateway, testConfig } from '../kit/gateway.ts'
import { startTlsBefore } from '../kit/tinyproxy.ts'
import { freePort, startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const PASSWORD = 'not-the-right-one-42'
const SECRET = Buffer.from(`gateway:${PASSWORD}`).toString('base64')

type Answer = NonNullable<ConnectProxy['answer']>
const say =
  (...pieces: string[]): Answer =>
  (socket) => {
    for (const piece of pieces) socket.write(piece, 'latin1')
  }
const sayAndGo =
  (text: string): Answer =>
  (socket) =>
    void socket.end(text, 'latin1')

function drip(socket: Socket): void {
  socket.write('HTTP/1.1 200 OK\r\n')
  const timer = setInterval(() => socket.write('x: y\r\n'), 30)
  socket.on('close', () => clearInterval(timer))
}

const status = (code: number, fields = '') => `HTTP/1.1 ${code} No\r\n${fields}content-length: 0\r\n\r\n`
const FORGED = 'HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged'
const BASIC = 'proxy-authenticate: Basic realm="x"\r\n'

interface Case {
  readonly answer: Answer
  readonly code: string
  readonly detail: RegExp
  readonly isAnonymous?: boolean
}

const CASES: Readonly<Record<string, Case>> = {
  'wrong-password': {
    ...{ answer: say(status(407, BASIC)), code: 'proxy-auth-refused' },
    detail: /^the proxy refuses the user or the password \(407\)$/,
  },
  'wrong-password-401': {
    ...{ answer: say(status(401)), code: 'proxy-auth-refused' },
    detail: /refuses the user or the password \(401\)/,
  },
  'other-scheme': {
    answer: say(
      status(407, 'proxy-authenticate: Negotiate\r\nproxy-authenticate: Digest realm="Basic", nonce="x"\r\n'),
    ),
    ...{ code: 'proxy-auth-refused', detail: /asks for another scheme than Basic \(407\)/ },
  },
  'no-password': {
    ...{ answer: say(status(407, BASIC)), code: 'proxy-auth-refused', isAnonymous: true },
    detail: /asks for a user and a password, and none are configured/,
  },
  forbidden: {
    answer: say(status(403)),
    code: 'proxy-refused',
    detail: /allows no connection to the endpoint \(403\)/,
  },
  elsewhere: {
    answer: (socket) => socket.write(status(302, `location: http://127.0.0.1:${trap.port}/\r\n`)),
    ...{ code: 'proxy-refused', detail: /\(302\)/ },
  },
  'bad-gateway': { answer: say(status(502)), code: 'proxy-failed', detail: /does not reach the endpoint \(502\)/ },
  'gateway-timeout': { answer: say(status(504)), code: 'proxy-failed', detail: /\(504\)/ },
  silent: { answer: () => {}, code: 'proxy-timeout', detail: /did not answer CONNECT in time/ },
  dripping: { answer: drip, code: 'proxy-timeout', detail: /did not answer CONNECT in time/ },
  closing: { answer: sayAndGo(''), code: 'proxy-closed', detail: /ended the connection before it answered CONNECT/ },
  'breaking-off': { answer: sayAndGo('HTTP/1.1 200 O'), code: 'proxy-closed', detail: /before it answered CONNECT/ },
  resetting: {
    answer: (socket) => void socket.resetAndDestroy(),
    ...{ code: 'proxy-closed', detail: /lost before it answered CONNECT \(ECONNRESET\)/ },
  },
  'not-http': { answer: say('SSH-2.0-OpenSSH\r\n'), code: 'proxy-bad-answer', detail: /is not HTTP/ },
  'bare-lf': { answer: say('HTTP/1.1 200 OK\n\n', 'x: y\r\n\r\n'), code: 'proxy-bad-answer', detail: /malformed/ },
  'bad-field': { answer: say('HTTP/1.1 200 OK\r\nx y: z\r\n\r\n'), code: 'proxy-bad-answer', detail: /malformed/ },
  'no-status': { answer: say('HTTP/1.1 999 What\r\n\r\n'), code: 'proxy-bad-answer', detail: /malformed/ },
  oversize: {
    answer: say(`HTTP/1.1 200 OK\r\nx: ${'y'.repeat(40_000)}\r\n\r\n`),
    ...{ code: 'proxy-bad-answer', detail: /too long/ },
  },
  'many-fields': {
    answer: say(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(1000)}\r\n`),
    ...{ code: 'proxy-bad-answer', detail: /malformed/ },
  },
  undecided: {
    answer: say('HTTP/1.1 100 Continue\r\n\r\n'.repeat(40)),
    ...{ code: 'proxy-bad-answer', detail: /does not decide/ },
  },
  switching: {
    answer: say('HTTP/1.1 101 Yes\r\nupgrade: websocket\r\n\r\n'),
    ...{ code: 'proxy-bad-answer', detail: /switched protocols/ },
  },
  smuggling: {
    answer: say(`HTTP/1.1 200 OK\r\n\r\n${FORGED}`),
    ...{ code: 'proxy-bad-answer', detail: /bytes came behind the answer to CONNECT/ },
  },
  'smuggling-a-body': {
    answer: say(`HTTP/1.1 200 OK\r\ncontent-length: ${FORGED.length}\r\n\r\n${FORGED}`),
    ...{ code: 'proxy-bad-answer', detail: /bytes came behind/ },
  },
}

const certificate = await makeCertificate({ names: ['localhost', '127.0.0.1'] })
const misnamed = await makeCertificate({ names: ['proxy.example.com'] })
const folder = t.testdir()
const ca = join(folder, 'ca.pem')
writeFileSync(ca, certificate.cert + misnamed.cert)
/** They listen where the endpoints are, and must see no connection but those that a good proxy makes. */
const plain = await startUpstream()
const secure = await startUpstream({ tls: certificate })
const trap = await startUpstream()

const auth = { user: 'gateway', password: { env: 'PROXY_PASSWORD' } }
const timeouts = { connect: '400 ms' }
const proxies: ConnectProxy[] = []
const services: Record<string, Json> = {}
for (const [name, { answer, isAnonymous }] of Object.entries(CASES)) {
  const proxy = await startConnectProxy()
  proxy.answer = answer
  proxies.push(proxy)
  const through = { url: proxy.url, ...(isAnonymous ? {} : { auth }) }
  services[name] = { endpoints: [plain.url], proxy: through, timeouts }
  services[`h2-${name}`] = { endpoints: [secure.url], tls: { ca }, protocol: 'h2', proxy: through, timeouts }
}
const good = await startConnectProxy()
/** It accepts TCP and says nothing, to a TLS handshake neither. */
const mute = await startConnectProxy()
const fronts = [await startTlsBefore(good.port, certificate), await startTlsBefore(good.port, misnamed)]
const [front, misnamedFront] = fronts.map(({ port }) => `https://127.0.0.1:${port}`)
const down = await freePort()
const UNREACHED: readonly (readonly [string, Json, string, RegExp])[] = [
  ['down', { url: `http://127.0.0.1:${down}` }, 'proxy-unreachable', /be reached \(ECONNREFUSED\)/],
  ['nowhere', { url: 'http://no-proxy.invalid:3128' }, 'proxy-unreachable', /be reached \((?:ENOTFOUND|EAI_AGAIN)\)/],
  ['untrusted', { url: front }, 'proxy-untrusted', /prove who it is \(DEPTH_ZERO_SELF_SIGNED_CERT\)/],
  ['misnamed', { url: misnamedFront, ca }, 'proxy-untrusted', /prove who it is \(ERR_TLS_CERT_ALTNAME_INVALID\)/],
  ['no-tls', { url: `https://127.0.0.1:${plain.port}`, ca }, 'proxy-unreachable', /the proxy cannot be reached/],
  ['mute-tls', { url: `https://127.0.0.1:${mute.port}`, ca }, 'proxy-unreachable', /be reached in time/],
]
for (const [name, proxy] of UNREACHED) services[name] = { endpoints: [secure.url], tls: { ca }, proxy, timeouts }
services.good = { endpoints: [plain.url], proxy: { url: good.url, auth } }

const gateway = await startGateway(
  testConfig('', {
    services,
    routes: Object.keys(services).map((name) => ({
      ...{ path: `/${name}/*`, service: name, profiles: ['internet'], purpose: 'test', webSocket: true },
      methods: ['GET', 'POST'],
    })),
  }),
  { PROXY_PASSWORD: PASSWORD },
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  for (const each of fronts) each.close()
  await Promise.all([...proxies, good, mute].map((each) => each.close()))
  await Promise.all([plain, secure, trap].map((each) => each.close()))
})

const wanted: (readonly [string, string, RegExp])[] = [
  ...Object.entries(CASES).flatMap(([name, { code, detail }]): [string, string, RegExp][] => [
    [name, code, detail],
    [`h2-${name}`, code, detail],
  ]),
  ...UNREACHED.map(([name, , code, detail]) => [name, code, detail] as const),
]

t.test('each has an outcome of its own', async (t) => {
  const clients = [openHttp1(place), openHttp2(place)]
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  for (const [i, [name, code]] of wanted.entries()) {
    const client = clients[i % 2]!
    for (const wish of [{ path: `/${name}/get` }, { path: `/${name}/post`, method: 'POST', body: 'hello' }]) {
      const reply = await client.ask({ ...wish, headers: ['accept', 'application/json'] })
      t.match(reply.json(), { code, status: code === 'proxy-timeout' ? 504 : 502 }, `${name}: ${code}`)
      t.notMatch(reply.text, /forged|127\.0\.0\.1|Basic|\d{3}\)/, 'the client learns nothing of the proxy')
    }
  }
})

t.test('and it stands in the access line, the metrics and the log', async (t) => {
  const lines = await until(() => {
    const all = gateway.accessLines()
    return all.length >= wanted.length * 2 && all
  }, 'the access lines')
  for (const [name, code, detail] of wanted) {
    for (const way of ['get', 'post']) {
      const line = lines.find(({ path }) => path === `/${name}/${way}`)!
      t.equal(line.failure, code, name)
      t.match(line.detail, detail, name)
    }
  }
  const page = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  for (const code of new Set(wanted.map(([, each]) => each))) {
    t.match(page, new RegExp(`portcullis_upstream_failures_total\\{code="${code}"\\} [1-9]`), code)
  }
  t.match(page, /portcullis_endpoint_changes_total\{change="blocked",service="wrong-password"\} 1\n/)
  t.notMatch(page, /change="blocked",service="forbidden"/, 'a proxy that says no works')
  const said = gateway
    .log()
    .split('\n')
    .filter((line) => line.includes('"service":"wrong-password"'))
  t.equal(said.length, 1, 'said once, not for every request')
  t.match(JSON.parse(said[0]!), {
    message: 'The way through the proxy is blocked',
    reason: 'the proxy refuses the user or the password (407)',
  })
})

t.test('the password went to the proxies, and is shown nowhere', (t) => {
  const heads = proxies.flatMap((each) => each.heads)
  t.ok(heads.some((head) => head.includes(`proxy-authorization: Basic ${SECRET}\r\n`)))
  const shown = `${gateway.log()}${JSON.stringify(gateway.accessLines())}${JSON.stringify(gateway.auditLines())}`
  t.notMatch(shown, PASSWORD)
  t.notMatch(shown, SECRET)
  t.end()
})

t.test('nothing went past a proxy', async (t) => {
  t.same(secure.connections, [], 'the TLS service was never reached')
  t.same(trap.connections, [], 'a redirect of a proxy is not followed')
  const strays = (): number[] =>
    plain.connections.map(({ socket }) => socket.remotePort ?? 0).filter((port) => !good.ownPorts.has(port))
  // One proxy of the list is this service itself, asked for TLS: what came there is no request.
  t.same(plain.received, [])
  const before = strays().length
  const client = openHttp1(place)
  t.teardown(() => client.close())
  t.match(await client.ask({ path: '/good/a' }), { status: 200 })
  t.equal(plain.received.length, 1)
  t.equal(strays().length, before, 'and what reached it came from the good proxy')
})

t.test('the way through a proxy that comes back is said', async (t) => {
  const [proxy] = proxies
  proxy!.answer = null
  const client = openHttp1(place)
  t.teardown(() => client.close())
  t.match(await client.ask({ path: '/wrong-password/x' }), { status: 200 })
  await until(() => /"service":"wrong-password".*something gets through again/.test(gateway.log()), 'the word')
  t.match(gateway.log(), 'The way through the proxy is cleared')
})
