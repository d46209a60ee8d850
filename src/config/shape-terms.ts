/**
 * The terms that the sections of the declaration share: durations, sizes, names, addresses, secrets, each with the sentence
 * that a person reads where one is wrong. It knows no section.
 */
import { isIP } from 'node:net'
import { z } from 'zod'
import { isCidr, parseAddress } from './addresses.ts'
import { parseFieldPath } from './field-path.ts'
import { DURATION_PATTERN, parseDuration, parseRate, parseSize, RATE_PATTERN, SIZE_PATTERN } from './units.ts'

/** Node's timers run at once where they are asked for more. */
const LONGEST_MS = 2_147_483_647

export const DURATION_SENTENCE = 'is not a duration; write for example "30 seconds", "500 ms" or "5 minutes"'
const durationWords = z
  .string()
  .regex(DURATION_PATTERN, DURATION_SENTENCE)
  .refine((text) => !(parseDuration(text) > LONGEST_MS), 'is too long; a timer runs for 24 days at most')

/** One that stands in a list or beside other forms: no default, and nothing said of it. */
export const durationText = durationWords.meta({ title: 'duration' }).transform(parseDuration)

export const duration = (fallback: string, about: string, leastMs = 1) =>
  durationWords
    .refine((text) => !(parseDuration(text) < leastMs), `is too short; it must be at least ${leastMs} ms`)
    .meta({ title: 'duration' })
    .transform(parseDuration)
    .prefault(fallback)
    .describe(about)

export const size = (fallback: string, about: string, least = '1 B', most = '1024 GB') => {
  const leastBytes = parseSize(least)
  const mostBytes = parseSize(most)
  return z
    .string()
    .regex(SIZE_PATTERN, 'is not a size; write for example "64 KB" or "1 MB"')
    .refine((text) => !(parseSize(text) < leastBytes), `is too small; it must be at least ${least}`)
    .refine((text) => !(parseSize(text) > mostBytes), `is too large; it must be at most ${most}`)
    .meta({ title: 'size' })
    .transform(parseSize)
    .prefault(fallback)
    .describe(about)
}

export const rate = (about: string) =>
  z
    .string()
    .regex(RATE_PATTERN, 'is not a rate; write for example "120 per minute" or "5 per 10 seconds"')
    .refine((text) => parseRate(text)?.points !== 0, 'must let at least 1 request through, for example "1 per minute"')
    .refine((text) => {
      const windowMs = parseRate(text)?.windowMs
      return windowMs === undefined || (windowMs > 0 && windowMs <= LONGEST_MS)
    }, 'must count over 1 second at least and 24 days at most')
    .meta({ title: 'rate' })
    .transform((text) => parseRate(text)!)
    .describe(about)

export const count = (fallback: number, about: string, least = 1, most = 10_000_000) =>
  z.int().min(least).max(most).prefault(fallback).describe(about)

export const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
export const headerName = z
  .string()
  .regex(TOKEN, 'is not a header name')
  .meta({ title: 'header name' })
  .transform((text) => text.toLowerCase())
export const headerValue = z
  .string()
  .max(4096)
  .regex(/^[\t\x20-\x7e]*$/, 'has characters that a header cannot carry')
  .meta({ title: 'header value' })

const NAME = /^[a-zA-Z][a-zA-Z0-9_-]{0,63}$/
export const name = z
  .string()
  .regex(NAME, 'is not a name; use letters, digits, "-" and "_", starting with a letter')
  .meta({ title: 'name' })

export const address = z
  .string()
  .refine(
    (text) => parseAddress(text) !== null,
    'is not an address with a port; write for example "0.0.0.0:8443" or "[::1]:9900"',
  )
  .meta({ title: 'address and port' })
  .transform((text) => parseAddress(text)!)

export const cidrList = z.array(
  z
    .string()
    .refine(isCidr, 'is not an address or a CIDR block; write for example "10.0.0.0/8" or "2001:db8::/32"')
    .meta({ title: 'address or CIDR block' }),
)
export const cidrs = cidrList.prefault([])

const HOST = /^(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)*$/
export const host = z
  .string()
  .refine(
    (text) => HOST.test(text) || isIP(text.replace(/^\[|\]$/g, '')) !== 0,
    'is not a host name; write it in lower case and without a port, for example "chat.example.com" or "*.example.com"',
  )
  .meta({ title: 'host name' })

const ORIGIN = /^https?:\/\/[a-z0-9.[\]:-]+$/
export const origins = z.array(
  z
    .string()
    .refine(
      (text) => ORIGIN.test(text) && URL.canParse(text) && new URL(text).origin === text,
      'is not an origin; write scheme, host and port only, for example "https://www.example.com"',
    )
    .meta({ title: 'origin' }),
)

export const file = z
  .string()
  .regex(/^[^\x00-\x1f]+$/, 'is not a path; write one relative to the folder the gateway runs in, or an absolute one')
  .max(1024)
  .meta({ title: 'file' })

/** A value that is never written in the file itself. */
export const secret = z
  .union(
    [
      z.strictObject({
        file: file.describe('File that holds the secret; a last line break is left out.'),
      }),
      z.strictObject({
        env: z
          .string()
          .regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'is not the name of an environment variable')
          .describe('Environment variable that holds the secret.'),
      }),
    ],
    { error: 'is a secret and is never written here; write { "file": "path" } or { "env": "NAME" }' },
  )
  .meta({ title: 'secret', description: 'A secret: `{ "file": "path" }` or `{ "env": "NAME" }`.' })

export const fieldPath = z
  .string()
  .superRefine((text, check) => {
    const read = parseFieldPath(text)
    if (typeof read === 'string') check.addIssue({ code: 'custom', message: read })
  })
  .meta({ title: 'field path' })
