/**
 * The one declaration of the configuration file: checked value, TypeScript type, defaults, JSON Schema and the
 * reference all come from here. It knows no file and no other setting's meaning: names that refer to other names are
 * checked in references.ts.
 */
import { z } from 'zod'
import { parseFieldPath } from './field-path.ts'
import { limit, store } from './limits-shape.ts'
import {
  address,
  cidrList,
  cidrs,
  count,
  duration,
  file,
  host,
  name,
  origins,
  rate,
  secret,
  size,
  TOKEN,
} from './shape-terms.ts'

const tls = z
  .strictObject({
    certificates: z
      .array(
        z.strictObject({
          cert: file.describe('PEM file: the certificate and its chain.'),
          key: file.describe('PEM file: the private key, readable by its owner only.'),
          passphrase: secret.optional().describe('Passphrase of an encrypted key.'),
        }),
      )
      .prefault([])
      .describe('Certificates, chosen by SNI from the names they carry; the first one serves clients without SNI.'),
    profile: z
      .enum(['intermediate', 'modern'])
      .prefault('intermediate')
      .describe("Mozilla's TLS profiles, guidelines 6.0: `intermediate` is TLS 1.2 and 1.3, `modern` TLS 1.3 only."),
    selfSigned: z
      .boolean()
      .prefault(false)
      .describe('Allow the self-signed certificate on a listener that is not on loopback.'),
  })
  .prefault({})

const connections = z
  .strictObject({
    max: count(10_000, 'Open connections on this listener; further ones are closed at once.'),
    perAddress: count(200, 'Open connections from one client address (IPv6: one /64).'),
    inFlightPerAddress: count(100, 'Requests of one client address being answered at the same time (IPv6: one /64).'),
    maxAge: duration('1 hour', 'Age after which a connection is closed once its running requests are answered.'),
    maxRequests: count(100_000, 'Requests on one connection, after which it is closed.'),
  })
  .prefault({})
  .describe('Bounds on connections.')

const timeouts = z
  .strictObject({
    handshake: duration('10 seconds', 'From the connection to the end of the TLS handshake.'),
    headers: duration('10 seconds', 'From the first byte of a request to the end of its head.'),
    idle: duration('75 seconds', 'A connection without a request.'),
    bodyGrace: duration('10 seconds', 'Time a request body has before its rate is judged.', 0),
    bodyMinRate: size('240 B', 'Bytes per second that a request body must arrive with after the grace.', '0 B', '1 MB'),
    send: duration('30 seconds', 'An answer of which the client reads nothing.'),
    webSocketIdle: duration('10 minutes', 'A WebSocket without a frame either way.'),
  })
  .prefault({})
  .describe('How long clients may take.')

const http = z
  .strictObject({
    maxHeaderBytes: size('16 KB', 'Request line and header fields together; over it 431.', '1 KB', '256 KB'),
    maxHeaders: count(100, 'Header fields of a request; over it 431.', 1, 1000),
    maxTarget: size('8 KB', 'Length of the request target; over it 414.', '64 B', '64 KB'),
    maxStreams: count(100, 'HTTP/2 requests at once on one connection.', 1, 1000),
  })
  .prefault({})
  .describe('Bounds on requests.')

