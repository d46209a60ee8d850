/** What the head of an HTTP/1.x request means for its connection: one host, one length, and whether another may follow. */
import { bodyFraming } from '../http/framing.ts'
import { countHeader, getHeader, hasToken, joinHeader } from '../http/headers.ts'
import type { RequestHeadText } from '../http/request-head.ts'
import type { RequestHead } from './exchange.ts'

/** The head of an exchange; 'bad-host' or 'bad-framing' where the connection must not go on (RFC 9112, 3.2 and 6.3). */
export function frameRequest(text: RequestHeadText): RequestHead | 'bad-host' | 'bad-framing' {
  const { method, target, headers } = text
  if (countHeader(headers, 'host') !== 1) return 'bad-host'
  const protocol = text.minor === 1 ? 'http/1.1' : 'http/1.0'
  const bodyLength = bodyFraming(headers, protocol)
  if (bodyLength === 'bad-framing') return bodyLength
  return { protocol, method, target, authority: getHeader(headers, 'host'), headers, bodyLength, connectProtocol: null }
}

/** Whether the client leaves the connection open for another request (RFC 9112, 9.3). */
export function isPersistent(head: RequestHead): boolean {
  const connection = joinHeader(head.headers, 'connection')
  return head.protocol === 'http/1.1' ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive')
}
