/** The settings of how answers are compressed, and of where. It knows no other section. */
import { z } from 'zod'
import { CONTENT_CODINGS } from '../http/accept-encoding.ts'
import { count, size } from './shape-terms.ts'

const DEFAULT_TYPES = [
  ...['text/*', 'application/json', 'application/*+json', 'application/x-ndjson', 'application/javascript'],
  ...['application/xml', 'application/*+xml', 'application/wasm', 'image/svg+xml', 'font/ttf', 'font/otf'],
]

/** Levels above these cost many times the work, or megabytes for each answer, for a few hundredths of its size. */
const level = (fallback: number, least: number, most: number) => count(fallback, `${least} to ${most}.`, least, most)

export const compression = z
  .strictObject({
    codings: z
      .array(z.enum(CONTENT_CODINGS))
      .min(1, 'is empty; leave "compression" out of the routes where nothing is to be compressed')
      .refine((codings) => new Set(codings).size === codings.length, 'names a coding twice')
      .prefault([...CONTENT_CODINGS])
      .describe(
        'Codings that answers are given, by preference: of those that a client likes equally the first one is taken.',
      ),
    levels: z
      .strictObject({ zstd: level(3, 1, 6), br: level(4, 0, 6), gzip: level(4, 1, 9) })
      .prefault({})
      .describe('How much work is done for how little: docs/performance.md has what each level costs and saves.'),
    minSize: size('1 KB', 'Smaller answers go as they are.', '1 B', '1 MB'),
    types: z
      .array(
        z
          .string()
          .regex(
            /^[a-z0-9.+-]+\/(?:\*|\*\+[a-z0-9.-]+|[a-z0-9.+-]+)$/,
            'is not a media type; write for example "application/json", "text/*" or "application/*+json"',
          )
          .meta({ title: 'media type' }),
      )
      .min(1)
      .max(64)
      .prefault(DEFAULT_TYPES)
      .describe(
        'Media types of answers that are compressed. `text/*` does not mean event streams: `text/event-stream` has to be named, and then each event goes out at once all the same.',
      ),
    atOnce: count(
      64,
      'Answers over 64 KB, or of unknown length, that one process compresses at once, with 0.5 to 3.5 MB of memory each by coding and level; what comes over it goes as it is.',
      1,
      4096,
    ),
  })
  .prefault({})
  .describe('How answers are compressed on routes with `compression`.')

export const routeCompression = z
  .enum(['off', 'public', 'same-origin', 'all'])
  .prefault('off')
  .describe(
    'Compresses what the service answers, by the section `compression`. Where an answer holds a secret beside text that somebody else chose, its compressed length tells the secret, guess by guess (BREACH). `public`: answers to GET and HEAD without cookies, Authorization, client certificate or anything else that looks like a credential, and answers that the service calls `Cache-Control: public`; never with Set-Cookie. `same-origin`: also whatever else pages of the own origin ask for, as browsers say (Sec-Fetch-Site), so that no foreign page can make the guesses; text that others stored may still meet secrets. `all`: everything; only for services whose answers hold no secrets, or repeat nothing. The service is asked for answers without coding.',
  )
