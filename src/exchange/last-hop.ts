/** The stage for OPTIONS requests that say how far they may go (RFC 9110, 7.6.2): the last hop answers. Knows no service. */
import { readMaxForwards } from '../http/hops.ts'
import { DONE, GO, type Stage } from './contracts.ts'

/** Answers a request that may not be forwarded any more; refuses one whose count is malformed. */
export const lastHop: Stage = (x) => {
  if (x.method !== 'OPTIONS') return GO
  const left = readMaxForwards(x.headers)
  if (left === null || left > 0) return GO
  if (left === 0) x.respond(200, ['allow', x.route!.allow], null)
  else x.refuse('bad-header')
  return DONE
}
