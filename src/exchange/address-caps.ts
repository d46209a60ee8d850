/**
 * Counts of what is open at this moment per key: connections or running requests of one address. In this process only;
 * knows no store and no time.
 */
export class AddressCaps {
  readonly #max: number
  readonly #open = new Map<string, number>()

  /** `max`: slots that one key may hold at the same time. */
  constructor(max: number) {
    this.#max = max
  }

  /** Takes a slot. False when the key holds `max` already: nothing was taken then and nothing is to be released. */
  take(key: string): boolean {
    const open = this.#open.get(key)
    if (open === undefined) {
      if (this.#max < 1) return false
      this.#open.set(key, 1)
      return true
    }
    if (open >= this.#max) return false
    this.#open.set(key, open + 1)
    return true
  }

  /** Gives a slot back, once for each `take` that was true. A key without slots is forgotten. */
  release(key: string): void {
    const open = this.#open.get(key)
    if (open === undefined) return
    if (open === 1) this.#open.delete(key)
    else this.#open.set(key, open - 1)
  }

  /** Slots that the key holds. */
  held(key: string): number {
    return this.#open.get(key) ?? 0
  }

  /** Keys that hold a slot. */
  get size(): number {
    return this.#open.size
  }
}
