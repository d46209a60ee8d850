/**
 * Counts single messages of open sockets by the limits that the route names: the same counts on every node. Knows no frame
 * and no event but the label it is given.
 */
import type { CounterState, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { MessageLimit } from '../exchange/socket-bounds.ts'
import type { Limiter } from './limiter.ts'

export interface MessageLimiter {
  readonly limiter: Limiter
  /** Each event has a count of its own. */
  readonly byEvent: boolean
}

/** Every message counts once in each limiter, until one refuses it. Null where there are none. */
export function makeMessageLimit(limiters: readonly MessageLimiter[], metrics: Metrics): MessageLimit | null {
  if (limiters.length === 0) return null
  return {
    ask(x, event, answer) {
      return new Asking(limiters, metrics, x, event, answer).start()
    },
  }
}

/** One message on its way through the limiters, one after the other: what one refuses is not counted by the next. */
class Asking {
  readonly #limiters: readonly MessageLimiter[]
  readonly #metrics: Metrics
  readonly #x: Exchange
  readonly #event: string
  readonly #answer: (isAllowed: boolean) => void
  #next = 0

  constructor(
    limiters: readonly MessageLimiter[],
    metrics: Metrics,
    x: Exchange,
    event: string,
    answer: (isAllowed: boolean) => void,
  ) {
    this.#limiters = limiters
    this.#metrics = metrics
    this.#x = x
    this.#event = event
    this.#answer = answer
  }

  start(): boolean | null {
    const result = this.#run()
    return result === null ? null : this.#counted(result)
  }

  /** Null: the store was asked. */
  #run(): boolean | null {
    while (this.#next < this.#limiters.length) {
      const { limiter, byEvent } = this.#limiters[this.#next++]!
      const key = byEvent ? `${this.#x.clientKey} ${this.#event}` : this.#x.clientKey
      const state = limiter.addNow(key)
      if (state === null) {
        limiter.add(key).then(this.#onState, this.#onBroken)
        return null
      }
      if (!state.allowed) return false
    }
    return true
  }

  readonly #onState = (state: CounterState): void => {
    const result = state.allowed ? this.#run() : false
    if (result !== null) this.#answer(this.#counted(result))
  }

  // Counters never reject; one that does must not let messages through unbounded.
  readonly #onBroken = (): void => this.#answer(this.#counted(false))

  #counted(isAllowed: boolean): boolean {
    this.#metrics.count('limit_decisions_total', isAllowed ? 'message-allowed' : 'message-limited')
    return isAllowed
  }
}
