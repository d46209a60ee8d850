/**
 * Counts single messages of open sockets by the limits that the route names: the same counts on every node. Knows no frame
 * and no event but the label it is given.
 */
import type { Claim, ClaimStates, ClaimWaiter, CounterStore, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { MessageLimit } from '../exchange/socket-bounds.ts'
import type { LimitEvents } from './limit-events.ts'
import type { Rule } from './rule.ts'

/** What a message limit needs of its surroundings. */
export interface MessageLimitParts {
  readonly store: CounterStore
  readonly metrics: Metrics
  readonly events: LimitEvents
}

/**
 * Every message counts once in each rule that applies to it, in one step of the store; one that is refused counts in none.
 * Null where there are no rules.
 */
export function makeMessageLimit(rules: readonly Rule[], parts: MessageLimitParts): MessageLimit | null {
  if (rules.length === 0) return null
  return {
    ask(x, event, answer) {
      const claims: Claim[] = []
      const asked: Rule[] = []
      for (const rule of rules) {
        if (rule.isExempt?.(x.clientAddress)) continue
        const key = rule.key.of(x, event)
        if (key === null) continue
        claims.push(rule.limiter.claim(key, null))
        asked.push(rule)
      }
      if (claims.length === 0) return true
      const asking = new Asking(parts, x, asked, answer)
      const states = parts.store.claim(claims, asking)
      return states === null ? null : asking.conclude(states)
    },
  }
}

/** One message that waits for the store. */
class Asking implements ClaimWaiter {
  readonly #parts: MessageLimitParts
  readonly #x: Exchange
  readonly #asked: readonly Rule[]
  readonly #answer: (isAllowed: boolean) => void

  constructor(parts: MessageLimitParts, x: Exchange, asked: readonly Rule[], answer: (isAllowed: boolean) => void) {
    this.#parts = parts
    this.#x = x
    this.#asked = asked
    this.#answer = answer
  }

  onStates(states: ClaimStates): void {
    this.#answer(this.conclude(states))
  }

  conclude(states: ClaimStates): boolean {
    let isAllowed = true
    for (let i = 0; i < states.length; i++) {
      const state = states[i] ?? null
      if (state === null || state.allowed) continue
      const rule = this.#asked[i]!
      this.#parts.events.onRefusal(this.#x, rule, 'limited', state.resetMs)
      if (!rule.isDry) isAllowed = false
    }
    this.#parts.metrics.count('limit_decisions_total', isAllowed ? 'message-allowed' : 'message-limited')
    return isAllowed
  }
}
