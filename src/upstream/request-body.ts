/**
 * The body of a request as the small reader that undici wants. It stands between the two: what undici destroys is this,
 * never the client's stream, which still owes an answer.
 */
import { Readable } from 'node:stream'
import type { BodySink } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'

export class RequestBody extends Readable implements BodySink {
  readonly #x: Exchange
  #begun = false

  constructor(x: Exchange) {
    super({ highWaterMark: 64 * 1024 })
    this.#x = x
  }

  override _read(): void {
    if (this.#begun) {
      this.#x.client.resumeBody()
      return
    }
    this.#begun = true
    this.#x.readBody(this)
  }

  onBodyData(chunk: Buffer): void {
    if (this.destroyed) return
    if (!this.push(chunk)) this.#x.client.pauseBody()
  }

  onBodyEnd(): void {
    if (!this.destroyed) this.push(null)
  }
}
