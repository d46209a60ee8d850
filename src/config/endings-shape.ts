/** The settings of routes that the gateway answers itself, of changed paths, of maintenance and of error pages. */
import { z } from 'zod'
import { PATH_PATTERN } from '../http/path-pattern.ts'
import { cidrs, duration, file, headerName, headerValue, host } from './shape-terms.ts'

export const rewrite = z
  .string()
  .regex(PATH_PATTERN, 'is not a path; write for example "/v2/rooms/{id}" or "/*"')
  .refine((text) => !text.includes('//') && !/\/\.\.?(?:\/|$)/.test(text), 'has empty or dot segments')
  .optional()
  .describe(
    'Path for the service, where it is another one than `path`; `{id}` and `*` stand for what they stood for in `path`. `/chat/*` with `"rewrite": "/*"` strips the prefix, with `"/v2/*"` it is replaced. Locations and cookie paths in answers are changed back.',
  )

const ORIGIN = /^https?:\/\/[^\s/?#*%\\{}@]+(?=\/)/
const target = z
  .string()
  .max(2048)
  .refine((text) => {
    const origin = ORIGIN.exec(text)?.[0] ?? ''
    const path = text.slice(origin.length)
    return (
      (origin === '' || (URL.canParse(origin) && new URL(origin).origin === origin)) &&
      PATH_PATTERN.test(path) &&
      !path.includes('//')
    )
  }, 'is not where a redirect can lead; write a path such as "/new/*", or an origin in lower case and a path such as "https://www.example.com/help"')
  .meta({ title: 'path, or origin and path' })

export const redirect = z
  .union(
    [
      target.transform((to) => ({ to, status: 308 as const, query: 'keep' as const })),
      z.strictObject({
        to: target.describe('Path, or origin and path; `{id}` and `*` stand for what they stood for in `path`.'),
        status: z
          .literal([301, 302, 303, 307, 308])
          .prefault(308)
          .describe('308 and 301 are for good and kept by browsers, 307 and 302 for now; 307 and 308 keep the method.'),
        query: z.enum(['keep', 'drop']).prefault('keep').describe('What becomes of the query.'),
      }),
    ],
    { error: 'must be a path or an origin and path, or { "to": ..., "status": 308, "query": "keep" }' },
  )
  .optional()
  .describe('Leads clients elsewhere; in place of `service`.')

export const respond = z
  .strictObject({
    status: z.int().min(200).max(599).prefault(200).describe('Status of the answer.'),
    type: z
      .string()
      .regex(/^[a-z0-9.+-]+\/[a-z0-9.+-]+(?:; ?charset=[a-z0-9-]+)?$/, 'is not a media type')
      .prefault('text/plain; charset=utf-8')
      .meta({ title: 'media type' })
      .describe('Content-Type of the body.'),
    text: z.string().max(65_536).optional().describe('The body.'),
    file: file.optional().describe('File that holds the body, 1 MB at most; read when the configuration is.'),
    headers: z.record(headerName, headerValue).prefault({}).describe('Header fields beside those of the route.'),
  })
  .optional()
  .describe('A fixed answer; in place of `service`.')

export const errorPages = z
  .record(
    z
      .string()
      .regex(/^[45](?:\d\d|xx)$/, 'is not a status of an error; write for example "404" or "5xx"')
      .meta({ title: 'status' }),
    file,
  )
  .prefault({})
  .describe(
    'HTML files by status (`"404"`) or class (`"5xx"`), 256 KB each, for errors of the gateway towards those who accept HTML; programs get `application/problem+json`. `{{status}}` and `{{requestId}}` in a file are filled in.',
  )

export const maintenance = z
  .strictObject({
    active: z.boolean().prefault(false).describe('Every public route answers 503.'),
    retryAfter: duration('5 minutes', 'What Retry-After says.', 1000),
    page: file.optional().describe('HTML page, as in `errorPages`.'),
    exempt: cidrs.describe('Client addresses that get through all the same.'),
  })
  .prefault({})
  .describe('Maintenance: here, by `"maintenance": true` of a route, or at run time by `portcullis maintenance`.')

export const cookieRules = z
  .strictObject({
    readable: z
      .array(z.string().min(1).max(128).meta({ title: 'cookie name' }))
      .max(64)
      .prefault([])
      .describe('Cookies that scripts of the page read: without HttpOnly, where the service leaves it out.'),
    sameSite: z
      .enum(['strict', 'lax', 'none'])
      .prefault('lax')
      .describe('Where the service says nothing: `none` for a chat that is framed by other sites.'),
  })
  .prefault({})
  .describe('Cookies of the service get Secure, HttpOnly and SameSite where they lack it.')

export const internalNames = z
  .array(host)
  .max(256)
  .prefault([])
  .describe('Host names of the inside: no answer carries them in its header fields. Those of the endpoints are known.')
