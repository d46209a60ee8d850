/** How far a request may still go, and where it has been: Max-Forwards and Via (RFC 9110, 7.6). Knows no gateway. */
import { countHeader, getHeader, type HeaderList } from './headers.ts'

/** More than any chain that works; the field may say any number. */
const MOST_FORWARDS = 255

/** How often the request may still be forwarded (RFC 9110, 7.6.2); null where it does not say, -1 where it is malformed. */
export function readMaxForwards(headers: HeaderList): number | null {
  const text = getHeader(headers, 'max-forwards')
  if (text === null) return null
  if (countHeader(headers, 'max-forwards') > 1 || !/^\d+$/.test(text)) return -1
  return Math.min(Number(text), MOST_FORWARDS)
}

/**
 * Whether one of the hops in Via goes by this name (RFC 9110, 7.6.3). Comments are not left out: one that is opened and
 * never closed could hide a hop.
 *
 * @param pseudonym Lower case.
 */
export function hasPassed(via: string | null, pseudonym: string): boolean {
  if (via === null) return false
  for (const hop of via.toLowerCase().split(',')) {
    if (hop.trim().split(/[ \t]+/, 2)[1] === pseudonym) return true
  }
  return false
}

/** One hop: the version by which the request came, and who took it. */
export function viaHop(protocol: 'http/1.0' | 'http/1.1' | 'h2', pseudonym: string): string {
  return `${protocol === 'h2' ? '2' : protocol.slice(5)} ${pseudonym}`
}
