/**
 * The stage that lets a request through or refuses it by the limits of its route. Knows the exchange and its limiters,
 * and no store.
 */
import { type CounterState, DONE, GO, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Limiter, wholeSeconds } from './limiter.ts'

/**
 * Every request counts once in each limiter, by `x.clientKey`; it passes when all let it through. Of several refusals the
 * longest wait is told. What can be answered without the store is asked first, and a refusal there spares the store the
 * rest. Commands to Redis go out in one tick.
 */
export function makeAdmit(limiters: readonly Limiter[], metrics: Metrics): Stage {
  if (limiters.length === 0) return () => GO
  const admit = new Admit(limiters, metrics)
  return (x) => admit.run(x)
}

class Admit {
  readonly #limiters: readonly Limiter[]
  readonly #metrics: Metrics
  readonly #policy: string

  constructor(limiters: readonly Limiter[], metrics: Metrics) {
    this.#limiters = limiters
    this.#metrics = metrics
    this.#policy = limiters.map((limiter) => limiter.policyItem).join(', ')
  }

  run(x: Exchange): Step {
    const limiters = this.#limiters
    const states: (CounterState | null)[] = []
    let open = 0
    for (let i = 0; i < limiters.length; i++) {
      const state = limiters[i]!.addNow(x.clientKey)
      states.push(state)
      if (state === null) open++
      else if (!state.allowed) return this.conclude(x, states)
    }
    if (open === 0) return this.conclude(x, states)
    const decision = new Decision(this, x, states, open)
    for (let i = 0; i < limiters.length; i++) {
      if (states[i] === null) limiters[i]!.add(x.clientKey).then((state) => decision.take(i, state), decision.onBroken)
    }
    return WAIT
  }

  /** Adds the fields and refuses where a limiter did. A limiter that was not asked has no state. */
  conclude(x: Exchange, states: readonly (CounterState | null)[]): Step {
    let items = ''
    let waitMs = 0
    let isStoreDown = false
    for (let i = 0; i < states.length; i++) {
      const state = states[i] ?? null
      if (state === null) continue
      const limiter = this.#limiters[i]!
      const item = limiter.stateItem(state)
      if (item !== null) items = items === '' ? item : `${items}, ${item}`
      if (state.allowed) continue
      if (state.degraded && limiter.onOutage === 'deny') isStoreDown = true
      else waitMs = Math.max(waitMs, state.resetMs)
    }
    x.answerHeaders.push('ratelimit-policy', this.#policy)
    if (items !== '') x.answerHeaders.push('ratelimit', items)
    if (waitMs > 0) {
      x.answerHeaders.push('retry-after', String(wholeSeconds(waitMs)))
      return this.#refuse(x, 'limited', 'rate-limited')
    }
    if (isStoreDown) return this.#refuse(x, 'store-down', 'limit-store-down')
    this.#metrics.count('limit_decisions_total', 'allowed')
    return GO
  }

  #refuse(x: Exchange, label: string, code: 'rate-limited' | 'limit-store-down'): Step {
    this.#metrics.count('limit_decisions_total', label)
    x.refuse(code)
    return DONE
  }
}

/** The wait of one exchange for its answers. */
class Decision {
  readonly #admit: Admit
  readonly #x: Exchange
  readonly #states: (CounterState | null)[]
  #open: number

  constructor(admit: Admit, x: Exchange, states: (CounterState | null)[], open: number) {
    this.#admit = admit
    this.#x = x
    this.#states = states
    this.#open = open
  }

  take(index: number, state: CounterState): void {
    this.#states[index] = state
    this.#open--
    if (this.#open > 0 || this.#x.finished) return
    if (this.#admit.conclude(this.#x, this.#states) === GO) this.#x.resume()
  }

  // Counters never reject; one that does must not leave a client waiting.
  readonly onBroken = (): void => {
    this.#x.refuse('internal', 'a limit counter rejected')
  }
}
