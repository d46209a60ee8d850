/** The settings by which a service finds out that an endpoint is ill, and what it does then. It knows no endpoint. */
import { z } from 'zod'
import { count, duration } from './shape-terms.ts'

const path = z
  .string()
  .regex(/^\/[^\s#\x00-\x1f\x7f]*$/, 'is not a path; write for example "/health"')
  .max(1024)
  .meta({ title: 'path' })

const status = z.int().min(100).max(599)

const checkBase = {
  interval: duration('5 seconds', 'Between two checks; each gateway varies it by a tenth.', 50),
  timeout: duration('2 seconds', 'A check that takes longer has failed.', 10),
  rise: count(2, 'Checks in a row that must succeed until the endpoint is used again.', 1, 100),
  fall: count(2, 'Checks in a row that must fail until it is not used any more.', 1, 100),
}

const fullChecks = z.strictObject({
  kind: z
    .enum(['http', 'tcp', 'websocket'])
    .prefault('http')
    .describe(
      '`http`: a GET; `tcp`: a connection (over TLS its handshake too); `websocket`: a handshake that is granted.',
    ),
  path: path.prefault('/').describe('Where to ask.'),
  host: z.string().min(1).max(253).optional().describe('Host to name; default: that of the endpoint.'),
  status: z.array(status).min(1).prefault([200, 204]).describe('Statuses of a healthy endpoint (`http`).'),
  body: z.string().min(1).max(1024).optional().describe('Words that the first 64 KB of the answer must hold (`http`).'),
  ...checkBase,
})

export const checks = z
  .union([path.transform((one) => fullChecks.parse({ path: one })), fullChecks], {
    error: 'must be a path, as "/health", or { "kind": ... }',
  })
  .optional()
  .describe('Active checks of every endpoint: a path to GET, or { ... }. Default: none.')

export const ejection = z
  .strictObject({
    failures: count(5, 'Failures in a row; 0: they do not count.', 0, 1000),
    rate: count(
      50,
      'Per cent of the requests of `window` that failed, where there were `least` of them; 0: off.',
      0,
      100,
    ),
    least: count(20, 'Requests until a rate means something.', 1, 100_000),
    window: duration('10 seconds', 'Over which the rate is taken.', 100),
    statuses: z
      .array(status)
      .prefault([])
      .describe(
        'Statuses of answers that count as failures, for example [502, 503]. Name none that a client can bring about at will.',
      ),
    time: duration('10 seconds', 'How long an endpoint stays out the first time; each further time twice as long.', 50),
    longest: duration('5 minutes', 'Longest time out; who has been well so long begins anew.', 50),
    most: count(50, 'Per cent of the endpoints that may be out; the others go on, whatever they do.', 0, 100),
  })
  .prefault({})
  .describe(
    'Takes endpoints out that fail real requests: unreachable, closed, late, malformed. A service with one endpoint never loses it.',
  )

export const breaker = z
  .strictObject({
    rate: count(50, 'Per cent of the requests of `window` that failed, where there were `least` of them.', 1, 100),
    least: count(20, 'Requests until a rate means something.', 1, 100_000),
    window: duration('10 seconds', 'Over which the rate is taken.', 100),
    open: duration('5 seconds', 'How long everything is answered with 503 before the service is tried again.', 50),
    probes: count(3, 'Requests that try it; when all of them succeed, the circuit closes.', 1, 1000),
  })
  .optional()
  .describe('A circuit before the whole service: when too much fails, it gets a rest. Default: none.')

export const retries = z
  .strictObject({
    tries: count(2, 'Tries of a request in all.', 1, 5),
    budget: count(20, 'Further tries, in per cent of the requests.', 0, 100),
    least: count(10, 'Further tries per second that are allowed beside the budget.', 0, 10_000),
    perTry: duration(
      '0 s',
      'Until the head of the answer, where another try may follow; not for sessions of socket.io that are bound to an endpoint. Longer than any long poll. 0: `firstByte` only.',
      0,
    ),
    statuses: z
      .array(z.int().min(500).max(599))
      .prefault([])
      .describe('Answers to idempotent requests that are not passed on while another try is left, for example [503].'),
  })
  .prefault({})
  .describe(
    'When a request is sent again, to another endpoint where there is one: when nothing of it was sent; or when it is GET, HEAD, OPTIONS, PUT or DELETE and its body is at hand.',
  )
