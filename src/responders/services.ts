/**
 * The services on the admin listener: `GET /services` shows them, `POST /services/drain` and `/services/undrain` take one
 * endpoint out and in again. JSON. It knows neither how that holds nor who may come here.
 */
import type { AuditLog } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import type { ServiceBook } from '../exchange/service-book.ts'
import { readMembers, sendJson } from './json-body.ts'

/** Bytes of a request. */
const MAX_BODY = 4096

const SERVICES_PATH = '/services'
const DRAIN_PATH = '/services/drain'
const UNDRAIN_PATH = '/services/undrain'

export const isServicesPath = (path: string): boolean =>
  path === SERVICES_PATH || path === DRAIN_PATH || path === UNDRAIN_PATH

export function answerServices(x: Exchange, services: ServiceBook, audit: AuditLog): void {
  if (x.path === SERVICES_PATH) {
    if (x.method === 'GET' || x.method === 'HEAD') return sendJson(x, 200, { services: services.all() })
    return x.respond(405, ['allow', 'GET, HEAD', 'cache-control', 'no-store'], null)
  }
  if (x.method !== 'POST') return x.respond(405, ['allow', 'POST', 'cache-control', 'no-store'], null)
  if (!audit.isUp) return x.refuse('audit-down')
  // A form of another page could send any other type without being asked (Fetch, 4.8.1: what needs a preflight).
  if (mediaType(x) !== 'application/json') return x.refuse('wrong-media-type')
  const isDrained = x.path === DRAIN_PATH
  x.collectBody(MAX_BODY, (body) => change(x, body, isDrained, services, audit))
}

function change(x: Exchange, body: Buffer, isDrained: boolean, services: ServiceBook, audit: AuditLog): void {
  const wish = readWish(body)
  if (wish === null) return sendJson(x, 400, { error: 'write { "service": NAME, "endpoint": "host:port" }' })
  if (!services.drain(wish.service, wish.endpoint, isDrained)) return sendJson(x, 404, { error: 'no such endpoint' })
  audit.record({
    ...{ event: 'sys_change', outcome: 'success', user: 'operator' },
    ...{ address: x.clientAddress, requestId: x.id },
    object: `${isDrained ? 'drain' : 'undrain'} ${wish.service} ${wish.endpoint}`,
  })
  sendJson(x, 200, { service: wish.service, endpoint: wish.endpoint, drained: isDrained })
}

function readWish(body: Buffer): { readonly service: string; readonly endpoint: string } | null {
  const members = readMembers(body.toString('utf8'))
  if (members === null) return null
  const { service, endpoint, ...others } = members
  if (typeof service !== 'string' || typeof endpoint !== 'string' || Object.keys(others).length > 0) return null
  return { service, endpoint }
}
