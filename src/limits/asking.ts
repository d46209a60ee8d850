/** One request that asks the store, once for all that it takes. Knows no stage. */
import { type ClaimStates, type ClaimWaiter, GO, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Admission, Taken } from './admission.ts'

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
    return states === null ? WAIT : this.#admission.decide(this.#x, this.#taken, states)
  }

  onStates(states: ClaimStates): void {
    if (!this.#x.finished) this.goOn(this.#admission.decide(this.#x, this.#taken, states))
  }

  /** After a wait. */
  goOn(step: Step): void {
    if (step !== GO) return
    if (this.#next === null) this.#x.resume()
    else this.#next()
  }
}
