/** The settings of who may sign in. It knows no listener. */
import { z } from 'zod'
import { count, duration, file, name } from './shape-terms.ts'

const passwords = z
  .strictObject({
    preset: z
      .enum(['pci-4', 'pci-3.2.1', 'legacy'])
      .prefault('pci-4')
      .describe(
        'Rules for new passwords; what is set beside it stands instead. `pci-4` (PCI DSS 4.0.1): 12 characters, letters and digits, none of the last four, 90 days. `pci-3.2.1`: the same with 7 characters. `legacy`: 8 characters, three of upper case, lower case, digits and others, a letter first, none of the last four, 90 days.',
      ),
    minLength: z.int().min(7).max(128).optional().describe('Characters at least.'),
    classes: z
      .int()
      .min(1)
      .max(4)
      .optional()
      .describe('How many of: upper-case letters, lower-case letters, digits, other characters.'),
    letterAndDigit: z.boolean().optional().describe('A letter and a digit at least.'),
    first: z.enum(['any', 'letter']).optional().describe('What the first character must be.'),
    notUserName: z.boolean().optional().describe('The user name must not stand in it.'),
    notCommon: z
      .boolean()
      .optional()
      .describe('None of a small list of words, also dressed up with digits and signs; no row of keys, no repetition.'),
    remembered: z
      .int()
      .min(0)
      .max(24)
      .optional()
      .describe('The last so many may not come again, the present one among them.'),
    maxAgeDays: z.int().min(0).max(3650).optional().describe('Days after which it must be changed; 0: never.'),
  })
  .prefault({})
  .describe('Rules for passwords.')

const hashing = z
  .strictObject({
    memory: z.int().min(7168).max(262_144).prefault(19_456).describe('KiB of memory for one check.'),
    passes: z.int().min(1).max(16).prefault(2).describe('Passes over it.'),
    lanes: z.int().min(1).max(4).prefault(1).describe('Lanes.'),
  })
  .refine(({ memory, passes }) => memory * passes >= 35_840, {
    message: 'is weaker than OWASP advises; memory times passes must be at least 35840, for example 19456 and 2',
  })
  .refine(({ memory, passes }) => memory * passes <= 1_048_576, {
    message: 'is more than one sign-in may cost; memory times passes must be at most 1048576',
  })
  .prefault({})
  .describe(
    'What a new argon2id hash costs. A hash of another cost, and bcrypt of older files, is made anew when its password is next used.',
  )

export const signIn = z
  .strictObject({
    accounts: file.describe(
      'Accounts file, made by `portcullis users add`; an htpasswd file with bcrypt hashes is read too.',
    ),
    passwords,
    hashing,
    lockAfter: count(4, 'Failed attempts that lock an account.', 1, 100),
    lockFor: duration(
      '30 minutes',
      'How long it stays locked the first time; the next time twice as long, at most an hour.',
    ),
    knownFor: duration(
      '14 days',
      'How long an address is known from which an account signed in. It has failures of its own to lose, `lockAfter` of them, so that strangers cannot lock the owner out; "0 s": no address is known, and a lock holds everywhere.',
      0,
    ),
    session: z
      .strictObject({
        lifetime: duration('8 hours', 'After which a person signs in again, whatever happened.'),
        idle: duration('15 minutes', 'Without a request, after which a person signs in again.'),
      })
      .prefault({})
      .describe('Sessions of people who sign in by the page. Programs send their password with each request.'),
    defaultRoles: z.array(name).max(32).prefault([]).describe('Roles of accounts that have none of their own.'),
    maxConcurrent: count(2, 'Password checks that run at once.', 1, 64),
    maxWaiting: count(64, 'Password checks that may wait; over it 503.', 1, 10_000),
    maxWait: duration('5 seconds', 'How long a password check may wait for its turn; after it 503.'),
  })
  .optional()
  .describe('Who may read.')

const date = z.iso.date('is not a date; write it as "2026-11-01"')

const readRule = z.strictObject({
  paths: z
    .array(
      z
        .string()
        .regex(/^(?!\/)[^\x00-\x1f\\]{1,512}$/, 'is not a path below the source; write for example "north/**" or "**"')
        .meta({ title: 'path pattern' }),
    )
    .min(1, 'is empty, so nothing could be read; write ["**"] for everything')
    .max(64)
    .describe(
      'Names of transcripts: `*` stands for a part of one segment, `**` for any number of them, `?` for a character.',
    ),
  channels: z.array(z.string().min(1).max(64)).min(1).max(64).optional().describe('Only of these channels.'),
  from: date.optional().describe('Only from this day on, UTC.'),
  until: date.optional().describe('Only until this day, UTC.'),
  days: z.int().min(1).max(36_500).optional().describe('Only those not older than so many days.'),
  attributes: z
    .record(name, z.string().min(1).max(128))
    .optional()
    .describe(
      'Only with these attributes: `{ "team": "north" }`; `{ "team": "$team" }` is the one of the account that reads.',
    ),
})

export const roles = z
  .record(
    name,
    z.strictObject({
      read: z
        .array(readRule)
        .min(1, 'is empty, so the role could read nothing; write { "paths": ["**"] } for everything')
        .max(64)
        .describe('What may be read: one of these rules must be met, all of it.'),
    }),
  )
  .optional()
  .describe(
    'Roles by name, and which transcripts they may read. Nothing may be read unless a role says so. Accounts have their roles by `portcullis users add --role`, or by `signIn.defaultRoles`.',
  )

export type RolesConfig = NonNullable<z.output<typeof roles>>
export type PasswordsConfig = z.output<typeof passwords>
