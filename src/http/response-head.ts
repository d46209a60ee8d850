/**
 * Parses the head of an HTTP/1.x response from one latin1 string, and says how long its body is, strictly (RFC 9112, 4 to
 * 6). Knows no socket.
 */

import { FORBIDDEN, parseFieldLines } from './field-lines.ts'
import { CHUNKED_CODING, LENGTH } from './framing.ts'
import { type HeaderList, hasToken } from './headers.ts'

export interface ResponseHead {
  readonly status: number
  readonly headers: HeaderList
  /** Bytes; -1 chunked, -2 until the connection ends. */
  readonly bodyLength: number
  /** Whether another response may follow on the connection (RFC 9112, 9.3). */
  readonly isPersistent: boolean
}

export const CHUNKED = -1
export const UNTIL_CLOSE = -2

const STATUS_LINE = /^HTTP\/1\.([01]) ([1-5]\d\d)(?: [\t\x20-\x7e\x80-\xff]*)?\r\n/

/**
 * @param text The head, from its first byte to the CRLF CRLF that ends it, both included.
 * @param isToHead True for the answer to HEAD, which has no body whatever it says.
 * @returns Null where the head is malformed or its length can be read in two ways.
 */
export function parseResponseHead(text: string, maxHeaders: number, isToHead: boolean): ResponseHead | null {
  const line = STATUS_LINE.exec(text)
  if (line === null || FORBIDDEN.test(text)) return null
  const status = Number(line[2])
  const headers = parseFieldLines(text, line[0].length, text.length - 2, maxHeaders)
  if (headers === null || headers === 'too-many') return null
  let contentLength: string | null = null
  let transferEncoding: string | null = null
  let connection: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    if (name === 'content-length') {
      if (contentLength !== null || !LENGTH.test(value)) return null
      contentLength = value
    } else if (name === 'transfer-encoding') {
      if (transferEncoding !== null) return null
      transferEncoding = value
    } else if (name === 'connection') connection = connection === null ? value : `${connection}, ${value}`
  }
  // A length beside a transfer coding is how responses are smuggled (RFC 9112, 6.3).
  if (transferEncoding !== null && contentLength !== null) return null
  const isEleven = line[1] === '1'
  const bodyLength = lengthOf(status, isToHead, isEleven, contentLength, transferEncoding)
  if (bodyLength === null) return null
  const stays = isEleven ? !hasToken(connection, 'close') : hasToken(connection, 'keep-alive')
  return { status, headers, bodyLength, isPersistent: stays && bodyLength !== UNTIL_CLOSE }
}

/** RFC 9112, 6.3, in its order. Null for a transfer coding that is not exactly `chunked`. */
function lengthOf(
  status: number,
  isToHead: boolean,
  isEleven: boolean,
  contentLength: string | null,
  transferEncoding: string | null,
): number | null {
  if (transferEncoding !== null && (!isEleven || !CHUNKED_CODING.test(transferEncoding))) return null
  if (isToHead || status < 200 || status === 204 || status === 304) return 0
  if (transferEncoding !== null) return CHUNKED
  return contentLength === null ? UNTIL_CLOSE : Number(contentLength)
}
