/**
 * Which answers may be compressed by what they say of themselves, and what they say once they are. It knows no request and no
 * compressor.
 */
import type { ContentCoding } from '../http/accept-encoding.ts'
import { weakTag } from '../http/entity-tags.ts'
import { getHeader, type HeaderList, hasHeader, hasToken, joinHeader, TRUE_OF_BYTES } from '../http/headers.ts'

/** Media types, lower case: `text/html`, `text/*`, `application/*+json`. */
export class TypeList {
  readonly #exact: ReadonlySet<string>
  /** Beginning and ending of what stands around a star. */
  readonly #patterns: readonly (readonly [start: string, end: string])[]

  constructor(types: readonly string[]) {
    this.#exact = new Set(types)
    this.#patterns = types.filter((type) => type.includes('*')).map((type) => type.split('*') as [string, string])
  }

  /** `type`: a value of Content-Type. An event stream is never meant by a pattern. */
  has(type: string): boolean {
    const end = type.indexOf(';')
    const bare = (end === -1 ? type : type.slice(0, end)).trim().toLowerCase()
    if (this.#exact.has(bare)) return true
    if (bare === 'text/event-stream') return false
    return this.#patterns.some(([start, end]) => bare.startsWith(start) && bare.endsWith(end))
  }
}

export interface Compressible {
  readonly types: TypeList
  /** Bytes. What says no length is taken to be longer. */
  readonly minBytes: number
}

/** Also where only a field of it is private. */
const NOT_SHARED = /(?:^|[\s,])(?:private|no-store)\b/i
const BODILESS: ReadonlySet<number> = new Set([204, 205, 304])

/** Whatever the client accepts: there is a body, whole, of a kind that becomes smaller, and nothing forbids it. */
export function isCompressible(status: number, headers: HeaderList, { types, minBytes }: Compressible): boolean {
  // A part is one of the bytes that the service counts.
  if (status < 200 || BODILESS.has(status) || status === 206 || hasHeader(headers, 'content-range')) return false
  const coding = joinHeader(headers, 'content-encoding')
  if (coding !== null && coding.trim().toLowerCase() !== 'identity') return false
  const type = getHeader(headers, 'content-type')
  if (type === null || !types.has(type)) return false
  const length = getHeader(headers, 'content-length')
  if (length !== null && Number(length) < minBytes) return false
  return !hasToken(joinHeader(headers, 'cache-control'), 'no-transform')
}

/** True where the service says that everybody may have the answer, and gives nobody a secret with it. */
export function isForEverybody(headers: HeaderList): boolean {
  const control = joinHeader(headers, 'cache-control')
  return hasToken(control, 'public') && !NOT_SHARED.test(control!) && !hasHeader(headers, 'set-cookie')
}

/**
 * The fields of the compressed answer, without Content-Length: its entity tag is weak, since it vouches for the content and not
 * for these bytes (RFC 9110, 8.8.3), and what vouches for the bytes before is gone.
 */
export function codedFields(headers: HeaderList, coding: ContentCoding): HeaderList {
  const out: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (name === 'etag') {
      const weak = weakTag(headers[i + 1]!)
      if (weak !== null) out.push(name, weak)
    } else if (name !== 'content-length' && name !== 'content-encoding' && !TRUE_OF_BYTES.has(name)) {
      out.push(name, headers[i + 1]!)
    }
  }
  out.push('content-encoding', coding)
  return out
}
