/**
 * The events of a text/event-stream (HTML, 9.2) as they pass: each is put together, its data rewritten, and sent on at
 * once. It holds one event at most and knows no rule.
 */
import { isUtf8 } from 'node:buffer'

/** What becomes of the data of one event: the very string where nothing does; null: the event is dropped. */
export type RewriteData = (data: string) => string | null

const EMPTY = Buffer.alloc(0)
const LF = 10
const CR = 13

export class EventStream {
  readonly #maxBytes: number
  readonly #rewrite: RewriteData
  readonly #isPlainWord: (word: string) => boolean
  #held: Buffer = EMPTY

  /** `maxBytes` bounds one event; ids and types that are no plain words go. */
  constructor(maxBytes: number, rewrite: RewriteData, isPlainWord: (word: string) => boolean) {
    this.#maxBytes = maxBytes
    this.#rewrite = rewrite
    this.#isPlainWord = isPlainWord
  }

  /** What may go on now; null where the stream cannot be read any further. */
  push(chunk: Buffer): Buffer | null {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk])
    const out: Buffer[] = []
    let start = 0
    for (;;) {
      const end = eventEnd(bytes, start)
      if (end === -1) break
      if (end - start > this.#maxBytes) return null
      const event = this.#event(bytes.subarray(start, end))
      if (event === null) return null
      if (event.length > 0) out.push(event)
      start = end
    }
    if (bytes.length - start > this.#maxBytes) return null
    // A copy: the chunk belongs to whoever brought it.
    this.#held = start === bytes.length ? EMPTY : Buffer.from(bytes.subarray(start))
    return out.length === 1 ? out[0]! : Buffer.concat(out)
  }

  #event(bytes: Buffer): Buffer | null {
    if (!isUtf8(bytes)) return null
    const lines = bytes.toString().split(/\r\n|\n|\r/)
    const data: string[] = []
    const others: string[] = []
    let isWhole = true
    for (const line of lines) {
      const field = /^\ufeff?([^:]*)(?::( ?)(.*))?$/s.exec(line)!
      if (field[1] === 'data') data.push(field[3] ?? '')
      // A comment says nothing to the page; what it may say to others nobody has read.
      else if (line.startsWith(':')) others.push(':')
      else if (field[1] === 'event' || field[1] === 'id' || field[1] === 'retry') {
        if (this.#isPlainWord(field[3] ?? '')) others.push(line)
        else isWhole = false
      } else if (line !== '') isWhole = false
    }
    if (data.length === 0) return bytes.includes(58) ? Buffer.from(`${others.join('\n')}\n\n`) : bytes
    const text = data.join('\n')
    const rewritten = this.#rewrite(text)
    if (rewritten === null) return EMPTY
    if (rewritten === text && isWhole && !others.includes(':')) return bytes
    const written = rewritten.split(/\r\n|\n|\r/).map((line) => `data: ${line}`)
    return Buffer.from(`${[...others, ...written].join('\n')}\n\n`)
  }
}

/** Where the event ends that begins at `start`: behind its empty line; -1 where it has not ended. */
function eventEnd(bytes: Buffer, start: number): number {
  for (let i = start; i < bytes.length; i++) {
    const first = bytes[i]!
    if (first !== LF && first !== CR) continue
    let next = i + 1
    // Whether a CR stands alone shows with the byte behind it.
    if (first === CR) {
      if (next === bytes.length) return -1
      if (bytes[next] === LF) next++
    }
    if (i === start) return next
    const second = bytes[next]
    if (second === LF) return next + 1
    if (second === CR) {
      if (next + 1 === bytes.length) return -1
      return bytes[next + 1] === LF ? next + 2 : next + 1
    }
    i = next - 1
  }
  return -1
}
