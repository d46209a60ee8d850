/** Notices a client that takes nothing, or next to nothing, of what is queued for it. It knows no protocol. */
import type { Socket } from 'node:net'
import { TICK_MS } from './clock.ts'

/** How slow a client may be while something waits for it. */
export interface ReadingLimits {
  /** Milliseconds without any progress; and of less than the rate, before that counts. */
  readonly sendMs: number
  /** Bytes per second; 0 is none. */
  readonly sendMinRate: number
}

export class SlowReader {
  #stuckMs = 0
  #lastTaken = 0
  /** Bytes that it is behind what it should have taken; never less than 0, so that haste is not saved up. */
  #behind = 0
  #waited = false

  /** Whether anything was taken, or nothing waited, when it was last looked at. */
  get tookAny(): boolean {
    return this.#stuckMs === 0
  }

  /**
   * Called every tick. `writtenBytes` is all that was ever written, `queuedBytes` what of it still waits: a queue that is
   * filled as fast as it is emptied always looks the same, what was taken does not.
   *
   * @param sharers How many share the way to the client, and so the rate.
   * @returns True when something waits and nothing was taken for `sendMs` milliseconds, or over that time less than the rate.
   */
  isStuck(writtenBytes: number, queuedBytes: number, limits: ReadingLimits, sharers = 1): boolean {
    const taken = writtenBytes - queuedBytes
    const rate = limits.sendMinRate / sharers
    if (queuedBytes === 0 || taken > this.#lastTaken) this.#stuckMs = 0
    else this.#stuckMs += TICK_MS
    if (queuedBytes === 0) this.#behind = 0
    else if (this.#waited) {
      this.#behind = Math.max(0, this.#behind + (rate * TICK_MS) / 1000 - (taken - this.#lastTaken))
    }
    this.#waited = queuedBytes > 0
    this.#lastTaken = taken
    return this.#stuckMs > limits.sendMs || this.#behind > (rate * limits.sendMs) / 1000
  }

  /** The same of a socket: to count what it wrote is dear, and almost always nothing waits. */
  isStuckOn(socket: Socket, limits: ReadingLimits): boolean {
    const queued = socket.writableLength
    return this.isStuck(queued === 0 ? 0 : socket.bytesWritten, queued, limits)
  }
}
