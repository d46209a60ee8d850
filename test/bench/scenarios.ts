/** What is measured: the work of each scenario, who takes part, and what is asked of the gateway there. */
import { type Contender, contender } from './peers.ts'
import { CHAT_ANSWER, CHAT_PATH, LARGE_BODY, LARGE_PATH, SMALL_BODY, SMALL_PATH } from './place.ts'
import { lastRoute } from './portcullis.ts'

interface Common {
  readonly name: string
  readonly title: string
  /** What is counted per second of processor time; for `idle`, what a socket costs. */
  readonly unit: string
  /** One sentence: the work. */
  readonly about: string
  readonly contenders: readonly Contender[]
  /** The label that the others are compared with. */
  readonly base: string
}

export interface HttpScenario extends Common {
  readonly kind: 'http'
  readonly path: (entrant: Contender) => string
  /** JSON to POST; null for GET. */
  readonly post: string | null
  readonly answer: string
  /** A connection asks in turn with and without a query. */
  readonly alternates: boolean
  readonly connections: number
  /** HTTP/2 requests at once on one connection; 0 for HTTP/1.1. */
  readonly streams: number
  /** Requests a second at which latency is measured; 0: it is not. */
  readonly rate: number
}

export interface RelayScenario extends Common {
  readonly kind: 'relay'
  readonly sockets: number
}

export interface HandshakeScenario extends Common {
  readonly kind: 'handshakes'
  readonly mode: 'full' | 'resumed'
}

export interface IdleScenario extends Common {
  readonly kind: 'idle'
  readonly sockets: number
}

export type Scenario = HttpScenario | RelayScenario | HandshakeScenario | IdleScenario

const GATEWAY = contender('portcullis')
const SERVERS = [contender('nginx'), contender('haproxy'), contender('caddy')]
const HTTP = [GATEWAY, ...SERVERS, contender('fastify'), contender('http-proxy')]
const CHAT = [
  contender('portcullis', { filter: true, limit: 'redis' }),
  contender('nginx', { filter: true, limit: 'redis' }, 'nginx with Lua'),
  contender('nginx', { filter: true, limit: 'redis', isWhole: false }, 'nginx with Lua, limit and filter alone'),
]
const MANY_ROUTES = 10_000
const CLEAN =
  '{"name":"Ada","text":"Hello, I ordered two lamps last week & only one came. The order says 2 > 1, so could you have a look please? The number stands in the mail that I got on Monday. Many thanks in advance!"}'
const MARKED =
  '{"name":"Ada","text":"Hello, I ordered <b>two</b> lamps last week & only one came. See <a href=\\"https://example.com/orders\\">my order</a>, could you have a look please?<br>Many <i>thanks</i> in advance!"}'

const get: Pick<HttpScenario, 'kind' | 'path' | 'post' | 'answer' | 'alternates' | 'connections' | 'streams' | 'rate'> =
  {
    kind: 'http',
    path: () => SMALL_PATH,
    post: null,
    answer: SMALL_BODY,
    alternates: false,
    connections: 32,
    streams: 0,
    rate: 1000,
  }
const chat = { ...get, path: () => CHAT_PATH, answer: CHAT_ANSWER, contenders: CHAT, base: 'nginx with Lua' }

