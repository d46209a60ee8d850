/** Bytes that came and were not read yet: joined once, when somebody takes them, however many pieces came. Knows no socket. */
import { lasting } from './client-inlet.ts'

export class PendingBytes {
  length = 0
  #first: Buffer | null = null
  #more: Buffer[] | null = null

  add(chunk: Buffer): void {
    this.length += chunk.length
    if (this.#first === null) this.#first = chunk
    else if (this.#more === null) this.#more = [this.#first, chunk]
    else this.#more.push(chunk)
  }

  /** All of them; null where there are none. */
  take(): Buffer | null {
    const bytes = this.#more === null ? this.#first : Buffer.concat(this.#more, this.length)
    this.clear()
    return bytes
  }

  /** Returns what was left over of bytes that were taken, in front of what came since. */
  putBack(rest: Buffer | null): void {
    if (rest === null || rest.length === 0) return
    const since = this.take()
    this.add(rest)
    if (since !== null) this.add(since)
  }

  /** What came last is kept beyond the moment. */
  outlive(): void {
    if (this.#more !== null) this.#more.push(lasting(this.#more.pop()!))
    else if (this.#first !== null) this.#first = lasting(this.#first)
  }

  clear(): void {
    this.length = 0
    this.#first = null
    this.#more = null
  }
}
