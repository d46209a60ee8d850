/**
 * What an answer costs that the gateway gave before any limit was asked: for requests that nobody can read, methods that a
 * route has not, origins that may not. They count in no limit, but a storm of them has its price. Knows no listener.
 */
import type { Exchange } from '../exchange/exchange.ts'
import type { AdmitParts } from './admission.ts'
import { charge } from './penalties.ts'
import type { Rule } from './rule.ts'

/** To be called at the end of every exchange; null where nothing has a price. */
export function makeStrayPenalties(rules: readonly Rule[], parts: AdmitParts): ((x: Exchange) => void) | null {
  const dear = rules.filter((rule) => rule.penalties !== null)
  if (dear.length === 0) return null
  return (x) => {
    // Refusals by limits and bans are no news to those who gave them.
    if (x.isCounted || x.failure?.fault !== 'client' || x.failure.code === 'banned' || x.status === 429) return
    for (const rule of dear) {
      const points = rule.penalties!.get(x.status) ?? 0
      if (points === 0 || rule.isExempt?.(x.clientAddress)) continue
      const key = rule.key.of(x)
      if (key !== null) charge(x, rule, rule.limiter.claim(key, null), points, parts)
    }
  }
}
