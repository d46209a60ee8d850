/**
 * Request targets: parsed and normalised once, so that the path which is routed is the path which is sent. Knows no route:
 * an encoded slash is kept and reported, and whoever knows the route refuses it.
 */
import { isUtf8 } from 'node:buffer'
import { type Authority, parseAuthority } from './host.ts'

export interface Target {
  /** Normal form: starts with `/`; or `*` for an OPTIONS request about the server itself. */
  readonly path: string
  /** As it came, with its `?`; or ''. */
  readonly query: string
  /** Of the absolute form (RFC 9112, 3.2.2): must agree with Host. Null for the other forms. */
  readonly authority: Authority | null
  /** The path holds %2F or %5C: refuse it unless the route allows that. */
  readonly hasEncodedSlash: boolean
}

/** Nothing to normalise: no percent, no empty segment, no segment that starts with a dot. */
const NORMAL_PATH = /^(?:\/[\w\-~!$&'()*+,;=:@][\w\-.~!$&'()*+,;=:@]*)*\/?$/
const QUERY = /^\?[!"$-~]*$/
const BROKEN_PERCENT = /%(?![0-9A-Fa-f]{2})/
const ABSOLUTE = /^https?:\/\/([^/?#]*)/i
/** A dot segment; also with a parameter behind it, where some upstreams cut at `;` and climb afterwards. */
const DOTS = /^\.\.?(?:$|;|%3B)/
const ENCODED_SLASHES = /%2F|%5C/
/** U+0080 to U+009F, in canonical upper-case escapes. */
const ENCODED_C1 = /%C2%[89]/

/**
 * Parses origin form, absolute form (http and https), and `*` for OPTIONS (RFC 9112, 3.2). Null where the target is
 * malformed or ambiguous: bytes outside printable ASCII, space, `#`, a backslash in the path, an invalid escape, an encoded
 * control character, invalid UTF-8, dot segments that climb over the root or hide behind an encoded slash or a parameter.
 */
export function parseTarget(target: string, method: string): Target | null {
  if (target.charCodeAt(0) === 47) return parseOrigin(target, null)
  if (target === '*') return method === 'OPTIONS' ? serverTarget(null) : null
  const found = ABSOLUTE.exec(target)
  if (found === null) return null
  const authority = parseAuthority(found[1]!)
  if (authority === null) return null
  const rest = target.slice(found[0].length)
  // RFC 9112, 3.2.4: absolute form without a path and a query is the `*` of an OPTIONS request.
  if (rest === '') return method === 'OPTIONS' ? serverTarget(authority) : parseOrigin('/', authority)
  return parseOrigin(rest.charCodeAt(0) === 47 ? rest : `/${rest}`, authority)
}

function serverTarget(authority: Authority | null): Target {
  return { path: '*', query: '', authority, hasEncodedSlash: false }
}

function parseOrigin(target: string, authority: Authority | null): Target | null {
  const mark = target.indexOf('?')
  const query = mark === -1 ? '' : target.slice(mark)
  if (query !== '' && !isQuery(query)) return null
  const raw = mark === -1 ? target : target.slice(0, mark)
  const path = normalisePath(raw)
  if (path === null) return null
  return { path, query, authority, hasEncodedSlash: path.includes('%') && ENCODED_SLASHES.test(path) }
}

/** Printable ASCII, whole escapes, no encoded NUL. Everything else stays as it came (RFC 3986, 3.4). */
function isQuery(query: string): boolean {
  if (!QUERY.test(query)) return false
  return !query.includes('%') || !(BROKEN_PERCENT.test(query) || query.includes('%00'))
}

/**
 * The normal form of an absolute path (RFC 3986, 6.2.2): unreserved characters decoded, all other escapes in upper case,
 * repeated slashes merged, dot segments removed. Null where the path is refused. Applying it twice changes nothing more.
 */
export function normalisePath(raw: string): string | null {
  if (NORMAL_PATH.test(raw)) return raw === '' ? null : raw
  if (raw.charCodeAt(0) !== 47) return null
  const decoded = decodeUnreserved(raw)
  if (decoded === null) return null
  if (hidesDots(decoded)) return null
  return removeDotSegments(decoded)
}

/** True where a dot segment stands beside an encoded slash or a parameter: it would be one only for an upstream. */
function hidesDots(path: string): boolean {
  for (const segment of path.split('/')) {
    if (segment === '.' || segment === '..') continue
    for (const part of segment.split(ENCODED_SLASHES)) if (DOTS.test(part)) return true
  }
  return false
}

function removeDotSegments(path: string): string | null {
  const kept: string[] = []
  let endsInSlash = false
  for (const segment of path.split('/')) {
    endsInSlash = segment === '' || segment === '.' || segment === '..'
    if (segment === '..') {
      if (kept.length === 0) return null
      kept.pop()
    } else if (!endsInSlash) {
      kept.push(segment)
    }
  }
  if (kept.length === 0) return '/'
  return `/${kept.join('/')}${endsInSlash ? '/' : ''}`
}

function decodeUnreserved(raw: string): string | null {
  let out = ''
  let hasHighBytes = false
  for (let i = 0; i < raw.length; i++) {
    let code = raw.charCodeAt(i)
    if (code === 37) {
      const high = hexDigit(raw.charCodeAt(i + 1))
      const low = hexDigit(raw.charCodeAt(i + 2))
      if (high === -1 || low === -1) return null
      code = high * 16 + low
      i += 2
      if (code < 0x20 || code === 0x7f) return null
      if (code >= 0x80) hasHighBytes = true
      out += isUnreserved(code) ? String.fromCharCode(code) : escaped(code)
    } else if (code <= 0x20 || code >= 0x7f || code === 0x23 || code === 0x5c) {
      return null
    } else {
      // Printable, but not allowed in a path (RFC 3986, 3.3): one spelling only, the escaped one.
      out += isPathCharacter(code) ? raw[i] : escaped(code)
    }
  }
  return hasHighBytes && !isCleanUtf8(out) ? null : out
}

/** `path` is ASCII with whole, upper-case escapes. Refuses overlong forms, surrogates, and C1 control characters. */
function isCleanUtf8(path: string): boolean {
  if (ENCODED_C1.test(path)) return false
  const bytes = Buffer.allocUnsafe(path.length)
  let length = 0
  for (let i = 0; i < path.length; i++) {
    if (path.charCodeAt(i) === 37) {
      bytes[length++] = hexDigit(path.charCodeAt(i + 1)) * 16 + hexDigit(path.charCodeAt(i + 2))
      i += 2
    } else {
      bytes[length++] = path.charCodeAt(i)
    }
  }
  return isUtf8(bytes.subarray(0, length))
}

const HEX = '0123456789ABCDEF'
const escaped = (code: number): string => `%${HEX[code >> 4]}${HEX[code & 15]}`

/** Not a number (past the end of the text) compares false everywhere and is no digit. */
function hexDigit(code: number): number {
  if (code >= 48 && code <= 57) return code - 48
  const lower = code | 32
  return lower >= 97 && lower <= 102 ? lower - 87 : -1
}

/** unreserved of RFC 3986, 2.3. */
function isUnreserved(code: number): boolean {
  const lower = code | 32
  return (
    (lower >= 97 && lower <= 122 && code < 0x80 && code >= 65) ||
    (code >= 48 && code <= 57) ||
    code === 45 ||
    code === 46 ||
    code === 95 ||
    code === 126
  )
}

/** pchar of RFC 3986, 3.3, and the slash. */
function isPathCharacter(code: number): boolean {
  return isUnreserved(code) || "!$&'()*+,;=:@/".includes(String.fromCharCode(code))
}
