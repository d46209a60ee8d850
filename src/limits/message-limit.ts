/**
 * Counts single messages of open sockets by the limits that the route names: the same counts on every node. Knows no frame
 * and no event but the label it is given.
 */
import type { ClaimStates, ClaimWaiter, CounterStore, Metrics } from '../exchange/contracts.ts'
import type { MessageLimit } from '../exchange/socket-bounds.ts'
import type { Limiter } from './limiter.ts'

export interface MessageLimiter {
  readonly limiter: Limiter
  /** Each event has a count of its own. */
  readonly byEvent: boolean
}

/** Every message counts once in each limiter, in one step of the store; one that is refused counts in none. Null where there are none. */
export function makeMessageLimit(
  limiters: readonly MessageLimiter[],
  store: CounterStore,
  metrics: Metrics,
): MessageLimit | null {
  if (limiters.length === 0) return null
  return {
    ask(x, event, answer) {
      const claims = limiters.map(({ limiter, byEvent }) =>
        limiter.claim(byEvent ? `${x.clientKey} ${event}` : x.clientKey),
      )
      const asking = new Asking(metrics, answer)
      const states = store.claim(claims, asking)
      return states === null ? null : asking.counted(states)
    },
  }
}

/** One message that waits for the store. */
class Asking implements ClaimWaiter {
  readonly #metrics: Metrics
  readonly #answer: (isAllowed: boolean) => void

  constructor(metrics: Metrics, answer: (isAllowed: boolean) => void) {
    this.#metrics = metrics
    this.#answer = answer
  }

  onStates(states: ClaimStates): void {
    this.#answer(this.counted(states))
  }

  counted(states: ClaimStates): boolean {
    const isAllowed = states.every((state) => state === null || state.allowed)
    this.#metrics.count('limit_decisions_total', isAllowed ? 'message-allowed' : 'message-limited')
    return isAllowed
  }
}
