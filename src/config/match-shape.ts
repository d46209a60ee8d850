/** The settings of what a route asks of header fields, and how they are read. It knows no route. */
import { z } from 'zod'
import type { HeaderCondition } from '../http/header-condition.ts'
import { HOP_BY_HOP } from '../http/headers.ts'
import { TOKEN } from './shape-terms.ts'

const VALUE = /^[\x21-\x7e](?:[\t\x20-\x7e]*[\x21-\x7e])?$/
const value = z
  .string()
  .max(256)
  .regex(VALUE, 'is not the value of a header; it has visible ASCII characters, and no space at its ends')
  .meta({ title: 'header value' })

/** Settled by the gateway, or other words for what a route has a setting for. */
const NO_MATCH: ReadonlySet<string> = new Set([...HOP_BY_HOP, 'host', 'content-length', 'expect', 'forwarded'])

const headerName = z
  .string()
  .regex(TOKEN, 'is not a header name')
  .refine(
    (text) => !NO_MATCH.has(text.toLowerCase()) && !/^x-forwarded-/i.test(text),
    'cannot be matched: the gateway settles it itself; hosts have a setting of their own',
  )
  .meta({ title: 'header name' })
  .transform((text) => text.toLowerCase())

export const match = z
  .strictObject({
    headers: z
      .record(
        headerName,
        z.union([value, z.array(value).min(1).max(32), z.boolean()], {
          error: 'must be a value, a list of values, true (the field is there) or false (it is not)',
        }),
      )
      .prefault({})
      .describe(
        'Fields that a request must have: a value (`"gold"`), one of several (`["gold", "silver"]`), any (`true`), or none (`false`). Values count as a whole and by upper and lower case. Clients choose their fields: this finds a route, it keeps nobody out.',
      ),
  })
  .prefault({})
  .describe('What a request must have besides host, path and method.')

/** From the checked setting, or from one that may be wrong: then what is wrong is left out. */
export function readConditions(headers: Readonly<Record<string, unknown>>): HeaderCondition[] {
  const conditions: HeaderCondition[] = []
  for (const [text, wanted] of Object.entries(headers)) {
    const name = text.toLowerCase()
    if (typeof wanted === 'boolean') conditions.push({ name, values: null, isPresent: wanted })
    else {
      const values = (Array.isArray(wanted) ? wanted : [wanted]).filter((each) => typeof each === 'string')
      conditions.push({ name, values: [...new Set(values)], isPresent: true })
    }
  }
  return conditions
}
