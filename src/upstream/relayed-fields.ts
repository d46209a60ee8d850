/** Which fields pass between client and service, apart from any one request. It knows no edits of a route. */
import { type HeaderList, HOP_BY_HOP, withoutFields } from '../http/headers.ts'
import { nominatedNames } from './request-headers.ts'

/** Asks for an answer that can be inspected: not compressed, and no part of one (RFC 9110, 12.5.3 and 14.2). */
export function wholeAndPlain(headers: HeaderList): HeaderList {
  const out = withoutFields(headers, (name) => name === 'accept-encoding' || name === 'range' || name === 'if-range')
  out.push('accept-encoding', 'identity')
  return out
}

/**
 * Without what Connection nominates, and without a length that does not count, in a 204 (RFC 9110, 8.6). The hop-by-hop
 * fields themselves are dropped by the edits of every route.
 */
export function relayable(status: number, headers: HeaderList): HeaderList {
  const nominated = nominatedNames(headers)
  if (nominated === null && status !== 204) return headers
  return withoutFields(
    headers,
    (name) => (nominated?.has(name) ?? false) || (status === 204 && name === 'content-length'),
  )
}

/** For 1xx answers, trailers and handshakes, which no edits pass over. */
export function withoutHopByHop(headers: HeaderList): HeaderList {
  const nominated = nominatedNames(headers)
  return withoutFields(headers, (name) => HOP_BY_HOP.has(name) || (nominated?.has(name) ?? false))
}
