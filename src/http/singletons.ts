/**
 * Fields of an answer that stand once: their second line would be read by one recipient and the first one by another (RFC
 * 9110, 5.3). Knows no gateway.
 */
import type { HeaderList } from './headers.ts'

/** RFC 9110 and 9111, RFC 6266 for the disposition, Fetch for the CORS fields: all that is not a list and not Set-Cookie. */
export const SINGLETONS: readonly string[] = [
  'access-control-allow-credentials',
  'access-control-allow-origin',
  'access-control-max-age',
  'age',
  'content-disposition',
  'content-length',
  'content-location',
  'content-range',
  'content-type',
  'date',
  'etag',
  'expires',
  'last-modified',
  'location',
  'retry-after',
]

const BITS: ReadonlyMap<string, number> = new Map(SINGLETONS.map((name, i) => [name, 1 << i]))

/** Whether one of them stands in the list twice, be it with the same value. */
export function repeatsSingleton(headers: HeaderList): boolean {
  let seen = 0
  for (let i = 0; i < headers.length; i += 2) {
    const bit = BITS.get(headers[i]!)
    if (bit === undefined) continue
    if ((seen & bit) !== 0) return true
    seen |= bit
  }
  return false
}
