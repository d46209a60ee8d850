/** The settings of the sockets that the gateway listens on. It knows no route. */

import { z } from 'zod'
import { roles, signIn } from './access-shape.ts'
import { transcriptsOidc } from './issuers-shape.ts'
import { sealedSource, tokenEndpoint, transcriptsFolder } from './keys-shape.ts'
import { address, cidrList, cidrs, count, duration, host, name, size, TOKEN } from './shape-terms.ts'
import { tls } from './tls-shape.ts'

const connections = z
  .strictObject({
    max: count(10_000, 'Open connections on this listener; further ones are closed at once.'),
    perAddress: count(200, 'Open connections from one client address (IPv6: one /64).'),
    inFlightPerAddress: count(100, 'Requests of one client address being answered at the same time (IPv6: one /64).'),
    maxUnsent: size(
      '64 MB',
      'Bytes of answers that wait for clients which read slowly, all connections of the listener together; over it the client that took nothing for longest is cut.',
      '1 MB',
      '64 GB',
    ),
    maxAge: duration('1 hour', 'Age after which a connection is closed once its running requests are answered.'),
    maxRequests: count(100_000, 'Requests on one connection, after which it is closed.'),
  })
  .prefault({})
  .describe('Bounds on connections.')

const handshakes = z
  .strictObject({
    max: count(1000, 'TLS handshakes under way at the same time on this listener; for one more the oldest is closed.'),
    perAddress: count(50, 'TLS handshakes of one client address under way at the same time (IPv6: one /64).'),
    perSecond: count(
      1000,
      'TLS handshakes that may begin in a second, and at once; one that resumes a session counts a quarter.',
    ),
    perAddressPerMinute: count(
      600,
      'TLS handshakes that one client address may begin in a minute, and at once (IPv6: one /64); one that resumes a session counts a quarter.',
    ),
  })
  .prefault({})
  .describe('Bounds on TLS handshakes: a connection over the others is closed before any work is done for it.')

const timeouts = z
  .strictObject({
    handshake: duration(
      '10 seconds',
      'From the connection to the first byte, and again from there to the end of the TLS handshake.',
    ),
    headers: duration('10 seconds', 'From the first byte of a request to the end of its head.'),
    idle: duration('75 seconds', 'A connection without a request.'),
    bodyGrace: duration('10 seconds', 'Time a request body has before its rate is judged.', 0),
    bodyMinRate: size('240 B', 'Bytes per second that a request body must arrive with after the grace.', '0 B', '1 MB'),
    send: duration('30 seconds', 'An answer of which the client reads nothing, or less than `sendMinRate`.'),
    sendMinRate: size(
      '240 B',
      'Bytes per second that a client must take while an answer or WebSocket frames wait for it, over the time of `send`; streams of one HTTP/2 connection share it. What is merely quiet is not judged. 0 B: no bound.',
      '0 B',
      '1 MB',
    ),
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
  handshakes,
  timeouts,
  http,
}

export const PROFILE_NAMES = ['internet', 'internal'] as const

export const publicListener = z.strictObject({
  ...listenerBase,
  limits: z
    .array(name)
    .prefault([])
    .describe(
      'Names of limits of every request here, before those of its route; requests that no route takes (404) are counted too.',
    ),
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
  tokens: tokenEndpoint.optional(),
})

export const transcriptsListener = z.strictObject({
  ...listenerBase,
  auth: z.enum(['basic', 'none']).prefault('basic').describe('`none` is accepted on loopback only.'),
  signIn,
  oidc: transcriptsOidc.optional(),
  roles,
  source: z
    .union(
      [
        transcriptsFolder,
        z.strictObject({
          service: name.describe('Service that serves transcripts.'),
          sealed: sealedSource.optional(),
        }),
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

export const adminListener = z.strictObject({
  address: address.describe('Loopback address of health, readiness and metrics; plain HTTP.'),
})
