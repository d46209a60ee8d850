/**
 * The one declaration of the configuration file: checked value, TypeScript type, defaults, JSON Schema and the
 * reference all come from here and from the sections beside it (*-shape.ts). It knows no file and no other setting's
 * meaning: names that refer to other names are checked in references.ts.
 */
import { z } from 'zod'
import type { signIn } from './access-shape.ts'
import { compression } from './compression-shape.ts'
import { errorPages, internalNames, maintenance } from './endings-shape.ts'
import { issuers } from './issuers-shape.ts'
import { keys, sealedKinds } from './keys-shape.ts'
import { bans, limit, limitFields, store } from './limits-shape.ts'
import { adminListener, publicListener, transcriptsListener } from './listeners-shape.ts'
import { messages } from './messages-shape.ts'
import { type headers, route } from './routes-shape.ts'
import { service } from './services-shape.ts'
import { duration, file, name, type secret } from './shape-terms.ts'
import type { tls } from './tls-shape.ts'

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
  keys: keys.optional(),
  sealed: sealedKinds,
  issuers,
  services: z.record(name, service).describe('Internal services by name.'),
  routes: z
    .array(route)
    .describe('What may be reached. What no route names does not exist: 404. The most specific route wins.'),
  maintenance,
  errorPages,
  internalNames,
  compression,
  messages: z.record(name, messages).prefault({}).describe('Sets of message rules by name.'),
  limits: z
    .object({ store: store.describe('Where the counts live.'), fields: limitFields, bans })
    .catchall(limit)
    .prefault({})
    .describe(
      'Limits by name; `store` says where the counts live, `fields` what clients are told, `bans` who is never banned.',
    ),
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
export type SignInConfig = NonNullable<z.output<typeof signIn>>
