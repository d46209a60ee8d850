/** Points that an answer costs after it was given, by its status. Nobody waits for them. */
import type { Claim, ClaimStates, ClaimWaiter, CounterStore } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { LimitEvents } from './limit-events.ts'
import type { Rule } from './rule.ts'

interface ChargeParts {
  readonly store: CounterStore
  readonly events: LimitEvents
}

/** Charges the key of the claim at the end of the exchange. */
export function chargeLater(x: Exchange, rule: Rule, claim: Claim, parts: ChargeParts): void {
  const release = x.onRelease
  x.onRelease = () => {
    release?.()
    const points = rule.penalties?.get(x.status) ?? 0
    if (points > 0) charge(x, rule, claim, points, parts)
  }
}

/** Charges the key of the claim now; a refusal that follows is told of. */
export function charge(x: Exchange, rule: Rule, claim: Claim, points: number, { store, events }: ChargeParts): void {
  const waiter = new Charge(x, rule, events)
  const states = store.claim([{ ...claim, points }], waiter)
  if (states !== null) waiter.onStates(states)
}

class Charge implements ClaimWaiter {
  readonly #x: Exchange
  readonly #rule: Rule
  readonly #events: LimitEvents

  constructor(x: Exchange, rule: Rule, events: LimitEvents) {
    this.#x = x
    this.#rule = rule
    this.#events = events
  }

  onStates([state]: ClaimStates): void {
    if (state === null || state === undefined || state.allowed || !this.#rule.limiter.wasCounted(state)) return
    this.#events.onRefusal(this.#x, this.#rule, 'limited', state.resetMs)
  }
}
