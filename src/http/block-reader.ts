/**
 * Finds the empty line that ends a block of field lines in bytes that come in pieces, each byte looked at a bounded number
 * of times however small the pieces are. It knows no first line, no field and no socket.
 */

/** `read` wants more bytes. */
export const MORE = -1
/** `read` found that it cannot become a block: no end within the bound, or another beginning. */
export const NEVER = -2

const CRLFCRLF = '\r\n\r\n'

export class BlockReader {
  /** The block that was found, its last CRLF CRLF included (latin1). */
  text = ''
  readonly #maxBytes: number
  readonly #start: string
  readonly #before: string
  #seen = ''
  /** The last characters, in which the end may have begun. */
  #tail: string

  /**
   * @param start What the first line begins with.
   * @param before What stands in front of the block and may be the first half of its end: the CRLF of the last chunk.
   */
  constructor(maxBytes: number, start: string, before: string) {
    this.#maxBytes = maxBytes
    this.#start = start
    this.#before = before
    this.#tail = before
  }

  /** True where a part of a block came already. */
  get isBegun(): boolean {
    return this.#seen !== ''
  }

  /** @returns How many bytes behind `from` belong to the block, which is whole then; or MORE, or NEVER. */
  read(bytes: Buffer, from: number): number {
    const room = this.#maxBytes - this.#seen.length
    const piece = bytes.toString('latin1', from, Math.min(bytes.length, from + room))
    // Only the seam is searched; what came before is appended to and read once, at the end.
    const seam = this.#tail === '' ? piece : this.#tail + piece
    const found = seam.indexOf(CRLFCRLF)
    if (found !== -1) {
      const used = found + CRLFCRLF.length - this.#tail.length
      // Never a part of a longer string: what is kept of a block must not keep what came behind it.
      this.text = this.#seen + (used === piece.length ? piece : bytes.toString('latin1', from, from + used))
      this.#seen = ''
      this.#tail = this.#before
      return used
    }
    const seenBefore = this.#seen.length
    this.#seen += piece
    this.#tail = seam.slice(-3)
    if (bytes.length - from >= room) return NEVER
    if (seenBefore < this.#start.length && !this.#startsWell()) return NEVER
    return MORE
  }

  #startsWell(): boolean {
    const length = Math.min(this.#seen.length, this.#start.length)
    return this.#seen.slice(0, length) === this.#start.slice(0, length)
  }
}
