/** Notices a client that takes nothing of what is queued for it. It knows no protocol. */
import type { Socket } from 'node:net'
import { TICK_MS } from './clock.ts'

export class SlowReader {
  #stuckMs = 0
  #lastTaken = 0

  /** Whether anything was taken, or nothing waited, when it was last looked at. */
  get tookAny(): boolean {
    return this.#stuckMs === 0
  }

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

  /** The same of a socket: to count what it wrote is dear, and almost always nothing waits. */
  isStuckOn(socket: Socket, sendMs: number): boolean {
    const queued = socket.writableLength
    return this.isStuck(queued === 0 ? 0 : socket.bytesWritten, queued, sendMs)
  }

  /** A new answer: the client gets its full time again. */
  reset(): void {
    this.#stuckMs = 0
  }
}
