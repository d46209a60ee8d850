/**
 * The bans on the admin listener: `GET /bans` lists, `POST /bans` adds, `DELETE /bans?subject=` ends one. JSON. It knows
 * neither how bans hold nor who may come here: the listener is for this machine, and lets no page of another origin in.
 */
import { parseDuration } from '../config/units.ts'
import type { BanBook } from '../exchange/ban-book.ts'
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import type { Ban } from '../exchange/shared-bans.ts'
import type { BanView } from '../exchange/status-view.ts'
import { sendJson } from './json-body.ts'

/** Bytes of a request. */
const MAX_BAN_BODY = 4096
const MAX_FOR_MS = 10 * 365 * 86_400_000

export const BANS_PATH = '/bans'

export function answerBans(x: Exchange, bans: BanBook, audit: AuditLog): void {
  if (x.method === 'GET' || x.method === 'HEAD') return sendJson(x, 200, { bans: bans.all().map(banView) })
  if (!audit.isUp) return x.refuse('audit-down')
  if (x.method === 'DELETE') return remove(x, bans, audit)
  // A form of another page could send any other type without being asked (Fetch, 4.8.1: what needs a preflight).
  if (mediaType(x) !== 'application/json') return x.refuse('wrong-media-type')
  x.collectBody(MAX_BAN_BODY, (body) => void add(x, body, bans, audit))
}

async function add(x: Exchange, body: Buffer, bans: BanBook, audit: AuditLog): Promise<void> {
  const wish = readWish(body)
  if (typeof wish === 'string') return sendJson(x, 400, { error: wish })
  const made = await bans.add(wish)
  if ('problem' in made) {
    record(x, audit, 'failure', 'ban', wish.reason)
    return sendJson(x, 400, { error: `subject ${made.problem}` })
  }
  record(x, audit, 'success', `ban ${made.subject}`, wish.reason)
  sendJson(x, 200, { ban: banView(made) })
}

function remove(x: Exchange, bans: BanBook, audit: AuditLog): void {
  const subject = new URLSearchParams(x.query).get('subject') ?? ''
  void bans.remove(subject).then((isDone) => {
    if (!isDone) return sendJson(x, 404, { error: 'no such ban' })
    record(x, audit, 'success', `unban ${subject}`, '')
    sendJson(x, 200, { removed: subject })
  })
}

interface Wish {
  readonly subject: string
  readonly forMs: number
  readonly reason: string
}

function readWish(body: Buffer): Wish | string {
  let value: unknown
  try {
    value = JSON.parse(body.toString('utf8'))
  } catch {
    return 'is not JSON'
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'is not an object'
  const { subject, for: time = '', reason = '', ...others } = value as Record<string, unknown>
  if (Object.keys(others).length > 0) return 'has other members than subject, for and reason'
  if (typeof subject !== 'string') return 'subject is missing: an address, a CIDR block or user:NAME'
  if (typeof time !== 'string' || typeof reason !== 'string') return 'for and reason are texts'
  const forMs = time === '' ? 0 : parseDuration(time)
  if (!(forMs >= 0 && forMs <= MAX_FOR_MS)) return 'for is not a duration; write for example "1 hour"'
  if (time !== '' && forMs === 0) return 'for is no time at all; leave it out for a ban without an end'
  return { subject, forMs, reason }
}

/** More is no end. */
const NO_END_MS = 50 * 365 * 86_400_000

function banUntil({ until }: Ban): string | null {
  return until - Date.now() > NO_END_MS ? null : new Date(until).toISOString()
}

/** As it is shown to an operator. */
export function banView(ban: Ban): BanView {
  return { subject: ban.subject, until: banUntil(ban), reason: ban.reason }
}

function record(x: Exchange, audit: AuditLog, outcome: 'success' | 'failure', object: string, reason: string): void {
  const line = { event: 'authz_change', outcome, user: 'operator', address: x.clientAddress, requestId: x.id, object }
  audit.record(reason === '' ? line : { ...line, reason })
}
