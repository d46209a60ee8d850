/** The shared values of one process, where there is no Redis: bounded, with an end for each. Knows no network. */
import { isStorable, type SharedValues, type SwapOutcome } from '../exchange/shared-values.ts'

const MOST_VALUES = 10_000

interface Held {
  readonly value: string
  /** By `performance.now()`. */
  readonly until: number
}

export class MemoryValues implements SharedValues {
  readonly isUp = true
  readonly #held = new Map<string, Held>()

  async get(key: string): Promise<string | null> {
    isStorable(key, null)
    return this.#look(key)
  }

  async swap(key: string, expected: string | null, next: string | null, lifeMs: number): Promise<SwapOutcome> {
    if (!isStorable(key, next)) return 'failed'
    if (this.#look(key) !== expected) return 'differs'
    return this.#write(key, next, lifeMs) ? 'done' : 'failed'
  }

  async put(key: string, value: string, lifeMs: number): Promise<boolean> {
    return isStorable(key, value) && this.#write(key, value, lifeMs)
  }

  #look(key: string): string | null {
    const held = this.#held.get(key)
    if (held === undefined) return null
    if (held.until > performance.now()) return held.value
    this.#held.delete(key)
    return null
  }

  #write(key: string, value: string | null, lifeMs: number): boolean {
    if (value === null) {
      this.#held.delete(key)
      return true
    }
    if (this.#held.size >= MOST_VALUES && !this.#held.has(key)) {
      // Those that are over make room; looking at all of them is only for a full map.
      for (const other of this.#held.keys()) this.#look(other)
      if (this.#held.size >= MOST_VALUES) return false
    }
    this.#held.set(key, { value, until: performance.now() + Math.max(1, lifeMs) })
    return true
  }
}
