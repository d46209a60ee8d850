/** The section "limits" of the declaration: what is counted, how much is let through, and where the counts live. */
import { z } from 'zod'
import { redis } from './redis-shape.ts'
import { cidrs, count, DURATION_SENTENCE, duration, durationText, rate } from './shape-terms.ts'

/** Parts of a key: a word, or `header NAME`, `cookie NAME` and `field NAME`. */
const PART = /^(?:address|user|route|method|host|event|all|(?:header|cookie|field) [!#$%&'*+.^_`|~0-9A-Za-z-]{1,64})$/
const part = z
  .string()
  .regex(
    PART,
    'is nothing to count by; write "address", "user", "route", "method", "host", "event", "all", "header NAME", "cookie NAME" or "field NAME"',
  )
  .meta({ title: 'key part' })

const by = z
  .union([part.transform((one) => [one]), z.array(part).min(1).max(5)], {
    error:
      'must be what to count by, or a list of it: "address", "user", "route", "method", "host", "event", "all", "header NAME", "cookie NAME", "field NAME"',
  })
  .prefault('address')
  .describe(
    'What is counted, alone or together (`["address", "route"]`): `address` is the client address, IPv6 by prefix; `user` who signed in; `route`, `method`, `host`; `header NAME` and `cookie NAME` what the client says of itself; `field NAME` a member of a JSON object or form in the body, for example the account of a sign-in (bodies up to 64 KB; in lower case and without spaces around); `all` everybody together; `event`, for `messageLimits` only, each configured socket.io event for itself, all others together.',
  )

const block = z
  .union([durationText.transform((one) => [one]), z.array(durationText).min(1).max(10)], {
    error: `${DURATION_SENTENCE}, or a list that grows: ["1 minute", "5 minutes", "1 hour"]`,
  })
  .prefault('0 s')
  .describe(
    'How long a client stays refused after it went over; 0: until the window ends. A list grows: each further time the next one, the last one again and again, until `forgive` has gone by without one.',
  )

const STATUS = /^[45]\d\d$/
const penalties = z
  .record(
    z.string().regex(STATUS, 'is not the status of a failure; write 400 to 599').meta({ title: 'status' }),
    count(1, 'Points.', 1, 100_000),
  )
  .prefault({})
  .describe(
    'Points that an answer of this status costs beside the one of the request: `{ "400": 5, "401": 10, "404": 2 }`. Taken when the answer is given.',
  )

const tarpit = z
  .strictObject({
    delay: duration('3 seconds', 'How long the refusal waits.', 1),
    max: count(200, 'Refusals that wait at the same time, per process; further ones are given at once.', 1, 10_000),
  })
  .describe('Let a refused client wait for its 429: slows those that try again at once, at the price of a connection.')

const ban = z
  .strictObject({
    after: count(10, 'Refusals of this limit to one client address.', 1, 1_000_000),
    within: duration('10 minutes', 'In which time, over all nodes that share Redis.', 1000),
    for: duration('1 hour', 'How long the address is banned, on all nodes.', 1000),
  })
  .describe('Ban a client address that goes on while it is refused.')

const known = z
  .strictObject({
    for: duration('20 days', 'How long a client address stays known.', 1000),
    statuses: z
      .array(z.int().min(200).max(399))
      .min(1)
      .max(20)
      .describe('Statuses that a success has, and a failure never: `[204]`, `[303]`.'),
  })
  .describe(
    'Do not let strangers lock somebody out: a client address whose request under the same key succeeded before has a count of its own, once the common one is used up. For limits on an account.',
  )

export const limit = z.strictObject({
  by,
  missing: z
    .enum(['together', 'skip'])
    .prefault('together')
    .describe(
      'Requests without the header, cookie or user that `by` names: `together` in one count of their own, or `skip`: not counted by this limit.',
    ),
  ipv6Prefix: z
    .int()
    .min(32)
    .max(128)
    .optional()
    .describe('Bits of an IPv6 address that count as one client; default: what `store.ipv6Prefix` says.'),
  rate: rate('How many requests in which time.'),
  burst: count(0, 'Requests over the rate that a client may save up and spend at once.', 0),
  block,
  forgive: duration('1 day', 'Time without a block after which a list in `block` begins anew.', 1000),
  penalties,
  concurrent: z
    .int()
    .min(1)
    .max(1_000_000)
    .optional()
    .describe(
      'Requests under one key that may run at the same time, per process; over it 429. Default: no such bound.',
    ),
  tarpit: tarpit.optional(),
  ban: ban.optional(),
  known: known.optional(),
  exempt: cidrs.describe('Client addresses that this limit neither counts nor refuses.'),
  deny: cidrs.describe('Client addresses that are refused with 403 where this limit applies; stronger than `exempt`.'),
  dryRun: z
    .boolean()
    .prefault(false)
    .describe('Count and log what would be refused, and refuse nothing. The client is told nothing.'),
  dryRunShown: z
    .boolean()
    .prefault(false)
    .describe(
      'With `dryRun`: the fields of the limit are in the answers all the same, so that clients can get used to it.',
    ),
  onOutage: z
    .enum(['local', 'allow', 'deny'])
    .optional()
    .describe('When Redis is down; default: what `store.onOutage` says.'),
})

export const bans = z
  .strictObject({ exempt: cidrs.describe('Client addresses that are never banned, whoever bans them.') })
  .prefault({})
  .describe('Bans: made by `portcullis ban` and by limits with `ban`.')

export const limitFields = z
  .enum(['ietf', 'legacy', 'none'])
  .prefault('ietf')
  .describe(
    'Fields that tell clients about limits: `ietf` RateLimit and RateLimit-Policy, `legacy` X-RateLimit-Limit, -Remaining and -Reset (seconds) of the limit with the least left, `none`. Retry-After comes with every 429.',
  )

export const store = z
  .strictObject({
    redis: redis.optional().describe('Where limits are shared; without it they are in memory, per process.'),
    onOutage: z
      .enum(['local', 'allow', 'deny'])
      .prefault('local')
      .describe('When Redis is down: count in this process, let everything through, or refuse.'),
    ipv6Prefix: z.int().min(32).max(128).prefault(64).describe('Bits of an IPv6 address that count as one client.'),
  })
  .prefault({})
