/**
 * Records refusals that an auditor looks for: who was not allowed, who had too much at once. Anybody can cause them, so they
 * are bounded, and what is left out is counted. What limits refuse is recorded by those who count it.
 */
import type { FailureCode } from '../errors.ts'
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { LineThrottle } from './line-throttle.ts'

/** Lines a second, for each listener and reason: a flood of one hides no other. */
const MOST_LINES = 10

/** Names of OWASP's logging vocabulary. */
const EVENTS: ReadonlyMap<FailureCode, string> = new Map([
  ['address-denied', 'authz_fail'],
  ['banned', 'authz_fail'],
  ['origin-denied', 'authz_fail'],
  ['link-invalid', 'authz_fail'],
  ['link-expired', 'authz_fail'],
  ['too-many-in-flight', 'excess_rate_limit_exceeded'],
  ['too-many-sockets', 'excess_rate_limit_exceeded'],
])

/** Call what it gives for every exchange that ends. */
export function refusalRecorder(listener: string, audit: AuditLog): (x: Exchange) => void {
  const place = { user: '-', address: '-', requestId: '-', object: listener }
  const throttles = new Map<FailureCode, LineThrottle>()
  for (const code of EVENTS.keys()) {
    const onLeftOut = (count: number): void => {
      audit.record({ ...place, event: 'refusals_left_out', outcome: 'failure', reason: `${count} more ${code}` })
    }
    throttles.set(code, new LineThrottle(MOST_LINES, 1000, onLeftOut))
  }
  return (x) => {
    if (x.failure === null) return
    const event = EVENTS.get(x.failure.code)
    if (event === undefined || !throttles.get(x.failure.code)!.take(performance.now())) return
    audit.record({
      event,
      outcome: 'failure',
      user: x.user === '' ? '-' : x.user,
      address: x.clientAddress,
      requestId: x.id,
      object: `${listener} ${x.path}`,
      reason: x.failure.code,
    })
  }
}
