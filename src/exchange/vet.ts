/**
 * The first stage: settles what a request says of itself (target, host, client, id), or refuses what could be read in two
 * ways. It knows no route.
 */
import { clientKey } from '../http/address.ts'
import { clientFromForwardedFor } from '../http/forwarded.ts'
import { clientFromForwarded, readScheme } from '../http/forwarded-field.ts'
import { isWebSocketConnect, isWebSocketHandshake } from '../http/framing.ts'
import { countHeader, getHeader, type HeaderList, joinHeader } from '../http/headers.ts'
import { hasPassed } from '../http/hops.ts'
import { parseAuthority } from '../http/host.ts'
import { parseTarget } from '../http/target.ts'
import { isRequestId, makeRequestId, makeTraceparent, parseTraceparent } from '../http/trace.ts'
import { DONE, GO, type Stage, type Step } from './contracts.ts'
import type { Exchange } from './exchange.ts'

/** Refusals of requests that can be read in one way only: another one may follow (RFC 9110, 15.5.20). */
const CONNECTION_STAYS: ReadonlySet<string> = new Set(['misdirected-host', 'address-denied', 'request-loop'])

export const vet: Stage = (x) => {
  identify(x)
  const head = x.head
  const authority = head.authority === null ? null : parseAuthority(head.authority)
  if (authority === null) return refuse(x, 'bad-host')
  x.host = authority.host
  x.authority = authority.port === -1 ? authority.host : `${authority.host}:${authority.port}`

  const upgrade =
    head.protocol === 'h2'
      ? isWebSocketConnect(head.connectProtocol, head.headers)
      : isWebSocketHandshake(head.method, head.protocol, head.headers)
  if (upgrade === 'bad') return refuse(x, 'bad-upgrade')
  x.isWebSocket = upgrade === 'yes'
  // A WebSocket over HTTP/2 is routed as the GET that it is everywhere else (RFC 8441, 5).
  if (x.isWebSocket) x.method = 'GET'
  else if (head.method === 'CONNECT' || head.method === 'TRACE') return refuse(x, 'wrong-method')

  if (head.target.length > x.listener.limits.maxTargetBytes) return refuse(x, 'target-too-long')
  const target = parseTarget(head.target, x.method)
  if (target === null) return refuse(x, 'bad-target')
  if (target.authority !== null && !sameAuthority(target.authority, authority, x.peer.secure))
    return refuse(x, 'bad-host')
  x.path = target.path
  x.query = target.query

  const plan = x.listener
  if (!plan.isServed(x.host)) return refuse(x, 'unknown-host')
  if (!plan.isDirected(x.peer.serverName, x.host)) return refuse(x, 'misdirected-host')
  // All of them: what the engine takes for an expectation must be the only one.
  const expect = joinHeader(head.headers, 'expect')
  if (expect !== null && expect.toLowerCase() !== '100-continue') return refuse(x, 'bad-expectation')
  if (plan.via !== null && hasPassed(joinHeader(head.headers, 'via'), plan.via)) return refuse(x, 'request-loop')
  if (hasRepeatedSingle(head.headers)) return refuse(x, 'bad-header')
  if (!plan.isAllowedAddress(x.clientAddress)) return refuse(x, 'address-denied')
  return GO
}

/**
 * True where a field stands twice whose first value the stages judge and whose last one an upstream may believe
 * (RFC 9110, 5.3).
 */
function hasRepeatedSingle(headers: HeaderList): boolean {
  let seen = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const bit = name === 'content-type' ? 1 : name === 'origin' ? 2 : name === 'authorization' ? 4 : 0
    if ((seen & bit) !== 0) return true
    seen |= bit
  }
  return false
}

/** Who asks, and by which ids: settled first, so that refusals carry them too. */
function identify(x: Exchange): void {
  const plan = x.listener
  const headers = x.head.headers
  x.isFromTrustedProxy = plan.isTrustedProxy(x.peer.address)
  if (x.isFromTrustedProxy) {
    believeProxy(x)
    const id = getHeader(headers, 'x-request-id')
    if (id !== null && countHeader(headers, 'x-request-id') === 1 && isRequestId(id)) x.id = id
  }
  if (x.id === '') x.id = makeRequestId()
  x.clientKey = clientKey(x.clientAddress, plan.ipv6Prefix)
  x.traceparent = makeTraceparent(
    countHeader(headers, 'traceparent') === 1 ? parseTraceparent(getHeader(headers, 'traceparent')) : null,
  )
}

/** One field only: what the proxy does not know, it passes on as a client wrote it. */
function believeProxy(x: Exchange): void {
  const { forwardedBy, isTrustedProxy } = x.listener
  const headers = x.head.headers
  const list = joinHeader(headers, forwardedBy)
  if (forwardedBy === 'forwarded') {
    const { address, scheme } = clientFromForwarded(list, x.peer.address, isTrustedProxy)
    x.clientAddress = address
    if (scheme !== '') x.scheme = scheme
    return
  }
  x.clientAddress = clientFromForwardedFor(list, x.peer.address, isTrustedProxy)
  // Several values would be a chain of which nobody says who wrote what.
  const scheme = readScheme(joinHeader(headers, 'x-forwarded-proto'))
  if (scheme !== '') x.scheme = scheme
}

interface HostAndPort {
  readonly host: string
  readonly port: number
}

/** A port that is left out is the scheme's own (RFC 9110, 4.2). */
function sameAuthority(a: HostAndPort, b: HostAndPort, secure: boolean): boolean {
  const usual = secure ? 443 : 80
  return a.host === b.host && (a.port === -1 ? usual : a.port) === (b.port === -1 ? usual : b.port)
}

function refuse(x: Exchange, code: Parameters<Exchange['refuse']>[0]): Step {
  // What is ambiguous, or meant for somebody else, must not be followed by more on the same connection.
  if (x.head.protocol !== 'h2' && !CONNECTION_STAYS.has(code)) x.peer.closeAfterAnswer()
  x.refuse(code)
  return DONE
}
