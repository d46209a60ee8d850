/**
 * The keys that are blocked, with their strikes, apart from what is merely counted: a flood of new addresses pushes out no
 * block. It knows no windows.
 *
 * It is bounded, and full it takes no new key instead of giving up an old one: to fill it an attacker must be blocked once
 * for each place, and that sets nobody free. Entries that are over are swept a few at each addition, so that no step is
 * ever long and no timer is needed.
 */

export interface Block {
  /** End of the block. */
  till: number
  /** How often the key was blocked; 0: by hand. */
  strikes: number
  /** From here on nothing of it need be known. */
  forgetAt: number
}

/** More than one addition needs, so that the sweep gets round. */
const SWEPT_PER_ADDITION = 4

export class BlockTable {
  readonly #blocks = new Map<string, Block>()
  readonly #maxKeys: number
  #sweep: Iterator<[string, Block]> | null = null

  constructor(maxKeys: number) {
    this.#maxKeys = maxKeys
  }

  get size(): number {
    return this.#blocks.size
  }

  /** Null where nothing is to be known of the key. */
  get(key: string, now: number): Block | null {
    if (this.#blocks.size === 0) return null
    const block = this.#blocks.get(key)
    if (block === undefined) return null
    if (now < block.forgetAt) return block
    this.#blocks.delete(key)
    return null
  }

  /** False where the table is full of others. */
  set(key: string, block: Block, now: number): boolean {
    this.#sweepSome(now)
    if (this.#blocks.size >= this.#maxKeys && !this.#blocks.has(key)) return false
    this.#blocks.set(key, block)
    return true
  }

  delete(key: string): void {
    this.#blocks.delete(key)
  }

  #sweepSome(now: number): void {
    this.#sweep ??= this.#blocks.entries()
    for (let i = 0; i < SWEPT_PER_ADDITION; i++) {
      const { done, value } = this.#sweep.next()
      if (done === true) {
        this.#sweep = null
        return
      }
      if (now >= value[1].forgetAt) this.#blocks.delete(value[0])
    }
  }
}
