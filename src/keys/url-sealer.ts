/** Makes tokens in what services answer. What cannot be sealed is replaced all the same: it must not pass in the clear. */
import type { UrlSealer } from '../exchange/sealed.ts'
import { looksLikeToken, problemOfValue, type UrlTokens } from './url-token.ts'

/** In the place of a value that no token can hold. */
const NOTHING = '-'

/** `kinds`: how long the tokens of each live, in milliseconds. */
export function makeUrlSealer(tokens: UrlTokens, kinds: ReadonlyMap<string, number>): UrlSealer {
  return {
    isToken: looksLikeToken,
    seal: (kind, value) => (problemOfValue(value) === null ? tokens.seal(kind, value, kinds.get(kind)!) : NOTHING),
  }
}
