/** Lets refused clients wait, at most so many at the same time. It knows no rule and answers nobody by itself. */
import type { Exchange } from '../exchange/exchange.ts'

export class Tarpit {
  readonly #delayMs: number
  readonly #max: number
  #waiting = 0

  constructor(delayMs: number, max: number) {
    this.#delayMs = delayMs
    this.#max = max
  }

  /** Exchanges that wait now. */
  get waiting(): number {
    return this.#waiting
  }

  /**
   * Calls `refuse` after the delay; never where the client leaves before.
   *
   * @returns False where as many wait already: nothing will be called then.
   */
  hold(x: Exchange, refuse: () => void): boolean {
    if (this.#waiting >= this.#max) return false
    this.#waiting++
    const timer = setTimeout(refuse, this.#delayMs)
    timer.unref()
    const release = x.onRelease
    x.onRelease = () => {
      clearTimeout(timer)
      this.#waiting--
      release?.()
    }
    return true
  }
}
