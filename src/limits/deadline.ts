/**
 * One deadline over all that waits for an answer, with one timer. It knows no Redis: it is told who waits and says when the
 * oldest of them has waited too long.
 *
 * Not ioredis's commandTimeout, which starts a timer per command and cannot tell a slow Redis from a busy process: when
 * the event loop was held up, its timers fire before the answers that lie ready in the socket are read. Here a late timer
 * starts over, and one in time lets the socket be read once more before it judges.
 */

/** Why a wait ended without an answer. */
export class DeadlineError extends Error {
  constructor(message: string) {
    super(message)
    this.name = 'DeadlineError'
  }
}

export interface Waiting {
  /** The wait is over, without an answer. */
  onGivenUp(error: DeadlineError): void
}

export class Deadline {
  readonly #timeoutMs: number
  readonly #onExceeded: () => void
  /** Since when each waits, in the order of their start: the first one is the oldest. */
  readonly #waiting = new Map<Waiting, number>()
  #timer: NodeJS.Timeout | null = null
  #dueAt = 0
  #isJudging = false
  /** A process that is held up all the time must still notice an outage: only every other late timer starts over. */
  #startedOver = false

  /** `onExceeded` is called once each time the oldest wait exceeds `timeoutMs`; it should call `giveUp`. */
  constructor(timeoutMs: number, onExceeded: () => void) {
    this.#timeoutMs = timeoutMs
    this.#onExceeded = onExceeded
  }

  get size(): number {
    return this.#waiting.size
  }

  add(waiting: Waiting): void {
    this.#waiting.set(waiting, performance.now())
    if (this.#timer === null && !this.#isJudging) this.#arm(this.#timeoutMs)
  }

  isWaiting(waiting: Waiting): boolean {
    return this.#waiting.has(waiting)
  }

  /** The answer came. False where it was given up before: then it is too late for one. */
  remove(waiting: Waiting): boolean {
    return this.#waiting.delete(waiting)
  }

  /** Ends every wait now. */
  giveUp(message: string): void {
    if (this.#waiting.size === 0) return
    const all = [...this.#waiting.keys()]
    this.#waiting.clear()
    const error = new DeadlineError(message)
    for (const waiting of all) waiting.onGivenUp(error)
  }

  stop(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #arm(ms: number): void {
    this.#dueAt = performance.now() + ms
    this.#timer = setTimeout(this.#onTimer, ms)
    this.#timer.unref()
  }

  readonly #onTimer = (): void => {
    this.#timer = null
    // The process was held up, not the store: whoever waits gets the whole time again.
    const isLate = performance.now() - this.#dueAt > this.#timeoutMs / 2
    this.#startedOver = isLate && !this.#startedOver
    if (this.#startedOver) return this.#next(this.#timeoutMs)
    this.#isJudging = true
    setImmediate(this.#judge)
  }

  readonly #judge = (): void => {
    this.#isJudging = false
    const oldest = this.#oldest()
    if (oldest === null) return
    const left = oldest + this.#timeoutMs - performance.now()
    if (left > 0) return this.#next(left)
    this.#onExceeded()
    this.#next(this.#timeoutMs)
  }

  #next(ms: number): void {
    if (this.#timer === null && this.#waiting.size > 0) this.#arm(Math.max(1, ms))
  }

  #oldest(): number | null {
    for (const since of this.#waiting.values()) return since
    return null
  }
}
