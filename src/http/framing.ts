/**
 * How long a request body is, and whether a request is a WebSocket handshake: the two questions that smuggling lives on.
 * Anything with two possible answers is refused. Values come with optional white space already trimmed.
 */
import { countHeader, getHeader, type HeaderList, hasToken, joinHeader } from './headers.ts'

/** No sign, no list, no leading zero, exact as a double. */
export const LENGTH = /^(?:0|[1-9]\d{0,14})$/
/** Not toLowerCase(), which also turns the Kelvin sign into a k. */
export const CHUNKED_CODING = /^chunked$/i
const WEBSOCKET_KEY = /^[A-Za-z0-9+/]{22}==$/

/**
 * Body length of an HTTP/1.x request in bytes (RFC 9112, 6.3): -1 where it is chunked, 0 where there is none.
 * 'bad-framing' for both lengths at once, a repeated Content-Length (equal values too), one that is not a plain decimal
 * number, a transfer coding other than a single `chunked`, and any transfer coding in HTTP/1.0.
 */
export function bodyFraming(headers: HeaderList, version: string): number | 'bad-framing' {
  let contentLength: string | null = null
  let transferEncoding: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name === 'content-length') {
      if (contentLength !== null) return 'bad-framing'
      contentLength = headers[i + 1]!
    } else if (name === 'transfer-encoding') {
      if (transferEncoding !== null) return 'bad-framing'
      transferEncoding = headers[i + 1]!
    }
  }
  if (transferEncoding !== null) {
    return CHUNKED_CODING.test(transferEncoding) && contentLength === null && version === 'http/1.1'
      ? -1
      : 'bad-framing'
  }
  if (contentLength === null) return 0
  return LENGTH.test(contentLength) ? Number(contentLength) : 'bad-framing'
}

/**
 * Body length of an HTTP/2 request in bytes (RFC 9113, 8.1.1): -1 where it is not known, 0 where there is none.
 * 'bad-framing' for a malformed or repeated Content-Length, one that contradicts the end of the stream, and a
 * Transfer-Encoding, which HTTP/2 does not have (8.2.2).
 */
export function streamBodyLength(headers: HeaderList, endOfStream: boolean): number | 'bad-framing' {
  if (countHeader(headers, 'transfer-encoding') !== 0) return 'bad-framing'
  const length = bodyFraming(headers, 'http/1.1')
  if (length === 'bad-framing') return length
  if (endOfStream) return length === 0 ? 0 : 'bad-framing'
  return countHeader(headers, 'content-length') === 0 ? -1 : length
}

/**
 * Whether an HTTP/1.x request opens a WebSocket (RFC 6455, 4.2.1). 'no': nothing names `websocket`, or HTTP/1.0, where
 * Upgrade means nothing (RFC 9110, 7.8); other upgrades are hop-by-hop and stripped. 'bad': it names it, and the handshake
 * is not complete; such a request must not be forwarded in any form.
 */
export function isWebSocketHandshake(method: string, version: string, headers: HeaderList): 'yes' | 'no' | 'bad' {
  const upgrade = joinHeader(headers, 'upgrade')
  if (upgrade === null || version !== 'http/1.1' || !hasToken(upgrade, 'websocket')) return 'no'
  const isComplete =
    method === 'GET' &&
    countHeader(headers, 'host') === 1 &&
    hasToken(joinHeader(headers, 'connection'), 'upgrade') &&
    isOnly(headers, 'sec-websocket-version', '13') &&
    countHeader(headers, 'sec-websocket-key') === 1 &&
    WEBSOCKET_KEY.test(getHeader(headers, 'sec-websocket-key')!) &&
    bodyFraming(headers, version) === 0
  return isComplete ? 'yes' : 'bad'
}

/**
 * The same for an extended CONNECT over HTTP/2 (RFC 8441, 5): the version must be 13, and the fields of the HTTP/1.1
 * handshake must be absent.
 */
export function isWebSocketConnect(connectProtocol: string | null, headers: HeaderList): 'yes' | 'no' | 'bad' {
  if (connectProtocol === null) return 'no'
  const isComplete =
    connectProtocol === 'websocket' &&
    isOnly(headers, 'sec-websocket-version', '13') &&
    countHeader(headers, 'upgrade') === 0 &&
    countHeader(headers, 'content-length') === 0
  return isComplete ? 'yes' : 'bad'
}

function isOnly(headers: HeaderList, name: string, value: string): boolean {
  return countHeader(headers, name) === 1 && getHeader(headers, name) === value
}
