/**
 * What a request says about its body, as far as the message rules can read it. Anything unclear (repeated fields, other
 * charsets, content codings) is `unreadable`. It knows header fields only.
 */
import { countHeader, getHeader, type HeaderList } from '../http/headers.ts'

export type BodyKind = 'json' | 'lines' | 'text' | 'form' | 'multipart' | 'unreadable'

const PARAMETER =
  /;[\t ]*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"([^"\\\x00-\x1f\x7f]*)"|([!#$%&'*+.^_`|~0-9A-Za-z-]+))[\t ]*/gy

/** The kind of the body by Content-Type. Only UTF-8 is text (RFC 8259, 8.1). */
export function bodyKind(headers: HeaderList): BodyKind {
  if (countHeader(headers, 'content-type') !== 1) return 'unreadable'
  const value = getHeader(headers, 'content-type')!.trim()
  if (value === 'application/json') return 'json'
  const semicolon = value.indexOf(';')
  const type = (semicolon === -1 ? value : value.slice(0, semicolon)).trimEnd().toLowerCase()
  if (type === 'multipart/form-data') return boundaryOf(headers) === null ? 'unreadable' : 'multipart'
  if (semicolon !== -1 && parametersOf(value, semicolon) === null) return 'unreadable'
  // It carries text in places of its own, which no field path means (RFC 6902).
  if (type === 'application/json-patch+json') return 'unreadable'
  if (type === 'application/json' || /^application\/[a-z0-9.-]+\+json$/.test(type)) return 'json'
  if (type === 'application/x-ndjson' || type === 'application/jsonl' || type === 'application/ndjson') return 'lines'
  if (type === 'text/plain') return 'text'
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'unreadable'
}

/** True for bytes, spelt as the servers of Engine.IO 3 compare it: in another spelling they read a text. */
export function isOctets(headers: HeaderList): boolean {
  return countHeader(headers, 'content-type') === 1 && getHeader(headers, 'content-type') === 'application/octet-stream'
}

/** What separates the parts of a multipart body; null where that is not clear. All its characters mean themselves. */
export function boundaryOf(headers: HeaderList): string | null {
  const value = getHeader(headers, 'content-type')!
  const semicolon = value.indexOf(';')
  const parameters = semicolon === -1 ? null : parametersOf(value, semicolon)
  const boundary = parameters?.get('boundary')
  if (boundary === undefined || !/^[0-9A-Za-z'+_.-]{1,70}$/.test(boundary)) return null
  return parameters!.size === (parameters!.has('charset') ? 2 : 1) ? boundary : null
}

/** Null where one is malformed or repeated, or a charset is not UTF-8. */
function parametersOf(value: string, from: number): Map<string, string> | null {
  const found = new Map<string, string>()
  let at = from
  while (at < value.length) {
    PARAMETER.lastIndex = at
    const each = PARAMETER.exec(value)
    if (each === null) return null
    at = PARAMETER.lastIndex
    const name = each[1]!.toLowerCase()
    const text = each[2] ?? each[3]!
    if (found.has(name)) return null
    if (name === 'charset' && !/^utf-?8$/i.test(text)) return null
    found.set(name, text)
  }
  return found
}
