/** The settings of what may be reached, and of what its answers carry. It knows no message rule. */

import { z } from 'zod'
import { PATH_PATTERN } from '../http/path-pattern.ts'
import { routeCompression } from './compression-shape.ts'
import { cors } from './cors-shape.ts'
import { cookieRules, errorPages, redirect, respond, rewrite } from './endings-shape.ts'
import { routeSignIn } from './issuers-shape.ts'
import { sealedRoute, sealLinks } from './keys-shape.ts'
import { PROFILE_NAMES } from './listeners-shape.ts'
import { match } from './match-shape.ts'
import {
  cidrs,
  count,
  duration,
  fieldPath,
  headerName,
  headerValue,
  host,
  name,
  origins,
  rate,
  secret,
  size,
  TOKEN,
} from './shape-terms.ts'

export const HEADER_PROFILES = ['api', 'page', 'embed', 'asset', 'transcript'] as const
export const headers = z
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
    compression: z
      .enum(['off', 'on'])
      .prefault('off')
      .describe(
        '`on`: messages may come compressed (permessage-deflate, RFC 7692), and those of 256 B to 64 KB go compressed to clients that offer it, each by itself: context takeover is refused. One that came compressed may hold 1 MB at most, and no more than `maxMessage` and `maxSize`; over it 1009. Towards the service nothing is compressed.',
      ),
    idle: duration('0 s', 'Without a frame either way the socket is closed with 1001; 0: what the listener says.', 0),
    ping: duration('30 seconds', 'Silence of the client after which the gateway sends it a ping; 0: never.', 0),
    pong: duration('20 seconds', 'Time that the client has to answer a ping; after it the socket is closed with 1001.'),
    lifetime: duration('1 day', 'Age at which the socket is closed with 1001, however busy it is; 0: never.', 0),
  })
  .prefault({})
  .describe('Bounds on the WebSockets of this route.')

const METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'] as const

const hideWish = z.strictObject({
  fields: z.array(fieldPath).min(1).max(64).describe('Where they stand: `$..customer.phone`.'),
  mode: z
    .enum(['mask', 'hash', 'drop'])
    .prefault('mask')
    .describe(
      '`mask`: stars, but for the last two of eight or more; `hash`: the same value for the same customer; `drop`: left out.',
    ),
  key: secret.optional().describe('For `hash`: the key of the HMAC, 32 characters or more.'),
  exceptRoles: z
    .array(z.string().min(1).max(64).meta({ title: 'role' }))
    .max(64)
    .prefault([])
    .describe(
      'Roles that see the fields all the same: `["supervisor"]`. Whoever is not signed in, or has none of them, does not. Answers of such a route are kept by no shared cache: `Cache-Control` is `no-store` unless `headers.set` says `private`, and `Vary` names Authorization and Cookie.',
    ),
})

const hide = z
  .union(
    [
      z
        .array(fieldPath)
        .min(1)
        .max(64)
        .transform((fields) => [{ fields, mode: 'mask' as const, key: undefined, exceptRoles: [] as string[] }]),
      hideWish.transform((wish) => [wish]),
      z.array(hideWish).min(1).max(8),
    ],
    {
      error:
        'must be a list of field paths, or { "fields": [...], "mode": "mask", "hash" or "drop", "exceptRoles": [...] }, or a list of such',
    },
  )
  .describe(
    'Fields of JSON answers, event streams, WebSocket and socket.io messages that those who come here do not see; the first of several wishes for one field counts, but `drop` before any. What cannot be inspected is not passed.',
  )

export const route = z.strictObject({
  name: name.optional().describe('Name in logs and metrics; default: made from the path.'),
  path: z
    .string()
    .regex(
      PATH_PATTERN,
      'is not a path; write an absolute one, with "*" only as its last segment, for example "/api/messages", "/chats/{id}/messages" or "/socket.io/*"',
    )
    .refine(
      (text) => !text.includes('//') && !/\/\.\.?(?:\/|$)/.test(text),
      'has empty or dot segments; such a path is never routed',
    )
    .describe(
      'Exact path; `{id}` stands for any one segment, and `*` at the end for all that follows: `/chats/{id}/messages`, `/socket.io/*`. From left to right a word is more specific than `{id}`, and that more than `*`.',
    ),
  hosts: z.array(host).prefault([]).describe('Only for these hosts; empty: all of the listener.'),
  match,
  methods: z
    .array(z.enum(METHODS))
    .min(1)
    .prefault(['GET', 'POST'])
    .describe('Allowed methods; HEAD comes with GET. TRACE and CONNECT never.'),
  service: name.optional().describe('Service that answers; or else `redirect` or `respond`.'),
  rewrite,
  redirect,
  respond,
  cookies: cookieRules,
  internalIn: z
    .array(headerName)
    .max(64)
    .prefault([])
    .describe(
      'Fields of the service that may carry addresses and host names of the inside. In all others such a field is left out.',
    ),
  maintenance: z
    .boolean()
    .prefault(false)
    .describe('The route answers 503, as the section `maintenance` says; can be switched at run time.'),
  errorPages,
  profiles: z
    .array(z.enum(PROFILE_NAMES))
    .prefault([])
    .describe('`internet` to expose the route there; listeners with profile `internal` expose every route.'),
  purpose: z.string().min(1).max(200).describe('Why this route exists (PCI DSS 1): shown to auditors.'),
  signIn: routeSignIn.optional(),
  messages: name.optional().describe('Message rules for bodies, WebSocket and socket.io messages of this route.'),
  answers: name
    .optional()
    .describe(
      'Message rules for what the service sends: JSON, NDJSON and plain text, event streams, WebSocket messages, with `socketIo` its packets by polling and WebSocket. May be the same as `messages`. Any other answer with a body is refused with 502; a message that breaks a rule is left out, or with `"onViolation": "close"` ends the socket with 1011.',
    ),
  hide: hide.optional(),
  sealed: sealedRoute.optional(),
  sealLinks: sealLinks.optional(),
  maxAnswer: size(
    '1 MB',
    'With `answers`, `hide` or `sealLinks`: one JSON document, one event of a stream, one WebSocket message.',
    '1 B',
    '16 MB',
  ),
  compression: routeCompression,
  limits: z.array(name).prefault([]).describe('Names of limits; the strictest wins.'),
  allow: cidrs.describe('Client addresses that may come to this route; empty is all.'),
  deny: cidrs.describe('Client addresses that may not come to this route; stronger than `allow`.'),
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
  cors,
  api: z
    .boolean()
    .prefault(false)
    .describe('Programs, not people, come here: over plain HTTP 403 instead of a redirect.'),
  allowEncodedSlashes: z.boolean().prefault(false).describe('Let %2F and %5C through in the path.'),
  timeout: duration('5 minutes', 'The whole exchange; WebSockets and event streams excepted; "0 s" is no bound.', 0),
})
