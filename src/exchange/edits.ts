/** Applies a route's header edits to an answer, in one pass over flat lists. Knows no route. */
import type { HeaderList } from '../http/headers.ts'
import type { HeaderEdits } from './contracts.ts'

const NOTHING: HeaderList = []

/**
 * A new list: what the upstream may say, what the gateway says of this exchange (`own`, in place of what the upstream says
 * under the same names), then what the route sets. Names that `connection` nominates are dropped by the upstream half.
 */
export function applyEdits(
  status: number,
  headers: HeaderList,
  edits: HeaderEdits,
  own: HeaderList = NOTHING,
): HeaderList {
  const out: HeaderList = []
  const { drop, set, fallback } = edits
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (!drop.has(name) && !has(own, name)) out.push(name, headers[i + 1]!)
  }
  for (let i = 0; i < fallback.length; i += 2) {
    if (!has(headers, fallback[i]!)) out.push(fallback[i]!, fallback[i + 1]!)
  }
  for (let i = 0; i < own.length; i++) out.push(own[i]!)
  // A handshake's answer is read by no page: 101 keeps to what RFC 6455 asks for.
  if (status !== 101) for (let i = 0; i < set.length; i++) out.push(set[i]!)
  return out
}

function has(headers: HeaderList, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true
  return false
}
