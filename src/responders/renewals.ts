/**
 * Orders of certificates on the admin listener: `POST /certificates/renew` with `{ "name": ... }`. It knows neither authorities
 * nor who may come here: the listener is for this machine, and lets no page of another origin in.
 */
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import { readMembers, sendJson } from './json-body.ts'

const MAX_BODY = 1024

export const RENEW_PATH = '/certificates/renew'

/** Whoever orders certificates. */
export interface Renewals {
  /** Orders anew what has this name. False where none has it. */
  renew(name: string): boolean
}

export function answerRenewal(x: Exchange, renewals: Renewals, audit: AuditLog): void {
  if (x.method !== 'POST') return x.refuse('wrong-method')
  if (!audit.isUp) return x.refuse('audit-down')
  // A form of another page could send any other type without being asked (Fetch, 4.8.1: what needs a preflight).
  if (mediaType(x) !== 'application/json') return x.refuse('wrong-media-type')
  x.collectBody(MAX_BODY, (body) => {
    const name = nameIn(body)
    if (name === null) return sendJson(x, 400, { error: 'name is missing: a host name of an ordered certificate' })
    const isFound = renewals.renew(name)
    const outcome = isFound ? 'success' : 'failure'
    const who = { user: 'operator', address: x.clientAddress, requestId: x.id }
    audit.record({ event: 'crypt_renew', outcome, ...who, object: `certificate ${name}` })
    if (isFound) sendJson(x, 200, { ordered: name })
    else sendJson(x, 404, { error: `no certificate for ${name} is ordered here` })
  })
}

const HOST = /^[a-z0-9.-]{1,253}$/

function nameIn(body: Buffer): string | null {
  const name = readMembers(body.toString('utf8'))?.name
  return typeof name === 'string' && HOST.test(name) ? name : null
}
