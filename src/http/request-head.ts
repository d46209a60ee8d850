/**
 * Parses the head of an HTTP/1.x request from one latin1 string, strictly (RFC 9112, 2 to 5): what is not exactly in the
 * grammar is refused. Knows no socket and no limits but the ones it is given.
 */
import type { FailureCode } from '../errors.ts'
import { type HeaderList, TOKEN } from './headers.ts'

export interface RequestHeadText {
  readonly method: string
  readonly target: string
  /** 0 or 1: HTTP/1.0 or HTTP/1.1. */
  readonly minor: number
  readonly headers: HeaderList
}

// A control character, a CR or LF that is not part of CRLF, or a line that begins with white space (obs-fold).
const FORBIDDEN = /[\0-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n|\n[ \t]/

const KNOWN_NAMES = new Map<string, string>()
const MAX_KNOWN_NAMES = 512

/** The lower-case name, or null where it is not a token. Spellings seen before are not checked again; the memory is bounded. */
function lowerName(name: string): string | null {
  const known = KNOWN_NAMES.get(name)
  if (known !== undefined) return known
  if (!TOKEN.test(name)) return null
  const lower = name.toLowerCase()
  if (KNOWN_NAMES.size < MAX_KNOWN_NAMES && name.length <= 64) KNOWN_NAMES.set(name, lower)
  return lower
}

/**
 * @param text The head, from its first byte to the CRLF CRLF that ends it, both included.
 * @param maxHeaders Number of fields allowed.
 * @returns The parsed head, or the code of the failure to answer with.
 */
export function parseRequestHead(text: string, maxHeaders: number): RequestHeadText | FailureCode {
  const lineEnd = text.indexOf('\r\n')
  const methodEnd = text.indexOf(' ')
  if (methodEnd <= 0 || methodEnd > lineEnd) return 'bad-request-line'
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

  const headers: HeaderList = []
  const end = text.length - 2
  let at = lineEnd + 2
  while (at < end) {
    const colon = text.indexOf(':', at)
    const eol = text.indexOf('\r\n', at)
    if (colon === -1 || colon > eol) return 'bad-header'
    const name = lowerName(text.slice(at, colon))
    if (name === null) return 'bad-header'
    headers.push(name, trimOws(text, colon + 1, eol))
    if (headers.length > maxHeaders * 2) return 'headers-too-large'
    at = eol + 2
  }
  return { method, target, minor: version === 'HTTP/1.1' ? 1 : 0, headers }
}

/** What cannot become a request line any more. */
const NO_REQUEST_LINE = /^[^!#$%&'*+\-.^_`|~0-9A-Za-z]|[\0-\x08\x0a-\x0c\x0e-\x1f\x7f]/

/**
 * Whether the beginning of a head is worth waiting on, so that what is refused anyway is refused at once.
 *
 * @param text All that has come, without its end, or as much as may come.
 * @returns The code to refuse with, null to wait.
 */
export function judgeIncompleteHead(text: string, maxHeaderBytes: number, maxTargetBytes: number): FailureCode | null {
  const lineEnd = text.indexOf('\r\n')
  const lineLength = lineEnd === -1 ? text.length : lineEnd
  if (lineEnd === -1 && text !== '\r' && NO_REQUEST_LINE.test(text)) return 'bad-request-line'
  // The method and the version share the line with the target.
  if (lineLength > maxTargetBytes + 48) return 'target-too-long'
  return text.length > maxHeaderBytes ? 'headers-too-large' : null
}

/** The text between two places without spaces and tabs around it (RFC 9112, 5.1). */
function trimOws(text: string, from: number, to: number): string {
  let start = from
  let end = to
  while (start < end && isOws(text.charCodeAt(start))) start++
  while (end > start && isOws(text.charCodeAt(end - 1))) end--
  return text.slice(start, end)
}

const isOws = (code: number): boolean => code === 0x20 || code === 0x09

/** True when a block of trailer fields (each line with its CRLF) is well formed; they are checked, not kept. */
export function isTrailerBlock(text: string): boolean {
  if (FORBIDDEN.test(text)) return false
  let at = 0
  while (at < text.length) {
    const colon = text.indexOf(':', at)
    const eol = text.indexOf('\r\n', at)
    if (eol === -1 || colon === -1 || colon > eol || !TOKEN.test(text.slice(at, colon))) return false
    at = eol + 2
  }
  return true
}
