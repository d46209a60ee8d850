/** Notices a client that takes nothing of what is queued for it. It knows no protocol. */
import { TICK_MS } from './clock.ts'

export class SlowReader {
  #stuckMs = 0
  #lastQueued = 0

  /** Called every tick with the bytes that wait. True when none of them moved for `sendMs` milliseconds. */
  isStuck(queuedBytes: number, sendMs: number): boolean {
    if (queuedBytes === 0 || queuedBytes < this.#lastQueued) this.#stuckMs = 0
    else this.#stuckMs += TICK_MS
    this.#lastQueued = queuedBytes
    return this.#stuckMs > sendMs
  }

  /** A new answer: the client gets its full time again. */
  reset(): void {
    this.#stuckMs = 0
  }
}