const listenerBase = {
  address: address.describe('Address and port to listen on.'),
  hosts: z
    .array(host)
    .prefault([])
    .describe(
      'Host names served; any other Host is refused with 400. Empty: only on loopback, where every Host is served.',
    ),
  tls: z
    .union([name, tls], {
      error: 'must be TLS settings { ... } or the name of a listener whose settings this one shares',
    })
    .prefault({})
    .describe('TLS settings, or the name of a listener whose settings this one shares.'),
  allow: cidrs.describe('Client addresses that may connect; empty is all.'),
  deny: cidrs.describe('Client addresses that may not connect; stronger than `allow`.'),
  trustedProxies: cidrs.describe(
    'Proxies whose X-Request-Id, X-Forwarded-Proto and account of the client address (`forwardedBy`) are believed.',
  ),
  forwardedBy: z
    .enum(['x-forwarded-for', 'forwarded'])
    .prefault('x-forwarded-for')
    .describe(
      'The field by which trusted proxies tell the client address: the other one is not read, since a proxy that does not know it passes on what a client wrote. `forwarded` is that of RFC 7239.',
    ),
  proxyProtocol: z
    .strictObject({
      from: cidrList
        .min(1, 'is empty, so nobody could connect; name the balancers')
        .describe('Balancers that send it; connections from elsewhere are closed.'),
      timeout: duration('5 seconds', 'From the connection to the end of the header.'),
    })
    .optional()
    .describe(
      'Require the PROXY protocol header (version 1 or 2) before anything else on every connection, on `redirectFrom` too; its address is the client from then on. Default: no header is expected, and one is refused.',
    ),
  via: z
    .string()
    .regex(TOKEN, 'is not a pseudonym; use letters, digits and "-"')
    .max(64)
    .optional()
    .describe(
      'Pseudonym to add to requests as Via (RFC 9110, 7.6.3); a request that carries it already came round and is refused with 508. Default: no Via, which would disclose the gateway.',
    ),
  connections,
  timeouts,
  http,
}

const PROFILE_NAMES = ['internet', 'internal'] as const

const publicListener = z.strictObject({
  ...listenerBase,
  profile: z
    .enum(PROFILE_NAMES)
    .prefault('internet')
    .describe('Which routes exist here: `internet` those that name it, `internal` all.'),
  redirectFrom: address
    .optional()
    .describe('Plain HTTP address that answers 308 to this listener (403 for API routes).'),
  redirectPort: z
    .int()
    .min(1)
    .max(65535)
    .optional()
    .describe('HTTPS port that clients see, where it is not the port of `address`.'),
})

const transcriptsListener = z.strictObject({
  ...listenerBase,
  auth: z.enum(['basic', 'none']).prefault('basic').describe('`none` is accepted on loopback only.'),
  signIn: z
    .strictObject({
      accounts: file.describe('Accounts file, made by `portcullis hash-password`.'),
      lockAfter: count(4, 'Failed attempts that lock an account.', 1, 100),
      lockFor: duration(
        '30 minutes',
        'How long it stays locked the first time; the next time twice as long, at most an hour.',
      ),
      maxConcurrent: count(2, 'Password checks that run at once.', 1, 64),
      maxWaiting: count(64, 'Password checks that may wait; over it 503.', 1, 10_000),
    })
    .optional()
    .describe('Who may read.'),
  source: z
    .union(
      [
        z.strictObject({ folder: file.describe('Folder of transcripts (.json, .html, .txt).') }),
        z.strictObject({ service: name.describe('Service that serves transcripts.') }),
      ],
      {
        error: 'must be { "folder": "path" } or { "service": "name" }',
      },
    )
    .describe('Where transcripts come from.'),
  limits: z.array(name).prefault([]).describe('Names of limits.'),
  purpose: z
    .string()
    .min(1)
    .max(200)
    .prefault('transcripts for authorised readers')
    .describe('Why this listener exists (PCI DSS 1).'),
})

const adminListener = z.strictObject({
  address: address.describe('Loopback address of health, readiness and metrics; plain HTTP.'),
})

const url = z
  .string()
  .refine((text) => {
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
  }, 'is not the URL of an endpoint; write scheme, host and port only, for example "http://10.2.0.11:3000"')
  .meta({ title: 'URL' })

