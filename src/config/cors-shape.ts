/** The settings of which pages of other origins may read a route's answers. It knows no WebSocket. */
import { z } from 'zod'
import { duration, headerName, origins } from './shape-terms.ts'

const named = headerName.refine((text) => text !== '*', 'is "*", which would mean every header; name each')

export const cors = z
  .strictObject({
    origins: origins
      .min(1, 'is empty; leave "cors" out where no other origin is welcome')
      .max(256)
      .describe('Exact origins of pages: `["https://www.example.com"]`. There is no "*", and `null` is never welcome.'),
    credentials: z
      .boolean()
      .prefault(false)
      .describe('Cookies and client certificates may come with such requests (Access-Control-Allow-Credentials).'),
    headers: z
      .array(named)
      .max(64)
      .prefault(['content-type'])
      .describe('Header fields that such requests may carry, beside those that any page may send.'),
    expose: z
      .array(named)
      .max(64)
      .prefault([])
      .describe('Header fields of answers that such pages may read, beside the few that all may.'),
    maxAge: duration('10 minutes', 'How long a browser need not ask again (Access-Control-Max-Age).', 0),
  })
  .optional()
  .describe(
    'Pages of other origins that may read the answers of this route (CORS): the gateway answers preflights and writes the fields, and those of the service are left out. Unsafe requests of these origins are let in, too. WebSockets go by `origins` alone. Default: what the service says passes.',
  )
