/** The options of each command, and how many words beside them it takes. */
import type { CommandName } from './help.ts'

const ADMIN = { config: { type: 'string' }, admin: { type: 'string' } } as const
export const OPTIONS = {
  start: { config: { type: 'string' } },
  check: { config: { type: 'string' }, 'without-files': { type: 'boolean' } },
  schema: {},
  'try-message': { config: { type: 'string' }, route: { type: 'string' }, event: { type: 'string' } },
  users: {
    config: { type: 'string' },
    file: { type: 'string' },
    'password-file': { type: 'string' },
    roles: { type: 'string' },
    attributes: { type: 'string' },
    'own-choice': { type: 'boolean' },
    remove: { type: 'boolean' },
  },
  'hash-password': {},
  health: { config: { type: 'string' }, url: { type: 'string' } },
  'keys init': { config: { type: 'string' } },
  'keys rotate': { config: { type: 'string' } },
  'keys list': { config: { type: 'string' } },
  'keys retire': { config: { type: 'string' }, id: { type: 'string' } },
  'url seal': { config: { type: 'string' }, kind: { type: 'string' } },
  'url open': { config: { type: 'string' }, kind: { type: 'string' } },
  ban: {
    for: { type: 'string' },
    reason: { type: 'string' },
    config: { type: 'string' },
    admin: { type: 'string' },
  },
  bans: { json: { type: 'boolean' }, config: { type: 'string' }, admin: { type: 'string' } },
  services: { json: { type: 'boolean' }, config: { type: 'string' }, admin: { type: 'string' } },
  certs: {
    ...{ config: { type: 'string' }, admin: { type: 'string' }, json: { type: 'boolean' }, to: { type: 'string' } },
    ...{ cert: { type: 'string' }, key: { type: 'string' }, names: { type: 'string' }, days: { type: 'string' } },
  },
  ...{ unban: ADMIN, drain: ADMIN, undrain: ADMIN, maintenance: ADMIN },
  'transcripts import': {
    config: { type: 'string' },
    from: { type: 'string' },
    channel: { type: 'string' },
    remove: { type: 'boolean' },
    replace: { type: 'boolean' },
  },
  'transcripts seal': { config: { type: 'string' } },
  'transcripts open': { config: { type: 'string' }, name: { type: 'string' } },
  'transcripts purge': { config: { type: 'string' }, 'dry-run': { type: 'boolean' } },
} as const satisfies Record<CommandName, Record<string, { type: 'string' | 'boolean' }>>

/** Commands that name what they act upon, and in how many words. */
export const SUBJECTS: Partial<Record<CommandName, number>> = { ban: 1, unban: 1, drain: 2, undrain: 2 }
