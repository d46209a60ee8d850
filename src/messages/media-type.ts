/**
 * What a request says about its body, as far as the message rules can read it. Anything unclear (repeated fields, other
 * charsets, content codings) is `unreadable`. It knows header fields only.
 */
import { countHeader, getHeader, type HeaderList } from '../http/headers.ts'

export type BodyKind = 'json' | 'text' | 'form' | 'unreadable'

const PARAMETER =
  /;[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\\x00-\x1f\x7f]*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[\t ]*/gy

/** The kind of the body by Content-Type and Content-Encoding. Only UTF-8 is text (RFC 8259, 8.1). */
export function bodyKind(headers: HeaderList): BodyKind {
  if (countHeader(headers, 'content-type') !== 1) return 'unreadable'
  const encoding = countHeader(headers, 'content-encoding')
  if (encoding > 1 || (encoding === 1 && getHeader(headers, 'content-encoding')!.trim().toLowerCase() !== 'identity'))
    return 'unreadable'
  const value = getHeader(headers, 'content-type')!.trim()
  if (value === 'application/json') return 'json'
  const semicolon = value.indexOf(';')
  const type = (semicolon === -1 ? value : value.slice(0, semicolon)).trimEnd().toLowerCase()
  if (semicolon !== -1 && !isUtf8(value, semicolon)) return 'unreadable'
  if (type === 'application/json' || /^application\/[a-z0-9.-]+\+json$/.test(type)) return 'json'
  if (type === 'text/plain') return 'text'
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'unreadable'
}

/** True when all parameters are well formed and a charset, if there is one, is given once and is UTF-8. */
function isUtf8(value: string, from: number): boolean {
  let charsets = 0
  let at = from
  while (at < value.length) {
    PARAMETER.lastIndex = at
    const found = PARAMETER.exec(value)
    if (found === null) return false
    at = PARAMETER.lastIndex
    if (found[1]!.toLowerCase() !== 'charset') continue
    const charset = (found[2] ?? found[3]!).toLowerCase()
    if (++charsets > 1 || (charset !== 'utf-8' && charset !== 'utf8')) return false
  }
  return true
}
