/**
 * How the gateway stands, on the admin listener: `GET /` for people, `GET /status` for programs. It knows neither where values come
 * from nor who may come here: the listener is for this machine.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { StatusBook } from '../exchange/status-view.ts'
import { sendJson } from './json-body.ts'
import { STATUS_POLICY, statusPage } from './status-page.ts'

/** The page has a policy of its own, and with it a route. */
export const STATUS_PAGE_PATH = '/'
const STATUS_PATH = '/status'

export const isStatusPath = (path: string): boolean => path === STATUS_PAGE_PATH || path === STATUS_PATH

export function answerStatus(x: Exchange, status: StatusBook): void {
  if (x.method !== 'GET' && x.method !== 'HEAD') {
    return x.respond(405, ['allow', 'GET, HEAD', 'cache-control', 'no-store'], null)
  }
  const view = status.now()
  if (x.path === STATUS_PATH) return sendJson(x, 200, view)
  const headers = ['content-type', 'text/html; charset=utf-8', 'cache-control', 'no-store']
  x.respond(200, [...headers, 'content-security-policy', STATUS_POLICY], statusPage(view))
}
