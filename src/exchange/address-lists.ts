/** The stage that keeps a route to the addresses it is for. It reads the client's address and nothing else. */
import { makeCidrMatcher } from '../http/address.ts'
import { DONE, GO, type Stage } from './contracts.ts'

/** Null where the route is for everybody. `deny` is stronger than `allow`; an empty `allow` is all. */
export function makeAddressLists(allow: readonly string[], deny: readonly string[]): Stage | null {
  if (allow.length === 0 && deny.length === 0) return null
  const isAllowed = makeCidrMatcher(allow)
  const isDenied = makeCidrMatcher(deny)
  return function checkAddress(x) {
    if (!isDenied(x.clientAddress) && (allow.length === 0 || isAllowed(x.clientAddress))) return GO
    x.refuse('address-denied')
    return DONE
  }
}
