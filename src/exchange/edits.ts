/** Applies a route's header edits to what an answer says, in one pass over flat lists. Knows no route. */
import { type HeaderList, hasHeader } from '../http/headers.ts'
import type { HeaderEdits } from './contracts.ts'

const NOTHING: HeaderList = []

/**
 * A new list: what the upstream may say, and what the gateway says of this exchange (`own`, in place of what the upstream
 * says under the same names). `edits.set` is not in it: the client half writes it, ready as it is, behind this.
 */
export function applyEdits(headers: HeaderList, edits: HeaderEdits, own: HeaderList = NOTHING): HeaderList {
  const out: HeaderList = []
  const { drop, fallback } = edits
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (!drop.has(name) && (own.length === 0 || !hasHeader(own, name))) out.push(name, headers[i + 1]!)
  }
  for (let i = 0; i < fallback.length; i += 2) {
    if (!hasHeader(headers, fallback[i]!)) out.push(fallback[i]!, fallback[i + 1]!)
  }
  for (let i = 0; i < own.length; i++) out.push(own[i]!)
  return out
}
