/**
 * What becomes of the decisions of limits: each is counted, those who go over stand in the audit log once for each time
 * they do, what runs dry in the gateway's own log, and who goes on is banned. Bounded in lines, whatever clients do.
 */
import type { BanBook } from '../exchange/ban-book.ts'
import type { AuditEvent, AuditLog, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { AutoBan, type Offender } from '../limits/auto-ban.ts'
import { BoundedMap } from '../limits/bounded-map.ts'
import type { LimitEvents, RefusalKind } from '../limits/limit-events.ts'
import type { Rule } from '../limits/rule.ts'
import { LineThrottle } from '../observe/line-throttle.ts'
import type { Logger } from '../observe/log.ts'

/** Lines a second: everybody can cause them. */
const AUDIT_LINES = 20
const DRY_LINES = 5
/** Clients of which it is remembered that they were told of. */
const MAX_TOLD = 20_000
const LEAST_SILENCE_MS = 10_000

export class LimitReport implements LimitEvents {
  readonly #metrics: Metrics
  readonly #audit: AuditLog
  readonly #log: Logger
  readonly #autoBan: AutoBan
  readonly #told = new BoundedMap<number>(MAX_TOLD)
  readonly #auditLines: LineThrottle
  readonly #dryLines: LineThrottle

  constructor(metrics: Metrics, audit: AuditLog, log: Logger, bans: BanBook) {
    this.#metrics = metrics
    this.#audit = audit
    this.#log = log
    this.#autoBan = new AutoBan(bans, (offender) => this.#onBan(offender))
    this.#auditLines = new LineThrottle(AUDIT_LINES, 1000, (count) => {
      this.#audit.record({ ...NOBODY, reason: `${count} more clients in a second` })
    })
    this.#dryLines = new LineThrottle(DRY_LINES, 1000, (count) => {
      log.info('Limits that run dry would have refused more than is logged', { count })
    })
  }

  onRefusal(x: Exchange, rule: Rule, kind: RefusalKind, waitMs: number): void {
    this.#metrics.count('limit_refusals_total', rule.isDry ? 'dry-run' : kind, rule.name)
    const isNews = this.#isNews(x, rule, kind, waitMs)
    if (rule.isDry) {
      if (isNews && this.#dryLines.take(performance.now())) {
        this.#log.info('A limit that runs dry would have refused', { ...factsOf(x, rule), kind })
      }
    }
    if (isNews && this.#auditLines.take(performance.now())) this.#audit.record(eventOf(x, rule, kind, waitMs))
    if (!rule.isDry) this.#autoBan.onRefusal(x, rule)
  }

  /** False while the same client is refused by the same limit for a reason that was told. */
  #isNews(x: Exchange, rule: Rule, kind: RefusalKind, waitMs: number): boolean {
    const key = `${rule.name} ${kind} ${x.clientKey}`
    const now = performance.now()
    if ((this.#told.get(key) ?? 0) > now) return false
    this.#told.set(key, now + Math.max(LEAST_SILENCE_MS, waitMs))
    return true
  }

  #onBan({ rule, ban, subject, address, requestId, route }: Offender): void {
    this.#metrics.count('limit_refusals_total', 'ban', rule.name)
    const facts = { limit: rule.name, route, client: address, subject }
    this.#log.warn('Banned an address that goes on while a limit refuses it', facts)
    this.#audit.record({
      event: 'authz_change',
      outcome: 'success',
      user: `limit ${rule.name}`,
      address,
      requestId,
      object: `ban ${subject}`,
      reason: `${ban.after} refusals`,
    })
  }
}

const NOBODY = {
  event: 'excess_rate_limit_exceeded',
  outcome: 'failure',
  user: '-',
  address: '-',
  requestId: '-',
  object: '-',
} as const

function factsOf(x: Exchange, rule: Rule): { limit: string; route: string; client: string } {
  return { limit: rule.name, route: x.route?.name ?? '-', client: x.clientAddress }
}

function eventOf(x: Exchange, rule: Rule, kind: RefusalKind, waitMs: number): AuditEvent {
  const wait = waitMs === 0 ? '' : ` for ${Math.ceil(waitMs / 1000)} s`
  return {
    event: NOBODY.event,
    // What runs dry went on.
    outcome: rule.isDry ? 'success' : 'failure',
    user: x.user === '' ? '-' : x.user,
    address: x.clientAddress,
    requestId: x.id,
    object: x.route?.name ?? '-',
    reason: `limit ${rule.name}: ${kind}${wait}${rule.isDry ? ' (dry run)' : ''}`,
  }
}
