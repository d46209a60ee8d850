/** Where a request carries its token (RFC 6750, 2), and the request without it. It judges no token. */
import type { RouteSignInConfig } from '../config/issuers-shape.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { countHeader, getHeader, type HeaderList, withoutFields } from '../http/headers.ts'
import { cookieIn, withoutCookie } from './cookies.ts'

export type OtherPlace = NonNullable<RouteSignInConfig['alsoIn']>

const SUBPROTOCOL = 'sec-websocket-protocol'
/** Over what any issuer accepts: what is longer is seen to be too long. */
const MOST_LENGTH = 65_536

/** The token; null: none; 'repeated' where more than one stands. Authorization counts before the other place. */
export function findToken(x: Exchange, other: OtherPlace | null): { readonly token: string } | null | 'repeated' {
  const { headers } = x
  if (countHeader(headers, 'authorization') > 1) return 'repeated'
  const field = getHeader(headers, 'authorization')
  if (field !== null && /^bearer /i.test(field)) return { token: field.slice(7).trim() }
  if (other === null) return null
  if ('cookie' in other) {
    const token = cookieIn(headers, other.cookie, MOST_LENGTH)
    return token === null ? null : { token }
  }
  if (!x.isWebSocket) return null
  const all = 'query' in other ? inQuery(x.query, other.query) : inOffer(headers, other.subprotocol)
  return all.length > 1 ? 'repeated' : all.length === 0 ? null : { token: all[0]! }
}

/** What the service may see: no token, wherever it stood, good or not. */
export function takeTokenAway(x: Exchange, other: OtherPlace | null): void {
  const { memo } = x.head
  const known = memo.withoutToken
  if (x.headers === x.head.headers && known !== null && known.other === other) x.headers = known.headers
  else {
    const from = x.headers
    x.headers = without(from, other)
    if (from === x.head.headers) memo.withoutToken = { other, headers: x.headers }
  }
  if (other !== null && 'query' in other) x.query = withoutParameter(x.query, other.query)
}

function without(headers: HeaderList, other: OtherPlace | null): HeaderList {
  const bare = withoutFields(headers, (name) => name === 'authorization')
  if (other === null || 'query' in other) return bare
  if ('cookie' in other) return withoutCookie(bare, other.cookie)
  const kept: HeaderList = []
  for (let i = 0; i < bare.length; i += 2) {
    if (bare[i] !== SUBPROTOCOL) kept.push(bare[i]!, bare[i + 1]!)
    else {
      const offers = offersOf(bare[i + 1]!).filter((each) => !each.startsWith(other.subprotocol))
      if (offers.length > 0) kept.push(SUBPROTOCOL, offers.join(', '))
    }
  }
  return kept
}

function inOffer(headers: HeaderList, prefix: string): string[] {
  const found: string[] = []
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] !== SUBPROTOCOL) continue
    for (const each of offersOf(headers[i + 1]!)) if (each.startsWith(prefix)) found.push(each.slice(prefix.length))
  }
  return found
}

const offersOf = (value: string): string[] => value.split(',').map((each) => each.trim())

/** Tokens need no percent-encoding, so that what has some is none. */
function inQuery(query: string, name: string): string[] {
  return parametersOf(query)
    .filter((each) => each.startsWith(`${name}=`))
    .map((each) => each.slice(name.length + 1))
}

function withoutParameter(query: string, name: string): string {
  const kept = parametersOf(query).filter((each) => !each.startsWith(`${name}=`))
  return kept.length === 0 ? '' : `?${kept.join('&')}`
}

const parametersOf = (query: string): string[] => (query === '' ? [] : query.slice(1).split('&'))