export const SCENARIOS: readonly Scenario[] = [
  {
    ...get,
    name: 'plain',
    title: 'GET, 1 KB',
    unit: 'requests',
    about: 'HTTP/1.1 over TLS, kept connections, an answer of 1 KB.',
    contenders: [...HTTP, contender('nginx', { keepsUpstream: false }, 'nginx without upstream keep-alive')],
    base: 'nginx',
  },
  {
    ...get,
    name: 'varied',
    title: 'GET, 1 KB, changing heads',
    unit: 'requests',
    about: 'The same with two targets in turn: no head on a connection is equal to the one before.',
    alternates: true,
    rate: 0,
    contenders: [GATEWAY, contender('nginx')],
    base: 'nginx',
  },
  {
    ...get,
    name: 'large',
    title: 'GET, 100 KB',
    unit: 'requests',
    about: 'The same with an answer of 100 KB.',
    path: () => LARGE_PATH,
    answer: LARGE_BODY,
    rate: 300,
    contenders: HTTP,
    base: 'nginx',
  },
  {
    ...chat,
    name: 'chat',
    title: 'Chat message',
    unit: 'requests',
    about: 'POST of a JSON message of 200 bytes without markup: counted in Redis, inspected for HTML.',
    post: CLEAN,
  },
  {
    ...chat,
    name: 'chat-html',
    title: 'Chat message with HTML',
    unit: 'requests',
    about: 'The same with four elements in the message, which are taken out.',
    post: MARKED,
  },
  {
    ...get,
    name: 'http2',
    title: 'HTTP/2 GET, 1 KB',
    unit: 'requests',
    about: 'HTTP/2 over TLS, 8 connections with 16 requests each at once, an answer of 1 KB.',
    connections: 8,
    streams: 16,
    contenders: [GATEWAY, ...SERVERS, contender('fastify')].map(({ peer }) => contender(peer, { http2: true })),
    base: 'nginx',
  },
  {
    kind: 'relay',
    name: 'relay',
    title: 'WebSocket relay',
    unit: 'messages',
    about:
      'Messages of 200 bytes to an echo and back on 64 sockets, one under way on each; a message there and back counts once.',
    sockets: 64,
    contenders: [
      GATEWAY,
      contender('portcullis', { filter: true }, 'portcullis, filtered'),
      ...SERVERS,
      contender('http-proxy'),
    ],
    base: 'nginx',
  },
  {
    kind: 'handshakes',
    name: 'handshakes-full',
    title: 'TLS handshakes, full',
    unit: 'handshakes',
    about: 'TLS 1.3, X25519, ECDSA P-256; connection, handshake, close.',
    mode: 'full',
    contenders: [GATEWAY, ...SERVERS],
    base: 'nginx',
  },
  {
    kind: 'handshakes',
    name: 'handshakes-resumed',
    title: 'TLS handshakes, resumed',
    unit: 'handshakes',
    about: 'The same by session ticket.',
    mode: 'resumed',
    contenders: [GATEWAY, ...SERVERS],
    base: 'nginx',
  },
  {
    kind: 'idle',
    name: 'idle',
    title: 'Idle WebSockets',
    unit: 'KB',
    about: 'Growth of resident memory by open, silent WebSockets over TLS, each with its connection to the upstream.',
    sockets: 10_000,
    contenders: [GATEWAY, ...SERVERS, contender('http-proxy')].map(({ peer }) => contender(peer, { many: true })),
    base: 'nginx',
  },
  {
    ...get,
    name: 'routes',
    title: '10 and 10,000 routes',
    unit: 'requests',
    about: 'GET of 1 KB by the last route of the configuration.',
    path: ({ variant }) => lastRoute(variant.routes),
    rate: 0,
    contenders: [
      contender('portcullis', {}, '10 routes'),
      contender('portcullis', { routes: MANY_ROUTES }, '10,000 routes'),
    ],
    base: '10 routes',
  },
  {
    ...get,
    name: 'limit-store',
    title: 'Limit in memory and in Redis',
    unit: 'requests',
    about: 'GET of 1 KB, each request counted.',
    rate: 0,
    contenders: [contender('portcullis', {}, 'in memory'), contender('portcullis', { limit: 'redis' }, 'in Redis')],
    base: 'in memory',
  },
]

/** What the gateway must reach: the value of one row over that of another, or a value as it is. */
export interface Goal {
  readonly scenario: string
  readonly text: string
  readonly row: string
  /** Null: the value itself. */
  readonly against: string | null
  readonly least?: number
  readonly most?: number
}

export const GOALS: readonly Goal[] = [
  { scenario: 'plain', text: 'GET 1 KB against nginx', row: 'portcullis', against: 'nginx', least: 0.6 },
  { scenario: 'plain', text: 'GET 1 KB against Caddy', row: 'portcullis', against: 'Caddy', least: 3 },
  {
    ...{ scenario: 'plain', text: 'GET 1 KB against @fastify/http-proxy' },
    ...{ row: 'portcullis', against: '@fastify/http-proxy', least: 3.5 },
  },
  {
    scenario: 'chat',
    text: 'chat message against nginx with Lua',
    row: 'portcullis',
    against: 'nginx with Lua',
    least: 1,
  },
  { scenario: 'relay', text: 'WebSocket relay against nginx', row: 'portcullis', against: 'nginx', least: 0.5 },
  {
    ...{ scenario: 'relay', text: 'filtered relay against http-proxy unfiltered' },
    ...{ row: 'portcullis, filtered', against: 'http-proxy', least: 2 },
  },
  { scenario: 'http2', text: 'HTTP/2 GET against Caddy', row: 'portcullis', against: 'Caddy', least: 2 },
  {
    scenario: 'handshakes-full',
    text: 'full handshakes against nginx',
    row: 'portcullis',
    against: 'nginx',
    least: 0.6,
  },
  { scenario: 'routes', text: '10,000 routes against 10', row: '10,000 routes', against: '10 routes', least: 0.95 },
  {
    scenario: 'limit-store',
    text: 'limit in Redis against memory',
    row: 'in Redis',
    against: 'in memory',
    least: 0.75,
  },
  { scenario: 'idle', text: 'KB for an idle WebSocket', row: 'portcullis', against: null, most: 60 },
]
