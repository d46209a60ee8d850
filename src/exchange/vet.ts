/**
 * The first stage: settles what a request says of itself (target, host, client, id), or refuses what could be read in two
 * ways. It knows no route.
 */
import { clientKey } from '../http/address.ts'
import { clientFromForwardedFor } from '../http/forwarded.ts'
import { clientFromForwarded, readScheme } from '../http/forwarded-field.ts'
import { joinHeader } from '../http/headers.ts'
import { hasPassed } from '../http/hops.ts'
import { makeRequestId, makeTraceparent } from '../http/trace.ts'
import { DONE, GO, type Stage, type Step } from './contracts.ts'
import type { Exchange } from './exchange.ts'
import { HeadFacts } from './head-facts.ts'

/** Refusals of requests that can be read in one way only: another one may follow (RFC 9110, 15.5.20). */
const CONNECTION_STAYS: ReadonlySet<string> = new Set(['misdirected-host', 'address-denied', 'request-loop'])

export const vet: Stage = (x) => {
  const head = x.head
  const facts = head.memo.facts ?? new HeadFacts(head)
  head.memo.facts = facts
  identify(x, facts)
  const { authority, target } = facts
  if (authority === null) return refuse(x, 'bad-host')
  x.host = authority.host
  x.authority = facts.authorityText

  if (facts.upgrade === 'bad') return refuse(x, 'bad-upgrade')
  x.isWebSocket = facts.upgrade === 'yes'
  x.method = facts.method
  if (x.method === 'CONNECT' || x.method === 'TRACE') return refuse(x, 'wrong-method')

  const plan = x.listener
  if (head.target.length > plan.limits.maxTargetBytes) return refuse(x, 'target-too-long')
  if (target === null) return refuse(x, 'bad-target')
  if (target.authority !== null && !sameAuthority(target.authority, authority, x.peer.secure))
    return refuse(x, 'bad-host')
  x.path = target.path
  x.query = target.query

  if (!plan.isServed(x.host)) return refuse(x, 'unknown-host')
  if (!plan.isDirected(x.peer.serverName, x.host)) return refuse(x, 'misdirected-host')
  if (facts.expectsMore) return refuse(x, 'bad-expectation')
  if (facts.via !== null && plan.via !== null && hasPassed(facts.via, plan.via)) return refuse(x, 'request-loop')
  if (facts.repeatsSingle) return refuse(x, 'bad-header')
  if (!plan.isAllowedAddress(x.clientAddress)) return refuse(x, 'address-denied')
  return GO
}

/** Who asks, and by which ids: settled first, so that refusals carry them too. */
function identify(x: Exchange, facts: HeadFacts): void {
  const plan = x.listener
  x.isFromTrustedProxy = plan.isTrustedProxy(x.peer.address)
  if (x.isFromTrustedProxy) {
    believeProxy(x)
    x.id = facts.requestId
  }
  if (x.id === '') x.id = makeRequestId()
  x.clientKey = clientKey(x.clientAddress, plan.ipv6Prefix)
  x.traceparent = makeTraceparent(facts.trace)
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
