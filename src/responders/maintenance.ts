/**
 * Maintenance on the admin listener: `GET /maintenance` shows, `POST /maintenance` switches all routes or one. JSON. It knows neither
 * how that holds nor who may come here.
 */
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import type { Maintenance } from '../exchange/maintenance.ts'
import { readMembers, sendJson } from './json-body.ts'

/** Bytes of a request. */
const MAX_BODY = 4096

export const MAINTENANCE_PATH = '/maintenance'

export function answerMaintenance(x: Exchange, book: Maintenance, audit: AuditLog): void {
  if (x.method === 'GET' || x.method === 'HEAD') return sendJson(x, 200, { maintenance: book.view })
  if (x.method !== 'POST') return x.respond(405, ['allow', 'GET, HEAD, POST', 'cache-control', 'no-store'], null)
  if (!audit.isUp) return x.refuse('audit-down')
  // A form of another page could send any other type without being asked (Fetch, 4.8.1: what needs a preflight).
  if (mediaType(x) !== 'application/json') return x.refuse('wrong-media-type')
  x.collectBody(MAX_BODY, (body) => change(x, body, book, audit))
}

function change(x: Exchange, body: Buffer, book: Maintenance, audit: AuditLog): void {
  const wish = readWish(body)
  if (wish === null)
    return sendJson(x, 400, { error: 'write { "on": true or false, "route": NAME }, without a route for all' })
  if (!book.switch(wish.route, wish.isOn)) return sendJson(x, 404, { error: 'no such route' })
  audit.record({
    ...{ event: 'sys_change', outcome: 'success', user: 'operator' },
    ...{ address: x.clientAddress, requestId: x.id },
    object: `maintenance ${wish.isOn ? 'on' : 'off'} ${wish.route === '' ? '(all routes)' : wish.route}`,
  })
  sendJson(x, 200, { maintenance: book.view })
}

function readWish(body: Buffer): { readonly isOn: boolean; readonly route: string } | null {
  const members = readMembers(body.toString('utf8'))
  if (members === null) return null
  const { on, route = '', ...others } = members
  if (typeof on !== 'boolean' || typeof route !== 'string' || Object.keys(others).length > 0) return null
  return { isOn: on, route }
}
