/** What the limits tell of their decisions: to be counted, logged and audited by others. Knows none of them. */
import type { Exchange } from '../exchange/exchange.ts'
import type { Rule } from './rule.ts'

/** `denied`: the address is on the rule's list. `running`: too many at once. `limited`: over the rate, or blocked. */
export type RefusalKind = 'denied' | 'running' | 'limited'

export interface LimitEvents {
  /**
   * A rule refused the request, or would have refused it where it runs dry.
   *
   * @param waitMs How long it will go on doing so, as far as that is known; 0 where it is not.
   */
  onRefusal(x: Exchange, rule: Rule, kind: RefusalKind, waitMs: number): void
}
