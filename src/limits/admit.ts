/**
 * The stage that lets a request through or refuses it by the limits of its route. Knows the exchange and its limiters,
 * and no store.
 */
import {
  type ClaimStates,
  type ClaimWaiter,
  type CounterStore,
  DONE,
  GO,
  type Metrics,
  type Stage,
  type Step,
  WAIT,
} from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Limiter, wholeSeconds } from './limiter.ts'

/**
 * Every request counts once in each limiter, by `x.clientKey`, in one step of the store; it passes when all let it through.
 * Of several refusals the longest wait is told.
 */
export function makeAdmit(limiters: readonly Limiter[], store: CounterStore, metrics: Metrics): Stage {
  if (limiters.length === 0) return () => GO
  const admit = new Admit(limiters, store, metrics)
  return (x) => admit.run(x)
}

class Admit {
  readonly #limiters: readonly Limiter[]
  readonly #store: CounterStore
  readonly #metrics: Metrics
  readonly #policy: string

  constructor(limiters: readonly Limiter[], store: CounterStore, metrics: Metrics) {
    this.#limiters = limiters
    this.#store = store
    this.#metrics = metrics
    this.#policy = limiters.map((limiter) => limiter.policyItem).join(', ')
  }

  run(x: Exchange): Step {
    const claims = []
    for (const limiter of this.#limiters) claims.push(limiter.claim(x.clientKey))
    const states = this.#store.claim(claims, new Decision(this, x))
    return states === null ? WAIT : this.conclude(x, states)
  }

  /** Adds the fields and refuses where a limiter did. A limiter that was not asked has no state. */
  conclude(x: Exchange, states: ClaimStates): Step {
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
class Decision implements ClaimWaiter {
  readonly #admit: Admit
  readonly #x: Exchange

  constructor(admit: Admit, x: Exchange) {
    this.#admit = admit
    this.#x = x
  }

  onStates(states: ClaimStates): void {
    if (this.#x.finished) return
    if (this.#admit.conclude(this.#x, states) === GO) this.#x.resume()
  }
}
