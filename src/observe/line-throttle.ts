/**
 * Keeps a log line that clients can cause from flooding the log: so many in a time, then only their count. It knows no log.
 */
export class LineThrottle {
  readonly #most: number
  readonly #windowMs: number
  readonly #onSuppressed: (count: number) => void
  #windowEnd = 0
  #said = 0
  #suppressed = 0

  /** `onSuppressed` is called at the end of a window in which lines were held back, with how many. */
  constructor(most: number, windowMs: number, onSuppressed: (count: number) => void) {
    this.#most = most
    this.#windowMs = windowMs
    this.#onSuppressed = onSuppressed
  }

  /** Whether the line may be written. `now` as `performance.now()` tells it. */
  take(now: number): boolean {
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + this.#windowMs
      this.#said = 0
    }
    if (this.#said < this.#most) {
      this.#said++
      return true
    }
    if (this.#suppressed++ === 0) setTimeout(this.#tell, this.#windowEnd - now).unref()
    return false
  }

  readonly #tell = (): void => {
    const count = this.#suppressed
    this.#suppressed = 0
    this.#onSuppressed(count)
  }
}