const service = z.strictObject({
  endpoints: z
    .array(url)
    .min(1, 'has no endpoint; write at least one URL')
    .max(256)
    .describe('Base URLs; requests go to them in turn.'),
  tls: z
    .strictObject({
      ca: file
        .optional()
        .describe(
          'PEM file of the authorities that may have signed the endpoint certificates; default: the public ones.',
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
  protocol: z
    .enum(['http/1.1', 'h2'])
    .prefault('http/1.1')
    .describe('Towards the endpoints: HTTP/1.1, or HTTP/2 (https endpoints only). WebSockets always take HTTP/1.1.'),
  maxConnections: count(256, 'Connections to one endpoint.', 1, 100_000),
  maxWaiting: count(1024, 'Requests that may wait for a connection to one endpoint; over it 503.', 0, 100_000),
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

export const HEADER_PROFILES = ['api', 'page', 'embed', 'asset', 'transcript'] as const
const headerName = z
  .string()
  .regex(TOKEN, 'is not a header name')
  .meta({ title: 'header name' })
  .transform((text) => text.toLowerCase())
const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\t\x20-\x7e]*$/, 'has characters that a header cannot carry')
  .meta({ title: 'header value' })

const headers = z
  .union(
    [
      z.enum(HEADER_PROFILES).transform((profile) => ({
        profile,
        set: {} as Record<string, string>,
        remove: [] as string[],
        keep: [] as string[],
        frameAncestors: [] as string[],
      })),
      z.strictObject({
        profile: z.enum(HEADER_PROFILES).describe('Starting set.'),
        set: z.record(headerName, headerValue).prefault({}).describe('Headers to add or to replace.'),
        remove: z
          .array(headerName)
          .prefault([])
          .describe('Headers of the profile to leave out, and of the upstream to remove.'),
        keep: z.array(headerName).prefault([]).describe('Headers of the profile that the upstream may set itself.'),
        frameAncestors: origins.prefault([]).describe('Origins that may frame the page (profile `embed`).'),
      }),
    ],
    { error: `must be one of ${HEADER_PROFILES.map((each) => `"${each}"`).join(', ')}, or { "profile": ... }` },
  )
  .prefault('api')
  .describe(
    'Security headers of the answers: a profile of OWASP values (`api`, `page`, `embed`, `asset`, `transcript`), or one with changes.',
  )

const socket = z
  .strictObject({
    subprotocols: z
      .array(z.string().regex(TOKEN, 'is not a subprotocol').max(128).meta({ title: 'subprotocol' }))
      .min(1, 'is empty, so nothing could be offered; leave it out to allow any')
      .max(32)
      .optional()
      .describe(
        'Subprotocols that may be spoken; others that a client offers are not passed on, and a client that offers none of these gets 403. Default: any.',
      ),
    perAddress: count(
      100,
      'WebSockets that one client address (IPv6: one /64) may have open on this route; over it 429.',
    ),
    maxMessage: size(
      '16 MB',
      'One message from the client, all its fragments together; over it the socket is closed with 1009. With message rules, `maxSize` counts too.',
      '1 B',
      '1 GB',
    ),
    messageRate: rate('Messages from the client, per socket; as many may come at once.').prefault('200 per second'),
    byteRate: size(
      '8 MB',
      'Bytes of messages from the client per second, per socket; as many may come at once.',
      '1 KB',
    ),
    overRate: z
      .enum(['wait', 'refuse', 'close'])
      .prefault('wait')
      .describe(
        'Over `messageRate` or `byteRate`: `wait` reads no faster than that, so that nothing is lost; `refuse` drops the message; `close` ends the socket with 1013.',
      ),
    messageLimits: z
      .array(name)
      .prefault([])
      .describe(
        'Names of limits that count single messages, over all sockets of a client and all nodes: WebSocket and socket.io messages, not REST bodies.',
      ),
    overLimit: z
      .enum(['refuse', 'close'])
      .prefault('refuse')
      .describe('Over one of `messageLimits`: drop the message, or close the socket with 1013.'),
    binary: z
      .enum(['pass', 'refuse', 'close'])
      .optional()
      .describe(
        'Binary messages: let them pass, drop them, or close the socket with 1003. Default: they pass where the route has no message rules; message rules refuse what they cannot read.',
      ),
    idle: duration('0 s', 'Without a frame either way the socket is closed with 1001; 0: what the listener says.', 0),
    ping: duration('30 seconds', 'Silence of the client after which the gateway sends it a ping; 0: never.', 0),
    pong: duration('20 seconds', 'Time that the client has to answer a ping; after it the socket is closed with 1001.'),
    lifetime: duration('1 day', 'Age at which the socket is closed with 1001, however busy it is; 0: never.', 0),
  })
  .prefault({})
  .describe('Bounds on the WebSockets of this route.')

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const fieldPath = z
  .string()
  .superRefine((text, check) => {
    const read = parseFieldPath(text)
    if (typeof read === 'string') check.addIssue({ code: 'custom', message: read })
  })
  .meta({ title: 'field path' })

const hide = z
  .union(
    [
      z
        .array(fieldPath)
        .min(1)
        .max(64)
        .transform((fields) => ({ fields, mode: 'mask' as const, key: undefined })),
      z.strictObject({
        fields: z.array(fieldPath).min(1).max(64).describe('Where they stand: `$..customer.phone`.'),
        mode: z
          .enum(['mask', 'hash', 'drop'])
          .prefault('mask')
          .describe(
            '`mask`: stars, but for the last two of eight or more; `hash`: the same value for the same customer; `drop`: left out.',
          ),
        key: secret.optional().describe('For `hash`: the key of the HMAC, 32 characters or more.'),
      }),
    ],
    { error: 'must be a list of field paths, or { "fields": [...], "mode": "mask", "hash" or "drop" }' },
  )
  .describe(
    'Fields of JSON answers, event streams, WebSocket and socket.io messages that those who come here do not see. What cannot be inspected is not passed.',
  )

const route = z.strictObject({
  name: name.optional().describe('Name in logs and metrics; default: made from the path.'),
  path: z
    .string()
    .regex(
      /^\/[^\s?#*%\\]*\*?$/,
      'is not a path; write an absolute one, with "*" only as its last character, for example "/api/messages" or "/socket.io/*"',
    )
    .refine(
      (text) => !text.includes('//') && !/\/\.\.?(?:\/|$)/.test(text),
      'has empty or dot segments; such a path is never routed',
    )
    .describe('Exact path, or prefix where it ends in `*`.'),
  hosts: z.array(host).prefault([]).describe('Only for these hosts; empty: all of the listener.'),
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .prefault(['GET', 'POST'])
    .describe('Allowed methods; HEAD comes with GET. TRACE and CONNECT never.'),
  service: name.describe('Service that answers.'),
  profiles: z
    .array(z.enum(PROFILE_NAMES))
    .prefault([])
    .describe('`internet` to expose the route there; listeners with profile `internal` expose every route.'),
  purpose: z.string().min(1).max(200).describe('Why this route exists (PCI DSS 1): shown to auditors.'),
  messages: name.optional().describe('Message rules for bodies, WebSocket and socket.io messages of this route.'),
  answers: name
    .optional()
    .describe(
      'Message rules for what the service answers: JSON documents and event streams. Any other answer with a body is refused with 502.',
    ),
  hide: hide.optional(),
  maxAnswer: size(
    '1 MB',
    'With `answers` or `hide`: one JSON document, one event of a stream, one WebSocket message.',
    '1 B',
    '16 MB',
  ),
  limits: z.array(name).prefault([]).describe('Names of limits; the strictest wins.'),
  headers,
  maxBody: size('64 KB', 'Request body; over it 413.', '0 B'),
  accepts: z
    .array(
      z
        .string()
        .regex(/^[a-z0-9.+-]+\/[a-z0-9.+*-]+$/, 'is not a media type; write for example "application/json"')
        .meta({ title: 'media type' }),
    )
    .optional()
    .describe('Media types of request bodies; any other is refused with 415. Default: any.'),
  webSocket: z.boolean().prefault(false).describe('Let WebSocket handshakes through.'),
  socket,
  socketIo: z
    .boolean()
    .prefault(false)
    .describe(
      'socket.io speaks here (Engine.IO 4 or 3, long-polling and WebSocket): its packets are inspected, and with `messages` anything else is refused. Without it a body is what its media type says, whatever the query.',
    ),
  origins: origins
    .optional()
    .describe('Origins of pages that may open a WebSocket or send unsafe requests here. Default: the own origin only.'),
  api: z
    .boolean()
    .prefault(false)
    .describe('Programs, not people, come here: over plain HTTP 403 instead of a redirect.'),
  allowEncodedSlashes: z.boolean().prefault(false).describe('Let %2F and %5C through in the path.'),
  timeout: duration('5 minutes', 'The whole exchange; WebSockets and event streams excepted; "0 s" is no bound.', 0),
})

/** What a message may keep of its markup: elements that load nothing, run nothing, and change no parser's reading. */
const KEPT_TAGS = [
  ...[
    'a',
    'abbr',
    'b',
    'bdi',
    'blockquote',
    'br',
    'cite',
    'code',
    'dd',
    'del',
    'dfn',
    'dl',
    'dt',
    'em',
    'h1',
    'h2',
    'h3',
  ],
  ...['h4', 'h5', 'h6', 'hr', 'i', 'ins', 'kbd', 'li', 'mark', 'ol', 'p', 'pre', 'q', 's', 'samp', 'small', 'span'],
  ...['strong', 'sub', 'sup', 'u', 'ul', 'var', 'wbr'],
] as const
const keptTag = z.enum(KEPT_TAGS, {
  error: (issue) =>
    typeof issue.input === 'string' && /^[a-z][a-z0-9-]*$/.test(issue.input)
      ? `"${issue.input.slice(0, 64)}" is no element that a message may keep: it could run or load something, hide words, or change how a browser reads what follows; write some of ${KEPT_TAGS.join(', ')}`
      : 'is not the name of an element; write it in lower case and without brackets, for example "b"',
})

const messages = z.strictObject({
  fields: z
    .array(fieldPath)
    .max(64)
    .prefault([])
    .describe(
      'Where text stands in JSON bodies and messages: `$.text`, `$.parts[*].body`, `$..caption`. Empty: every string is cleaned. Plain text is cleaned whole and needs none.',
    ),
  events: z
    .record(
      z
        .string()
        .min(1, 'is not the name of an event')
        .max(128, 'is too long for the name of an event')
        .meta({ title: 'event' }),
      z.array(fieldPath).max(64),
    )
    .prefault({})
    .describe(
      'For socket.io: event name to the paths of its text, over the list of arguments: `{ "message": ["$[0].text"] }`. What happens to other events, `otherEvents` says.',
    ),
  otherEvents: z
    .enum(['refuse', 'inspect', 'pass'])
    .prefault('inspect')
    .describe(
      'socket.io events that `events` does not name: refuse them, clean every string in them, or let them pass as they are.',
    ),
  files: z
    .enum(['refuse', 'pass'])
    .prefault('refuse')
    .describe('Files in multipart forms, which nobody inspects. Their names are; the fields beside them are cleaned.'),
  binary: z
    .enum(['refuse', 'pass'])
    .prefault('refuse')
    .describe('Binary WebSocket messages and attachments of socket.io events, which nobody can inspect.'),
  html: z
    .enum(['strip', 'escape', 'allow', 'reject'])
    .prefault('strip')
    .describe(
      '`strip`: no element survives, the words do. `escape`: the code arrives as plain text. `allow`: only the elements of `allowTags` survive. `reject`: a text with markup breaks a rule.',
    ),
  allowTags: z
    .array(keptTag)
    .min(1, 'is empty; for no element at all write "html": "strip"')
    .optional()
    .describe(
      'Elements that `allow` keeps, without attributes: `["b", "i", "a"]`. Of a link `href` stays (http, https, mailto), and `rel="noopener noreferrer nofollow"` is added. Nothing that runs, loads or changes the reading of what follows can be named.',
    ),
  output: z
    .enum(['html', 'text'])
    .prefault('html')
    .describe(
      'Form of the cleaned text: `html` is escaped and safe in innerHTML; `text` is plain, for clients that never use innerHTML.',
    ),
  cards: z
    .enum(['mask', 'reject', 'off'])
    .prefault('mask')
    .describe(
      'Payment cards: `mask` leaves the last four digits of a number, and nothing of verification codes and track data; `reject`: a text with a card breaks a rule. But for `off`, a URL with a card in it is refused.',
    ),
  cardsShown: z.enum(['last4', 'first6last4']).prefault('last4').describe('What of a masked card number may be read.'),
  maxSize: size('16 KB', 'One message.', '1 B', '16 MB'),
  onViolation: z
    .enum(['refuse', 'close'])
    .prefault('refuse')
    .describe('A WebSocket message that breaks a rule: refuse it alone, or close the socket.'),
})

const log = z
  .strictObject({
    access: file.prefault('-').describe('Access log, JSON lines; `-` is standard output, `off` is none.'),
    audit: file.prefault('-').describe('Audit log, JSON lines; `-` is standard output.'),
    level: z
      .enum(['debug', 'info', 'warn', 'error'])
      .prefault('info')
      .describe("Least level of the gateway's own log, on standard error."),
  })
  .prefault({})

const drain = z
  .strictObject({
    timeout: duration('30 seconds', 'How long running requests and WebSockets have at a stop.', 0),
    webSocketWindow: duration(
      '10 seconds',
      'Over which WebSockets are closed, spread evenly, so that clients do not all return at once.',
      0,
    ),
  })
  .prefault({})

export const configuration = z.strictObject({
  $schema: z.string().optional().describe('For editors.'),
  reviewed: z.iso
    .date('is not a date; write it as "2026-11-01"')
    .optional()
    .describe('When the rules were last reviewed (PCI DSS 1: every six months).'),
  listeners: z
    .object({
      transcripts: transcriptsListener.optional().describe('Chat transcripts, apart and behind a password.'),
      admin: adminListener.prefault({ address: '127.0.0.1:9900' }).describe('Health, readiness, metrics.'),
    })
    .catchall(publicListener)
    .describe(
      'Sockets that the gateway listens on. `transcripts` and `admin` are of their own kind, any other name is a public HTTPS listener.',
    ),
  services: z.record(name, service).describe('Internal services by name.'),
  routes: z
    .array(route)
    .describe('What may be reached. What no route names does not exist: 404. The most specific route wins.'),
  messages: z.record(name, messages).prefault({}).describe('Sets of message rules by name.'),
  limits: z
    .object({ store: store.describe('Where the counts live.') })
    .catchall(limit)
    .prefault({})
    .describe('Limits by name; `store` says where the counts live.'),
  log: log.describe('Logs.'),
  drain: drain.describe('How the gateway stops.'),
})

export type Configuration = z.output<typeof configuration>
export type PublicListenerConfig = z.output<typeof publicListener>
export type TranscriptsListenerConfig = z.output<typeof transcriptsListener>
export type TlsConfig = z.output<typeof tls>
export type ServiceConfig = z.output<typeof service>
export type RouteConfig = z.output<typeof route>
export type MessagesConfig = z.output<typeof messages>
export type LimitConfig = z.output<typeof limit>
export type StoreConfig = z.output<typeof store>
export type HeadersConfig = z.output<typeof headers>
export type SecretReference = z.output<typeof secret>
export type SignInConfig = NonNullable<TranscriptsListenerConfig['signIn']>
