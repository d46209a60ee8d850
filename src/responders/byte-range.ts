/** One range of bytes out of a Range field (RFC 9110, 14.1.2 and 14.2). It knows no file. */
import { countHeader, getHeader, type HeaderList } from '../http/headers.ts'

export interface ByteRange {
  readonly first: number
  /** Inclusive. */
  readonly last: number
}

const BYTES = /^bytes=(\d{0,15})-(\d{0,15})$/

/**
 * Null: answer the whole. That is what RFC 9110 allows for several ranges, other units and malformed fields, and what
 * If-Range asks for here, where no validator is ever given.
 */
export function readRange(headers: HeaderList, size: number): ByteRange | 'unsatisfiable' | null {
  const value = getHeader(headers, 'range')
  if (value === null || countHeader(headers, 'range') > 1 || countHeader(headers, 'if-range') > 0) return null
  const found = BYTES.exec(value)
  if (found === null) return null
  const [, from, to] = found as unknown as [string, string, string]
  if (from === '') {
    if (to === '') return null
    const length = Math.min(Number(to), size)
    return length === 0 ? 'unsatisfiable' : { first: size - length, last: size - 1 }
  }
  const first = Number(from)
  if (to !== '' && Number(to) < first) return null
  if (first >= size) return 'unsatisfiable'
  return { first, last: to === '' ? size - 1 : Math.min(Number(to), size - 1) }
}
