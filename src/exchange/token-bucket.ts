/** A rate as a token bucket of one socket: it fills with time up to its size. Knows no message. */

export class TokenBucket {
  readonly #size: number
  readonly #perMs: number
  #tokens: number
  #filledAt: number

  /** `points` in `windowMs` milliseconds on the average, and at most `points` at once. */
  constructor(points: number, windowMs: number, now: number) {
    this.#size = points
    this.#perMs = points / windowMs
    this.#tokens = points
    this.#filledAt = now
  }

  /** Whether there is a token; what is taken may be more than is there, and is then owed. */
  hasAny(now: number): boolean {
    const filled = this.#tokens + (now - this.#filledAt) * this.#perMs
    this.#tokens = Math.min(this.#size, filled)
    this.#filledAt = now
    return this.#tokens >= 1
  }

  take(amount: number): void {
    this.#tokens -= amount
  }
}
