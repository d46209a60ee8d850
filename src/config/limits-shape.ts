/** The section "limits" of the declaration: what is counted, how much is let through, and where the counts live. */
import { z } from 'zod'
import { count, duration, rate, secret } from './shape-terms.ts'

export const limit = z.strictObject({
  by: z
    .union([
      z.enum(['address']),
      z
        .array(z.enum(['address', 'event']))
        .max(2)
        .refine((parts) => parts.includes('address'), 'must include "address"'),
    ])
    .prefault('address')
    .describe(
      'What is counted: the client address, IPv6 by prefix; for `messageLimits` also `["address", "event"]`: each configured socket.io event for itself, all others together.',
    ),
  rate: rate('How many requests in which time.'),
  burst: count(0, 'Requests over the rate that a client may save up and spend at once.', 0),
  block: duration('0 s', 'How long a client stays refused after it went over; 0: until the window ends.', 0),
  onOutage: z
    .enum(['local', 'allow', 'deny'])
    .optional()
    .describe('When Redis is down; default: what `store.onOutage` says.'),
})

export const store = z
  .strictObject({
    redis: z
      .strictObject({
        url: z
          .union([
            z
              .string()
              .regex(
                /^rediss?:\/\/[^\s@]+$/,
                'is not a Redis URL without a password; write for example "redis://127.0.0.1:6379", and a URL with a password as { "env": "REDIS_URL" }',
              )
              .meta({ title: 'Redis URL' }),
            secret,
          ])
          .describe('redis:// or rediss:// URL, or a reference to it.'),
        prefix: z
          .string()
          .regex(/^[A-Za-z0-9:_-]{1,32}$/, 'is not a key prefix')
          .prefault('portcullis')
          .describe('Start of every key.'),
        timeout: duration('50 ms', 'A command that takes longer counts as an outage.'),
      })
      .optional()
      .describe('Where limits are shared; without it they are in memory, per process.'),
    onOutage: z
      .enum(['local', 'allow', 'deny'])
      .prefault('local')
      .describe('When Redis is down: count in this process, let everything through, or refuse.'),
    ipv6Prefix: z.int().min(32).max(128).prefault(64).describe('Bits of an IPv6 address that count as one client.'),
  })
  .prefault({})
