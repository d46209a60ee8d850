/**
 * Where secrets and foreign text may meet. The length of what is compressed tells whether one repeats the other (CRIME, BREACH):
 * whoever can put text into an answer that also holds a secret, and sees how long it is, guesses the secret piece by piece. It
 * knows no compressor.
 */
import type { Exchange } from '../exchange/exchange.ts'
import { getHeader, type HeaderList, hasHeader } from '../http/headers.ts'
import { isForEverybody } from './compressible.ts'
import { bringsCredentials } from './credentials.ts'

/**
 * `public`: answers to GET and HEAD without credentials, and those that their service says are for everybody; `same-origin`:
 * also what the gateway's own pages ask for, as the browser says; `all`: whatever it is.
 */
export type CompressionMode = 'public' | 'same-origin' | 'all'

/** `headers` of the answer. */
export function mayCompress(x: Exchange, headers: HeaderList, mode: CompressionMode): boolean {
  if (mode === 'all' || (mode === 'same-origin' && isOwnPage(x))) return true
  if (x.method !== 'GET' && x.method !== 'HEAD') return false
  if (isForEverybody(headers)) return x.principal === null
  return !hasHeader(headers, 'set-cookie') && !bringsCredentials(x)
}

/** No page can say this for another one: browsers set it themselves (Fetch Metadata). Programs that leave it out are not ours. */
function isOwnPage(x: Exchange): boolean {
  const site = getHeader(x.headers, 'sec-fetch-site')
  return site === 'same-origin' || site === 'none'
}
