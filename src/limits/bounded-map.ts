/**
 * A map that never holds more than so many keys and forgets those that were not touched for longest. It knows no time.
 *
 * Two plain maps: new and touched keys go to the young one; when it is full it becomes the old one and the old one is
 * dropped whole. Every step is O(1), there is no timer and no sweep, and a key in use survives. (Deleting the first key
 * of a big Map again and again is not O(1) in V8: each new iterator walks over the holes.)
 */
export class BoundedMap<V> {
  #young = new Map<string, V>()
  #old = new Map<string, V>()
  readonly #half: number
  readonly #onDrop: (() => void) | null

  /** `onDrop` is called when a generation with keys in it is dropped. */
  constructor(maxKeys: number, onDrop: (() => void) | null = null) {
    this.#half = Math.max(1, Math.floor(maxKeys / 2))
    this.#onDrop = onDrop
  }

  get(key: string): V | undefined {
    const young = this.#young.get(key)
    if (young !== undefined) return young
    const old = this.#old.get(key)
    if (old === undefined) return undefined
    this.#old.delete(key)
    this.set(key, old)
    return old
  }

  set(key: string, value: V): void {
    this.#young.set(key, value)
    if (this.#young.size < this.#half) return
    const dropped = this.#old.size > 0
    this.#old = this.#young
    this.#young = new Map()
    if (dropped && this.#onDrop !== null) this.#onDrop()
  }

  delete(key: string): void {
    this.#young.delete(key)
    this.#old.delete(key)
  }

  clear(): void {
    this.#young = new Map()
    this.#old = new Map()
  }

  /** Upper bound of the keys held: one that was replaced while old counts twice. */
  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** All pairs, the longest untouched first. */
  *entries(): IterableIterator<[string, V]> {
    for (const pair of this.#old) if (!this.#young.has(pair[0])) yield pair
    yield* this.#young
  }
}
