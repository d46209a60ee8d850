/**
 * Reads the body of one HTTP/1.x request at a time out of a connection's bytes: by length or chunked, only while it is
 * wanted, and not slower than the minimum rate. It knows no socket and no exchange.
 */
import { ChunkedDecoder } from '../http/chunked.ts'
import { TICK_MS } from './clock.ts'
import type { HttpLimits } from './contracts.ts'

export class Http1Body {
  /** True when the whole body was read, or there is none. */
  done = true
  /** True while somebody wants it. */
  flows = false
  #left = 0
  #chunks: ChunkedDecoder | null = null
  #bytes = 0
  #flowingMs = 0

  /** `length` in bytes; -1 for a chunked body. */
  begin(length: number): void {
    this.done = length === 0
    this.flows = false
    this.#left = length
    this.#chunks = length === -1 ? new ChunkedDecoder() : null
    this.#bytes = 0
    this.#flowingMs = 0
  }

  /** Whether nothing more has to come than the `available` bytes. */
  isHere(available: number): boolean {
    return this.done || (this.#chunks === null && available >= this.#left)
  }

  /**
   * Hands what it can to `onData`, piece by piece, while the body flows.
   *
   * @returns How many bytes belonged to the body; -1 where the framing is malformed.
   */
  read(bytes: Buffer, onData: (piece: Buffer) => void): number {
    const chunks = this.#chunks
    if (chunks === null) {
      const piece = bytes.length > this.#left ? bytes.subarray(0, this.#left) : bytes
      this.#left -= piece.length
      this.#bytes += piece.length
      this.done = this.#left === 0
      onData(piece)
      return piece.length
    }
    const used = chunks.decode(bytes, (piece) => {
      this.#bytes += piece.length
      onData(piece)
      return this.flows
    })
    if (chunks.bad) return -1
    this.done = chunks.ended
    return used
  }

  /**
   * Gives up a body of known length that has come already: a refusal need not cost the connection then.
   *
   * @returns How many of the `available` bytes were its own; 0 where it cannot be skipped.
   */
  skip(available: number): number {
    if (this.done || this.#chunks !== null || available < this.#left) return 0
    this.done = true
    return this.#left
  }

  /** Called every tick: true when a body comes slower than it must. The time that nobody wanted it does not count. */
  isTooSlow(limits: HttpLimits): boolean {
    if (this.done || !this.flows) return false
    this.#flowingMs += TICK_MS
    const judgedMs = this.#flowingMs - limits.bodyGraceMs
    return judgedMs > 0 && this.#bytes < (judgedMs / 1000) * limits.bodyMinRate
  }
}
