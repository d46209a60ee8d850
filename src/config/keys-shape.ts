/** The declaration of keys and sealed identifiers: the part of the configuration that says what never stands in a URL in the clear. */
import { z } from 'zod'
import { parseFieldPath } from './field-path.ts'
import { parseSealedPath } from './sealed-path.ts'
import { DURATION_PATTERN, parseDuration } from './units.ts'

const LONGEST_DAYS = 3650
const NAME = /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/
const kind = z
  .string()
  .regex(NAME, 'is not a name; use letters, digits, "-" and "_", starting with a letter')
  .meta({ title: 'name' })

const lifetime = z
  .string()
  .regex(DURATION_PATTERN, 'is not a duration; write for example "30 minutes" or "7 days"')
  .refine((text) => !(parseDuration(text) < 1000), 'is too short; it must be at least 1 second')
  .refine((text) => !(parseDuration(text) > LONGEST_DAYS * 86_400_000), `is too long; at most ${LONGEST_DAYS} days`)
  .meta({ title: 'duration' })
  .transform(parseDuration)

const sealedPath = z
  .string()
  .superRefine((text, check) => {
    const read = parseSealedPath(text)
    if (typeof read === 'string') check.addIssue({ code: 'custom', message: read })
  })
  .meta({ title: 'path with {token}' })

const parameter = z
  .string()
  .regex(/^[A-Za-z0-9_.-]{1,64}$/, 'is not the name of a parameter; use letters, digits and "-", "_", "."')
  .meta({ title: 'parameter' })

/** Fields that the gateway settles itself, or that frame the request. */
const OWN_FIELDS =
  /^(?:host|connection|content-length|transfer-encoding|te|upgrade|expect|authorization|cookie|x-forwarded-.*|forwarded|x-real-ip|x-request-id|traceparent|sec-.*|proxy-.*)$/
const field = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,63}$/, 'is not a header name in lower case, for example "x-customer-phone"')
  .refine((text) => !OWN_FIELDS.test(text), 'is a field that the gateway settles itself; choose another')
  .meta({ title: 'header name' })

export const keys = z
  .strictObject({
    ring: z
      .string()
      .regex(/^[^\x00-\x1f]+$/, 'is not a path')
      .max(1024)
      .meta({ title: 'file' })
      .describe('File of the key ring, mode 0600, made by `portcullis keys init`.'),
  })
  .describe('Keys for URL tokens and stored transcripts.')

export const sealedKinds = z
  .record(
    kind,
    z.strictObject({
      expires: lifetime
        .prefault('7 days')
        .describe('How long a token of this kind opens, from when it is made; at most 3650 days.'),
    }),
  )
  .prefault({})
  .describe(
    'Kinds of identifiers that stand in URLs only as sealed tokens, by name; a token of one kind opens as no other.',
  )

const where = {
  path: z.strictObject({ path: sealedPath.describe('Path whose segment `{token}` is the token.') }),
  query: z.strictObject({ query: parameter.describe('Query parameter whose value is the token.') }),
}

/** `routes[].sealed` */
export const sealedRoute = z
  .strictObject({
    kind: kind.describe('Kind of the identifier, one of `sealed`.'),
    in: z
      .union([where.path, where.query], { error: 'must be { "path": "/customers/{token}" } or { "query": "name" }' })
      .describe('Where the token stands.'),
    to: z
      .union(
        [
          z.strictObject({ query: parameter.describe('Query parameter for the opened value.') }),
          z.strictObject({ header: field.describe('Header field for the opened value.') }),
        ],
        { error: 'must be { "query": "name" } or { "header": "x-name" }; leave it out for the place of the token' },
      )
      .optional()
      .describe(
        'Where the service gets the opened value. Default: in the place of the token. Otherwise `-` stands in its place in a path, and a parameter is left out.',
      ),
  })
  .describe(
    'Requests to this route carry a sealed token, which is opened for the service and for nobody else; anything else in its place is refused with 404, an expired token with 410.',
  )

/** `listeners.transcripts.source.sealed` */
export const sealedSource = z
  .strictObject({
    kind: kind.describe('Kind of the identifier, one of `sealed`.'),
    path: sealedPath.describe('Path whose segment `{token}` is the token; other paths go to the service as they are.'),
  })
  .describe('Identifiers in the paths of the service stand there as tokens, opened for it alone.')

const fieldPath = z
  .string()
  .superRefine((text, check) => {
    const read = parseFieldPath(text)
    if (typeof read === 'string') check.addIssue({ code: 'custom', message: read })
  })
  .meta({ title: 'field path' })

/** `routes[].sealLinks` */
export const sealLinks = z
  .array(
    z.strictObject({
      kind: kind.describe('Kind of the tokens, one of `sealed`.'),
      fields: z.array(fieldPath).min(1).max(64).describe('Where the links stand in JSON answers: `$..href`.'),
      link: z
        .union([sealedPath, z.literal('value')])
        .describe(
          'Form of the path whose segment is sealed, in absolute links and relative ones; `value`: the whole text is.',
        ),
    }),
  )
  .min(1)
  .max(16)
  .describe(
    'Identifiers in the links of JSON answers and event streams are sealed on their way out, in `Location` too. What cannot be inspected is not passed.',
  )

/** `listeners.transcripts.source`, where it is a folder */
export const transcriptsFolder = z.strictObject({
  folder: z
    .string()
    .regex(/^[^\x00-\x1f]+$/, 'is not a path')
    .max(1024)
    .meta({ title: 'file' })
    .describe('Folder of transcripts (.json, .html, .txt, and these sealed).'),
  atRest: z
    .enum(['sealed', 'plain', 'mixed'])
    .optional()
    .describe(
      'Which files are served: those that `portcullis transcripts import` or `seal` sealed, those in the clear, or both. Default: `sealed` where there is a key ring, otherwise `plain`.',
    ),
  sealedNames: kind
    .optional()
    .describe('Kind of sealed identifiers: names of transcripts then stand in URLs and logs as tokens of it only.'),
  keepDays: z
    .int()
    .min(1)
    .max(36_500)
    .optional()
    .describe(
      'Days after its date that a transcript is removed: at start and once a day. Default: never. The gateway then needs to write the folder.',
    ),
})

/** `listeners.*.tokens` */
export const tokenEndpoint = z
  .strictObject({
    path: z
      .string()
      .regex(/^(?:\/[A-Za-z0-9._~-]+)+$/, 'is not an exact path; write for example "/-/tokens"')
      .describe('Exact path of the endpoint; POST only.'),
    limits: z.array(kind).prefault([]).describe('Names of limits.'),
  })
  .describe(
    'Makes URL tokens for the chat services: POST `{ "kind": "phone", "values": ["+49..."] }`. Only on a listener with profile `internal` that is on loopback or names `allow`.',
  )
