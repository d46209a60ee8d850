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

/**
 * Who waits. They are a list through themselves and not a Map: each table that a Map outgrows leads to its next one, so that
 * one that grew old with the collector keeps all later ones, and whole requests with them.
 */
export abstract class Waiting {
  older: Waiting | null = null
  newer: Waiting | null = null
  /** Milliseconds of the process; NaN: it does not wait. */
  since = Number.NaN
  /** The wait is over, without an answer. */
  abstract onGivenUp(error: DeadlineError): void
}

export class Deadline {
  readonly #timeoutMs: number
  readonly #onExceeded: () => void
  #oldest: Waiting | null = null
  #newest: Waiting | null = null
  #size = 0
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
    return this.#size
  }

  add(waiting: Waiting): void {
    waiting.since = performance.now()
    waiting.older = this.#newest
    if (this.#newest === null) this.#oldest = waiting
    else this.#newest.newer = waiting
    this.#newest = waiting
    this.#size++
    if (this.#timer === null && !this.#isJudging) this.#arm(this.#timeoutMs)
  }

  isWaiting(waiting: Waiting): boolean {
    return !Number.isNaN(waiting.since)
  }

  /** The answer came. False where it was given up before: then it is too late for one. */
  remove(waiting: Waiting): boolean {
    if (Number.isNaN(waiting.since)) return false
    const { older, newer } = waiting
    if (older === null) this.#oldest = newer
    else older.newer = newer
    if (newer === null) this.#newest = older
    else newer.older = older
    waiting.older = null
    waiting.newer = null
    waiting.since = Number.NaN
    this.#size--
    return true
  }

  /** Ends every wait now. */
  giveUp(message: string): void {
    if (this.#size === 0) return
    const all: Waiting[] = []
    for (let each = this.#oldest; each !== null; each = this.#oldest) {
      all.push(each)
      this.remove(each)
    }
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
    if (this.#oldest === null) return
    const left = this.#oldest.since + this.#timeoutMs - performance.now()
    if (left > 0) return this.#next(left)
    this.#onExceeded()
    this.#next(this.#timeoutMs)
  }

  #next(ms: number): void {
    if (this.#timer === null && this.#size > 0) this.#arm(Math.max(1, ms))
  }
}
