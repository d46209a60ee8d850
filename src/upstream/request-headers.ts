/** What an upstream is told: the client's fields without hop-by-hop and forged ones, and the gateway's own. */

import type { Peer } from '../exchange/connection.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { RepeatedText } from '../exchange/repeated-text.ts'
import { forwardedValue, isForgedName } from '../http/forwarded.ts'
import { fieldLines, type HeaderList, HOP_BY_HOP, joinHeader } from '../http/headers.ts'
import { readMaxForwards, viaHop } from '../http/hops.ts'

// Settled by the gateway itself: the host it vetted, the length it counted, the expectation it met.
const OWN: ReadonlySet<string> = new Set([
  'host',
  'content-length',
  'expect',
  'traceparent',
  'max-forwards',
  'x-request-id',
])
// A message filter has to read the frames, and compressed ones it cannot bound.
const WEBSOCKET_OWN: ReadonlySet<string> = new Set([
  'sec-websocket-extensions',
  'sec-websocket-key',
  'sec-websocket-version',
  'sec-websocket-accept',
])

/** Flat list, ready for dispatch. The body's length is added by the caller. */
export function requestHeaders(x: Exchange): HeaderList {
  const out = lastingHeaders(x)
  out.push('x-request-id', x.id, 'traceparent', x.traceparent)
  return out
}

/**
 * Request line and the same fields as HTTP/1.1 writes them, each line with its CRLF. For a head that comes again, only what
 * is new in it is made anew.
 *
 * @param target Path and query for the service.
 */
export function requestText(x: Exchange, target: string): string {
  return `${lastingText(x, target)}x-request-id: ${x.id}\r\ntraceparent: ${x.traceparent}\r\n`
}

function lastingText(x: Exchange, target: string): string {
  const { method, headers, authority, clientAddress: client, scheme, isFromTrustedProxy, identity } = x
  const { via, forwardedBy } = x.listener
  const memo = x.head.memo
  const last = memo.upstreamText
  // All that `lastingHeaders` reads: the peer is that of the connection, and whether it is a WebSocket stands in the head.
  if (
    last !== null &&
    last.method === method &&
    last.target === target &&
    isSame(last.headers, headers) &&
    last.identity === identity &&
    last.authority === authority &&
    last.client === client &&
    last.scheme === scheme &&
    last.isFromTrustedProxy === isFromTrustedProxy &&
    last.via === via &&
    last.forwardedBy === forwardedBy
  ) {
    return last.text.again()
  }
  const text = `${method} ${target} HTTP/1.1\r\n${fieldLines(lastingHeaders(x))}`
  const made = { method, target, headers, identity, authority, client, scheme, isFromTrustedProxy, via, forwardedBy }
  memo.upstreamText = { ...made, text: new RepeatedText(text) }
  return text
}

/** Stages that take fields out make new lists, for equal heads equal ones. */
function isSame(a: HeaderList, b: HeaderList): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** All but what is new with every request. */
function lastingHeaders(x: Exchange): HeaderList {
  const from = x.headers
  const nominated = nominatedNames(from)
  const out: HeaderList = ['host', x.authority]
  const { forwardedBy, via } = x.listener
  const byForwardedFor = x.isFromTrustedProxy && forwardedBy === 'x-forwarded-for'
  // Of the other field, the client that it named is what is known to be true.
  let priorHops = x.clientAddress === x.peer.address ? null : x.clientAddress
  for (let i = 0; i < from.length; i += 2) {
    const name = from[i]!
    if (mayPass(name)) {
      if (nominated?.has(name) || (x.isWebSocket && WEBSOCKET_OWN.has(name))) continue
      out.push(name, from[i + 1]!)
    } else if (name === 'x-forwarded-for' && byForwardedFor) priorHops = joinHeader(from, name)
  }
  for (const each of x.identity) out.push(each)
  const { fields } = origin(x)
  for (let i = 0; i < fields.length; i++) out.push(fields[i]!)
  out.push('x-forwarded-for', priorHops === null ? x.peer.address : `${priorHops}, ${x.peer.address}`)
  if (via !== null) out.push('via', viaHop(x.head.protocol, via))
  if (x.method === 'OPTIONS') {
    const left = readMaxForwards(from)
    if (left !== null && left > 0) out.push('max-forwards', String(left - 1))
  }
  return out
}

/** Where requests come from, as the upstream is told: the same for most requests of a connection. */
interface Origin {
  readonly authority: string
  readonly client: string
  readonly scheme: string
  readonly fields: HeaderList
}

const origins = new WeakMap<Peer, Origin>()

function origin(x: Exchange): Origin {
  const { peer, authority, clientAddress: client, scheme } = x
  const last = origins.get(peer)
  if (last !== undefined && last.authority === authority && last.client === client && last.scheme === scheme)
    return last
  const fields = [
    'x-forwarded-proto',
    scheme,
    'x-forwarded-host',
    authority,
    'x-forwarded-port',
    String(publicPort(authority, peer.localPort)),
    'x-real-ip',
    client,
    'forwarded',
    forwardedValue(client, authority, scheme),
  ]
  if (peer.certificate !== null) fields.push(...peer.certificate.fields)
  const made = { authority, client, scheme, fields }
  origins.set(peer, made)
  return made
}

const known = new Map<string, boolean>()
const MAX_KNOWN = 1024

/** One look-up for all sets of names, since every field of every request asks. Names come from clients: the memory is bounded. */
function mayPass(name: string): boolean {
  const answer = known.get(name)
  if (answer !== undefined) return answer
  const passes = !HOP_BY_HOP.has(name) && !OWN.has(name) && !isForgedName(name)
  if (known.size < MAX_KNOWN && name.length <= 48) known.set(name, passes)
  return passes
}

/** Names that Connection nominates (RFC 9110, 7.6.1), null where there are none beyond the usual two. */
export function nominatedNames(headers: HeaderList): Set<string> | null {
  const connection = joinHeader(headers, 'connection')
  if (connection === null || connection === 'keep-alive' || connection === 'close') return null
  const names = new Set<string>()
  for (const each of connection.split(',')) names.add(each.trim().toLowerCase())
  return names
}

/** The port that the client named, else the one it reached. */
function publicPort(authority: string, localPort: number): number {
  const colon = authority.lastIndexOf(':')
  if (colon > authority.lastIndexOf(']')) return Number(authority.slice(colon + 1))
  return localPort
}
