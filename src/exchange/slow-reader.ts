/** Notices a client that takes nothing of what is queued for it. It knows no protocol. */
import { TICK_MS } from './clock.ts'

export class SlowReader {
  #stuckMs = 0
  #lastTaken = 0

  /**
   * Called every tick. `writtenBytes` is all that was ever written, `queuedBytes` what of it still waits: a queue that is
   * filled as fast as it is emptied always looks the same, what was taken does not.
   *
   * @returns True when something waits and nothing was taken for `sendMs` milliseconds.
   */
  isStuck(writtenBytes: number, queuedBytes: number, sendMs: number): boolean {
    const taken = writtenBytes - queuedBytes
    if (queuedBytes === 0 || taken > this.#lastTaken) this.#stuckMs = 0
    else this.#stuckMs += TICK_MS
    this.#lastTaken = taken
    return this.#stuckMs > sendMs
  }

  /** A new answer: the client gets its full time again. */
  reset(): void {
    this.#stuckMs = 0
  }
}
