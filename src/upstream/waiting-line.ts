/**
 * Requests that wait while every endpoint that they may take is full: first come, first served, so many and so long. It
 * knows no endpoint.
 */
import { deadlineIn, joinClock, leaveClock, type Ticking } from '../exchange/clock.ts'
import type { Endpoint } from './endpoint.ts'
import type { Seeker } from './seeker.ts'

/** Those at the front that are looked at for one free place: some may be bound to another endpoint. */
const MOST_LOOKS = 64

export class WaitingLine implements Ticking {
  readonly #max: number
  readonly #waitMs: number
  readonly #choose: (seeker: Seeker) => Endpoint | null
  readonly #line = new Set<Seeker>()
  #isServing = false

  constructor(max: number, waitMs: number, choose: (seeker: Seeker) => Endpoint | null) {
    this.#max = max
    this.#waitMs = waitMs
    this.#choose = choose
  }

  get length(): number {
    return this.#line.size
  }

  /** False: too many wait. */
  join(seeker: Seeker): boolean {
    if (this.#line.size >= this.#max) return false
    if (this.#line.size === 0) joinClock(this)
    seeker.waitEnd = deadlineIn(this.#waitMs)
    this.#line.add(seeker)
    return true
  }

  leave(seeker: Seeker): void {
    if (!this.#line.delete(seeker)) return
    seeker.waitEnd = 0
    if (this.#line.size === 0) leaveClock(this)
  }

  /** A place is free, or an endpoint is there again. */
  move(): void {
    if (this.#line.size === 0 || this.#isServing) return
    this.#isServing = true
    // Not from within the end of another request.
    process.nextTick(serveLine, this)
  }

  /** For the next tick. */
  serve(): void {
    this.#isServing = false
    let looks = 0
    for (const seeker of this.#line) {
      if (looks++ === MOST_LOOKS) return
      const endpoint = this.#choose(seeker)
      if (endpoint === null) continue
      // Out of the line first: who is placed may fail at once and come again, to its end.
      this.leave(seeker)
      seeker.place(endpoint)
    }
  }

  onTick(now: number): void {
    for (const seeker of this.#line) {
      if (now < seeker.waitEnd) continue
      this.leave(seeker)
      seeker.onNotPlaced('upstream-busy')
    }
  }

  /** Nobody is served any more. */
  close(): void {
    for (const seeker of this.#line) {
      this.leave(seeker)
      seeker.onNotPlaced('draining')
    }
  }
}

function serveLine(line: WaitingLine): void {
  line.serve()
}
