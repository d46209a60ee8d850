/** Tells caches that the answer would be another one for another Accept-Encoding (RFC 9110, 12.5.5). */
import type { Exchange } from '../exchange/exchange.ts'
import { type HeaderList, hasToken, joinHeader } from '../http/headers.ts'

/** Among the gateway's own fields, where no setting of the route takes it out: a cache must never give one for the other. */
export function varyByCoding(x: Exchange, headers: HeaderList): void {
  const told = x.route!.edits.drop.has('vary') ? null : joinHeader(headers, 'vary')
  if (hasToken(told, '*') || hasToken(told, 'accept-encoding')) return
  x.answerHeaders.push('vary', told === null ? 'accept-encoding' : `${told}, accept-encoding`)
}
