/** The settings of the internal services that requests go to. It knows no route. */
import { z } from 'zod'
import { breaker, checks, ejection, retries } from './health-shape.ts'
import { names } from './names-shape.ts'
import { proxy } from './proxy-shape.ts'
import { count, duration, file, secret, TOKEN } from './shape-terms.ts'

/** A path of visible ASCII; Linux allows 107 bytes. */
const UNIX = /^unix:\/[\x21-\x7e]{1,106}$/

const url = z
  .string()
  .refine((text) => {
    if (UNIX.test(text)) return true
    if (!URL.canParse(text)) return false
    const parsed = new URL(text)
    return (
      (parsed.protocol === 'http:' || parsed.protocol === 'https:') &&
      parsed.pathname === '/' &&
      parsed.search === '' &&
      parsed.hash === '' &&
      parsed.username === '' &&
      !text.endsWith('?')
    )
  }, 'is not the URL of an endpoint; write scheme, host and port only, for example "http://10.2.0.11:3000", or a Unix socket, "unix:/run/chat.sock"')
  .meta({ title: 'URL' })

const endpoint = z
  .union(
    [
      url,
      z.strictObject({
        url: url.describe('Base URL.'),
        weight: count(1, 'Its part of the requests, beside the weights of the others.', 1, 1000),
      }),
    ],
    { error: 'must be a URL, or { "url": ..., "weight": ... }' },
  )
  .transform((one) => (typeof one === 'string' ? { url: one, weight: 1 } : one))

const token = (what: string) =>
  z
    .string()
    .regex(TOKEN, `is not the name of a ${what}`)
    .max(128)
    .meta({ title: `${what} name` })

const hashBy = z.union(
  [
    z.enum(['address', 'path']),
    z.strictObject({
      header: token('header')
        .transform((text) => text.toLowerCase())
        .describe('A field of the request.'),
    }),
    z.strictObject({ cookie: token('cookie').describe('A cookie of the request.') }),
    z.strictObject({ segment: count(1, 'A part of the path: 1 is `chat` in `/chat/42`.', 1, 32) }),
  ],
  { error: 'must be "address", "path", { "header": ... }, { "cookie": ... } or { "segment": ... }' },
)

const balance = z
  .union(
    [
      z.enum(['round-robin', 'least-load', 'two-choices']),
      z.strictObject({
        hash: hashBy.describe(
          'What keeps requests together: `address` (of the client), `path`, a header, a cookie, or one segment of the path. Without it, as for a missing cookie, the client address counts.',
        ),
        overload: z
          .int()
          .min(101)
          .max(1000)
          .optional()
          .describe(
            'Per cent of its fair share that an endpoint may have before requests go to the next best one: 125. Default: no bound, so that nobody is moved.',
          ),
      }),
    ],
    { error: 'must be "round-robin", "least-load", "two-choices" or { "hash": ... }' },
  )
  .prefault('round-robin')
  .describe(
    'Who gets the next request. `round-robin`: in turn. `least-load`: who has the least running, WebSockets and event streams included. `two-choices`: the less loaded of two drawn by lot. `{ "hash": ... }`: the same endpoint for the same key, on every gateway; an endpoint that leaves moves its own share only. All heed weights.',
  )

const sticky = z
  .strictObject({
    by: z
      .enum(['socket.io', 'cookie'])
      .describe(
        'What brings a client back to its endpoint. `socket.io`: the session id of long-polling, without cookies. `cookie`: a cookie of the gateway. For the client address see `balance`.',
      ),
    key: secret
      .optional()
      .describe(
        'Key of at least 32 characters, the same on all gateways: endpoints are told apart by a keyed digest of their address. Default: by their position in `endpoints`, so that a new one is best added at the end.',
      ),
    cookie: token('cookie')
      .optional()
      .describe('Name of the cookie; default: `__Host-node-` and a digest of the name of the service.'),
    sameSite: z
      .enum(['strict', 'lax', 'none'])
      .prefault('lax')
      .describe('SameSite of the cookie: `none` for a chat that is framed by other sites.'),
  })
  .optional()
  .describe('Brings the requests of one client to the same endpoint.')

export const service = z.strictObject({
  endpoints: z
    .array(endpoint)
    .min(1, 'has no endpoint; write at least one URL')
    .max(256)
    .describe(
      'Base URLs (`http://10.2.0.11:3000`), Unix sockets (`unix:/run/chat.sock`), or `{ "url": ..., "weight": 2 }`.',
    ),
  dns: names,
  balance,
  sticky,
  health: checks,
  ejection,
  slowStart: duration(
    '10 seconds',
    'How long an endpoint that is back takes to come from a tenth of its weight to all of it; 0: at once.',
    0,
  ),
  breaker,
  retries,
  tls: z
    .strictObject({
      ca: file
        .optional()
        .describe(
          'PEM file of the authorities that may have signed the endpoint certificates; default: the public ones.',
        ),
      crl: z
        .array(file)
        .max(64)
        .prefault([])
        .describe(
          'PEM files of revocation lists, one for each authority of a chain. A list that has run out makes every endpoint untrusted.',
        ),
      serverName: z
        .string()
        .min(1)
        .optional()
        .describe('Name to ask for (SNI) and to check, where it is not the host of the URL.'),
      cert: file.optional().describe('Client certificate, PEM.'),
      key: file.optional().describe('Key of the client certificate, PEM.'),
    })
    .prefault({})
    .describe('TLS towards https endpoints; certificates are always verified.'),
  proxy,
  protocol: z
    .enum(['http/1.1', 'h2'])
    .prefault('http/1.1')
    .describe('Towards the endpoints: HTTP/1.1, or HTTP/2 (https endpoints only). WebSockets always take HTTP/1.1.'),
  maxConnections: count(
    256,
    'Connections to one endpoint, WebSockets excepted: over HTTP/1.1 as many requests and event streams at once.',
    1,
    100_000,
  ),
  maxSockets: count(10_000, 'WebSockets to one endpoint at once.', 1, 1_000_000),
  maxTotalRequests: count(
    1_000_000,
    'Requests and event streams at once over all endpoints of the service together.',
    1,
    1_000_000,
  ),
  maxTotalSockets: count(1_000_000, 'WebSockets at once over all endpoints of the service together.', 1, 1_000_000),
  maxWaiting: count(1024, 'Requests that may wait while every endpoint is full; over it 503.', 0, 100_000),
  maxWait: duration('5 seconds', 'How long a request may wait for an endpoint that is not full; then 503.'),
  timeouts: z
    .strictObject({
      connect: duration('3 seconds', 'Until a connection stands.'),
      firstByte: duration('60 seconds', 'From the request to the head of the answer.'),
      betweenBytes: duration('60 seconds', 'Between two reads of an answer.'),
      keepAlive: duration('4 seconds', 'How long an unused connection is kept; shorter than the service keeps it.'),
    })
    .prefault({})
    .describe('How long endpoints may take.'),
})
