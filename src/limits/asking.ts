/**
 * One request that asks the store: once for all that it takes, and only where it is refused by limits that know clients,
 * whether this one is known and then for its own count. Knows no stage.
 */
import type { Claim, ClaimStates, ClaimWaiter, Step } from '../exchange/contracts.ts'
import { GO, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Admission, Taken } from './admission.ts'
import type { Rule } from './rule.ts'

export class Asking implements ClaimWaiter {
  readonly #admission: Admission
  readonly #x: Exchange
  readonly #taken: Taken
  readonly #next: (() => void) | null

  /** `next`: what follows where the request had to wait and may pass; null: the stages behind this one. */
  constructor(admission: Admission, x: Exchange, taken: Taken, next: (() => void) | null) {
    this.#admission = admission
    this.#x = x
    this.#taken = taken
    this.#next = next
  }

  /** GO where it passes at once. */
  send(): Step {
    const { claims, asked } = this.#taken
    if (claims.length === 0) return this.#admission.pass(this.#x, claims, asked)
    const states = this.#admission.parts.store.claim(claims, this)
    return states === null ? WAIT : this.conclude(states)
  }

  onStates(states: ClaimStates): void {
    if (!this.#x.finished) this.goOn(this.conclude(states))
  }

  conclude(states: ClaimStates): Step {
    if (isForStrangers(this.#taken.asked, states)) return this.#lookWhetherKnown(states)
    return this.decide(this.#taken, states)
  }

  decide(taken: Taken, states: ClaimStates): Step {
    return this.#admission.decide(this.#x, taken, states)
  }

  /** After a wait. */
  goOn(step: Step): void {
    if (step !== GO) return
    if (this.#next === null) this.#x.resume()
    else this.#next()
  }

  /** Only those who go over ask the store a second time, and only where the limit knows clients. */
  #lookWhetherKnown(states: ClaimStates): Step {
    const { claims, asked } = this.#taken
    const own = claims.slice()
    const looks: Claim[] = []
    for (let i = 0; i < asked.length; i++) {
      const { known, limiter } = asked[i]!
      const state = states[i] ?? null
      if (known === null || state === null || state.allowed) continue
      const key = known.keyOf(claims[i]!.key, this.#x)
      looks.push(known.look(key))
      own[i] = limiter.claim(key)
    }
    const { store } = this.#admission.parts
    const onFound = (found: ClaimStates): Step => {
      const isKnown = found.every((state) => state !== null && state.used > 0 && !state.degraded)
      if (!isKnown) return this.decide(this.#taken, states)
      const taken = { claims: own, asked }
      const counted = store.claim(own, new Answer(this.#x, this, (each) => this.decide(taken, each)))
      return counted === null ? WAIT : this.decide(taken, counted)
    }
    const found = store.claim(looks, new Answer(this.#x, this, onFound))
    return found === null ? WAIT : onFound(found)
  }
}

/** The answer to a further question. */
class Answer implements ClaimWaiter {
  readonly #x: Exchange
  readonly #asking: Asking
  readonly #conclude: (states: ClaimStates) => Step

  constructor(x: Exchange, asking: Asking, conclude: (states: ClaimStates) => Step) {
    this.#x = x
    this.#asking = asking
    this.#conclude = conclude
  }

  onStates(states: ClaimStates): void {
    if (!this.#x.finished) this.#asking.goOn(this.#conclude(states))
  }
}

/** True where somebody is refused, and only by limits that know clients. */
function isForStrangers(asked: readonly Rule[], states: ClaimStates): boolean {
  let isRefused = false
  for (let i = 0; i < states.length; i++) {
    const state = states[i] ?? null
    const rule = asked[i]!
    if (state === null || state.allowed || rule.isDry) continue
    if (rule.known === null || !rule.limiter.wasCounted(state)) return false
    isRefused = true
  }
  return isRefused
}
