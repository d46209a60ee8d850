/**
 * Lines that wait to be written, as bytes in blocks. Knows no file.
 *
 * Lines become bytes a few at a time, soon: as text they would wait on the heap through several collections, each of which
 * copies them, until they are old garbage. That was an eighth of the processor time of a busy gateway.
 */

/** Characters of text that wait until they become bytes. */
const TEXT = 4096
const LEAST_BLOCK = 16 * 1024

/** The first `length` of `bytes` are `lines` whole lines. */
export interface Block {
  bytes: Buffer
  length: number
  lines: number
}

export class LineBlocks {
  /** Bytes that wait; never less than what is written in the end. */
  waiting = 0
  /** Lines that wait. */
  lines = 0
  readonly #blockBytes: number
  #text = ''
  #textLines = 0
  /** Full ones, oldest first, and the one that is being filled. */
  #full: Block[] = []
  #open: Block | null = null
  /** One that was given back, to be filled again. */
  #spare: Buffer | null = null

  /** `blockBytes`: what is usually written at once. */
  constructor(blockBytes: number) {
    this.#blockBytes = Math.max(blockBytes, LEAST_BLOCK)
  }

  add(line: string): void {
    this.#text += `${line}\n`
    this.#textLines++
    this.lines++
    // Three bytes are the most that UTF-8 needs for one UTF-16 unit: the bound holds without counting.
    this.waiting += line.length * 3 + 1
    if (this.#text.length >= TEXT) this.#encode()
  }

  /** The oldest lines, up to one block of them, which wait no more; null where there are none. */
  take(): Block | null {
    this.#encode()
    let block = this.#full.shift() ?? null
    if (block === null) {
      block = this.#open
      this.#open = null
    }
    if (block === null) return null
    this.waiting -= block.length
    this.lines -= block.lines
    return block
  }

  /** What `take` gave is written, or given up. */
  giveBack(block: Block): void {
    if (block.bytes.length === this.#blockBytes) this.#spare = block.bytes
  }

  #encode(): void {
    const text = this.#text
    if (text === '') return
    const most = text.length * 3
    if (this.#open !== null && this.#open.bytes.length - this.#open.length < most) {
      this.#full.push(this.#open)
      this.#open = null
    }
    this.#open ??= this.#newBlock(most)
    const open = this.#open
    const length = open.bytes.write(text, open.length)
    open.length += length
    open.lines += this.#textLines
    this.waiting -= most - 2 * this.#textLines - length
    this.#text = ''
    this.#textLines = 0
  }

  #newBlock(least: number): Block {
    if (least > this.#blockBytes) return { bytes: Buffer.allocUnsafeSlow(least), length: 0, lines: 0 }
    const bytes = this.#spare ?? Buffer.allocUnsafeSlow(this.#blockBytes)
    this.#spare = null
    return { bytes, length: 0, lines: 0 }
  }
}
