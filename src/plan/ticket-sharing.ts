/** How the nodes of a listener share their keys of session tickets, and what is said of it. It makes no key. */
import type { Configuration, TlsConfig } from '../config/shape.ts'
import { SharedTicketKeys, type TicketKeyEvent } from '../listen/shared-ticket-keys.ts'
import { longSecret } from './acme.ts'
import type { Standing } from './standing.ts'

const SAID: Readonly<Record<TicketKeyEvent, readonly ['info' | 'warn' | 'error', string]>> = {
  made: ['info', 'The key of session tickets was made here, and other nodes may take it'],
  'taken-over': ['info', 'The key of session tickets was taken over from another node'],
  own: [
    'warn',
    'Sessions are resumed at this node alone: Redis does not answer, and the key of session tickets is its own',
  ],
  'refused-malformed': refused('it is no sealed key'),
  'refused-other-place': refused('it was sealed for another prefix, listener or "ticketRotation"'),
  'refused-other-secret': refused('it was sealed with another "ticketSecret"'),
  'refused-other-period': refused('it was sealed for another period: somebody put an old one back'),
  'refused-tampered': refused('somebody changed it'),
}

function refused(cause: string): readonly ['error', string] {
  return ['error', `The key of session tickets in Redis is not used, and this node keeps its own: ${cause}`]
}

/** Null where the listener's keys are its process's alone. Throws a ConfigurationError. */
export function sharedTickets(
  listener: string,
  tls: TlsConfig,
  { limits }: Configuration,
  standing: Standing,
): SharedTicketKeys | null {
  const secret = longSecret(tls.ticketSecret, `listeners.${listener}.tls.ticketSecret`, standing)
  const { redis } = limits.store
  // Who asks for client certificates resumes nothing.
  if (secret === null || redis === undefined || tls.clientCertificates !== undefined) return null
  const sharing = {
    values: standing.store.values,
    ...{ secret, listener, prefix: redis.prefix, rotationMs: tls.ticketRotation },
  }
  return new SharedTicketKeys(sharing, (event) => {
    standing.metrics.count('ticket_keys_total', event, listener)
    const [level, text] = SAID[event]
    standing.log.gateway[level](text, { listener })
  })
}
