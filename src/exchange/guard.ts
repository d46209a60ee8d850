/**
 * The stages between the route and its limits: whether this request fits the route at all. Cheap checks of facts that are
 * settled; nothing here waits.
 */
import { getHeader } from '../http/headers.ts'
import { DONE, GO, type RouteMatch, type Stage, type Step } from './contracts.ts'
import { isPreflight } from './cross-origin.ts'
import type { Exchange } from './exchange.ts'

const SAFE_METHODS: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/** Looks the route up: 404 where nothing matches, 405 where only the method does not. */
export const route: Stage = (x) => {
  const found =
    (x.method === 'OPTIONS' ? preflighted(x) : null) ?? x.listener.match(x.host, x.path, x.method, x.headers)
  if (found === null) return refuse(x, 'no-route')
  x.followRoute(found.route)
  return found.kind === 'wrong-method' ? refuse(x, 'wrong-method') : GO
}

/** The route of the request that a browser asks for, where the gateway says who may send it. */
function preflighted(x: Exchange): RouteMatch {
  if (!isPreflight(x)) return null
  const wanted = x.listener.match(x.host, x.path, getHeader(x.headers, 'access-control-request-method')!, x.headers)
  return wanted?.kind === 'found' && wanted.route.crossOrigin !== null ? wanted : null
}

export const guard: Stage = (x) => {
  const own = x.route!
  if (!own.allowEncodedSlashes && (x.path.includes('%2F') || x.path.includes('%5C'))) return refuse(x, 'bad-target')
  if (x.isWebSocket) {
    if (!own.webSocket) return refuse(x, 'upgrade-denied')
    x.deadline = 0
  } else if (x.head.bodyLength !== 0) {
    if (x.head.bodyLength > own.maxBodyBytes) return refuse(x, 'body-too-large')
    if (own.accepts !== null && !own.accepts.has(mediaType(x))) return refuse(x, 'wrong-media-type')
  }
  if (x.isWebSocket || !SAFE_METHODS.has(x.method)) {
    if (!isOriginWelcome(x)) return refuse(x, 'origin-denied')
  }
  return GO
}

/** Type and subtype without parameters, lower case; '' where there is none. */
export function mediaType(x: Exchange): string {
  const value = getHeader(x.headers, 'content-type')
  if (value === null) return ''
  const semicolon = value.indexOf(';')
  return (semicolon === -1 ? value : value.slice(0, semicolon)).trim().toLowerCase()
}

/**
 * Browsers say which page sends (RFC 6454): the own origin is welcome and those on the route's list. Programs send no
 * Origin; they carry no ambient credentials that another page could abuse.
 */
function isOriginWelcome(x: Exchange): boolean {
  const origin = getHeader(x.headers, 'origin')
  if (origin === null) return true
  const { origins, crossOrigin } = x.route!
  if (origins?.has(origin) || (!x.isWebSocket && crossOrigin?.isWelcome(origin))) return true
  // An origin leaves the usual port out, a Host need not (RFC 6454, 6.2).
  const usual = x.peer.secure ? ':443' : ':80'
  const authority = x.authority.endsWith(usual) ? x.authority.slice(0, -usual.length) : x.authority
  return origin === `${x.peer.secure ? 'https' : 'http'}://${authority}`
}

function refuse(x: Exchange, code: Parameters<Exchange['refuse']>[0]): Step {
  // As in vet: what is ambiguous must not be followed by more on the same connection.
  if (x.head.protocol !== 'h2' && code === 'bad-target') x.peer.closeAfterAnswer()
  x.refuse(code)
  return DONE
}
