/**
 * Parses the head of an HTTP/1.x request from one latin1 string, strictly (RFC 9112, 2 to 5): what is not exactly in the
 * grammar is refused. Knows no socket and no limits but the ones it is given.
 */
import type { FailureCode } from '../errors.ts'
import { FORBIDDEN, parseFieldLines } from './field-lines.ts'
import { type HeaderList, TOKEN } from './headers.ts'

export interface RequestHeadText {
  readonly method: string
  readonly target: string
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  readonly minor: number
  readonly headers: HeaderList
}

/** The longest registered method has 17. */
const MAX_METHOD_BYTES = 64

/**
 * @param text The head, from its first byte to the CRLF CRLF that ends it, both included.
 * @param maxHeaders Number of fields allowed.
 * @returns The parsed head, or the code of the failure to answer with.
 */
export function parseRequestHead(text: string, maxHeaders: number): RequestHeadText | FailureCode {
  const lineEnd = text.indexOf('\r\n')
  const methodEnd = text.indexOf(' ')
  if (methodEnd <= 0 || methodEnd > lineEnd || methodEnd > MAX_METHOD_BYTES) return 'bad-request-line'
  const targetEnd = text.indexOf(' ', methodEnd + 1)
  if (targetEnd <= methodEnd + 1 || targetEnd > lineEnd) return 'bad-request-line'
  const version = text.slice(targetEnd + 1, lineEnd)
  const method = text.slice(0, methodEnd)
  const target = text.slice(methodEnd + 1, targetEnd)
  if (!TOKEN.test(method)) return 'bad-request-line'
  if (version !== 'HTTP/1.1' && version !== 'HTTP/1.0') {
    return /^HTTP\/\d\.\d$/.test(version) ? 'bad-version' : 'bad-request-line'
  }
  if (FORBIDDEN.test(text)) return 'bad-header'

  const headers = parseFieldLines(text, lineEnd + 2, text.length - 2, maxHeaders)
  if (headers === null) return 'bad-header'
  if (headers === 'too-many') return 'headers-too-large'
  return { method, target, minor: version === 'HTTP/1.1' ? 1 : 0, headers }
}
