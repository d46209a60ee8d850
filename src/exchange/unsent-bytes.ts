/**
 * What waits for clients that read slowly, over all connections of a listener: together no more than a bound, and over it
 * the one that took nothing for longest is cut. It knows no protocol.
 */

/** Something that has bytes for a client. */
export interface Reader {
  /** Gives up the client, and with it the bytes. */
  cut(): void
}

export class UnsentBytes {
  readonly #maxBytes: number
  #total = 0
  /** The one that took nothing for longest first. */
  readonly #waiting = new Map<Reader, number>()

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
  }

  /** Bytes that wait, as far as it was told. */
  get total(): number {
    return this.#total
  }

  /** Called every tick, and with 0 bytes at the end. `tookAny`: since the last time. May cut the reader itself. */
  tell(reader: Reader, bytes: number, tookAny: boolean): void {
    const before = this.#waiting.get(reader)
    if (before !== undefined) {
      this.#total -= before
      if (tookAny || bytes === 0) this.#waiting.delete(reader)
    }
    if (bytes === 0) return
    this.#waiting.set(reader, bytes)
    this.#total += bytes
    while (this.#total > this.#maxBytes) {
      const [slowest, held] = this.#waiting.entries().next().value!
      this.#waiting.delete(slowest)
      this.#total -= held
      slowest.cut()
    }
  }
}
