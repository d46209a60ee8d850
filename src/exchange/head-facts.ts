/**
 * What a request head says of itself, read once: a function of the head alone. What may come of it is for the stages, which
 * know the listener and its client.
 */
import { isWebSocketConnect, isWebSocketHandshake } from '../http/framing.ts'
import { countHeader, getHeader, type HeaderList, joinHeader } from '../http/headers.ts'
import { type Authority, parseAuthority } from '../http/host.ts'
import { parseTarget, type Target } from '../http/target.ts'
import { isRequestId, parseTraceparent, type TraceContext } from '../http/trace.ts'
import type { RequestHead } from './request-head.ts'

export class HeadFacts {
  /** Null where Host is missing or malformed. */
  readonly authority: Authority | null
  /** Host as it is told on: with its port where it has one. */
  readonly authorityText: string
  /** Whether it opens a WebSocket. */
  readonly upgrade: 'yes' | 'no' | 'bad'
  /** A WebSocket over HTTP/2 is routed as the GET that it is everywhere else (RFC 8441, 5). */
  readonly method: string
  /** Null where it is malformed or ambiguous. */
  readonly target: Target | null
  /** True where it expects anything else than `100-continue`, or that beside something else. */
  readonly expectsMore: boolean
  /** True where a field stands twice whose first value the stages judge and whose last one an upstream may believe. */
  readonly repeatsSingle: boolean
  /** All hops; null where there are none. */
  readonly via: string | null
  /** The id that a trusted proxy may have given; '' where there is none that can be kept. */
  readonly requestId: string
  readonly trace: TraceContext | null

  constructor(head: RequestHead) {
    const { headers, protocol, method } = head
    this.authority = head.authority === null ? null : parseAuthority(head.authority)
    this.authorityText = this.authority === null ? '' : authorityText(this.authority)
    this.upgrade =
      protocol === 'h2'
        ? isWebSocketConnect(head.connectProtocol, headers)
        : isWebSocketHandshake(method, protocol, headers)
    this.method = this.upgrade === 'yes' ? 'GET' : method
    this.target = parseTarget(head.target, this.method)
    // All of them: what the engine takes for an expectation must be the only one.
    const expect = joinHeader(headers, 'expect')
    this.expectsMore = expect !== null && expect.toLowerCase() !== '100-continue'
    this.repeatsSingle = repeatsSingle(headers)
    this.via = joinHeader(headers, 'via')
    const id = countHeader(headers, 'x-request-id') === 1 ? getHeader(headers, 'x-request-id')! : ''
    this.requestId = isRequestId(id) ? id : ''
    this.trace = countHeader(headers, 'traceparent') === 1 ? parseTraceparent(getHeader(headers, 'traceparent')) : null
  }
}

function authorityText({ host, port }: Authority): string {
  return port === -1 ? host : `${host}:${port}`
}

/** RFC 9110, 5.3. */
function repeatsSingle(headers: HeaderList): boolean {
  let seen = 0
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const bit = name === 'content-type' ? 1 : name === 'origin' ? 2 : name === 'authorization' ? 4 : 0
    if ((seen & bit) !== 0) return true
    seen |= bit
  }
  return false
}
