/**
 * How many further tries a service gets: a part of its requests, and a few per second beside, so that retries never multiply
 * the load of a service that is failing. It knows no request.
 */

/** Further tries that quiet times save up, at most. */
const MOST_SAVED = 100

export class RetryBudget {
  readonly #perRequest: number
  readonly #perSecond: number
  #saved = 0
  #allowance: number
  #filledAt: number

  /** `percent` of the requests, and `perSecond` whatever they are. */
  constructor(percent: number, perSecond: number, now: number) {
    this.#perRequest = percent / 100
    this.#perSecond = perSecond
    this.#allowance = perSecond
    this.#filledAt = now
  }

  /** A request, its first try. */
  earn(): void {
    if (this.#saved < MOST_SAVED) this.#saved += this.#perRequest
  }

  /** False: no further try now. */
  take(now: number): boolean {
    this.#allowance = Math.min(this.#perSecond, this.#allowance + ((now - this.#filledAt) * this.#perSecond) / 1000)
    this.#filledAt = now
    if (this.#allowance >= 1) {
      this.#allowance--
      return true
    }
    if (this.#saved < 1) return false
    this.#saved--
    return true
  }
}
