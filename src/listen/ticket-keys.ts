/**
 * The key of session tickets (RFC 5077, 4; RFC 8446, 4.6.1): random, in memory, exchanged when its time has come, so that one that
 * leaks opens the traffic of hours, not of months. Where nodes share, the common key of the period takes its place. It knows
 * no server and no store.
 */
import { randomBytes } from 'node:crypto'
import { TICKET_KEY_BYTES } from './sealed-ticket-key.ts'
import type { SharedTicketKeys } from './shared-ticket-keys.ts'

/** Between two looks at the clock, and for the common key while there is none. */
const LOOK_MS = 1000
/** Between two looks whether the common key is still the same: a store may have been emptied. */
const AGAIN_MS = 5000
/** Timers are early and clocks coarse: over by less than this is not over. */
const SLACK_MS = 1000

export class TicketKeys {
  #key: Buffer = randomBytes(TICKET_KEY_BYTES)
  #rotateMs: number
  /** Null: this process is alone. */
  #shared: SharedTicketKeys | null
  #madeAt = performance.now()
  /** Shared only: what the present key is for, and when its time is over whatever the clock says. */
  #period = 0
  #overAt = 0
  /** No look for the common key before this. */
  #lookAt = 0
  /** The common key of this period has had its time. */
  #isSpent = false
  /** The present key is the common one. */
  #isCommon = false
  #wasUp = false
  #downSince = performance.now()
  /** The last thing that was told of this period, so that it is told once. */
  #told = ''
  #isLooking = false
  #timer: NodeJS.Timeout | null = null
  readonly #onKey: (key: Buffer) => void

  /** `onKey` gets each key that takes the place of another; the first one is `current`. */
  constructor(rotateMs: number, shared: SharedTicketKeys | null, onKey: (key: Buffer) => void) {
    this.#rotateMs = rotateMs
    this.#shared = shared
    this.#onKey = onKey
    this.#begin(this.#periodNow())
    // Not yet: who listens to exchanges has not been given the first key.
    this.#wait(0)
  }

  get current(): Buffer {
    return this.#key
  }

  /** Milliseconds that a key lives (one that is there too, counted from when it was made), and with whom it is shared. */
  change(rotateMs: number, shared: SharedTicketKeys | null): void {
    const before = this.#shared
    const isSame = before === null || shared === null ? before === shared : before.isSame(shared)
    this.#rotateMs = rotateMs
    this.#shared = shared
    if (before !== shared) before?.wipe()
    // With another secret nothing goes on: it may have been changed because it leaked.
    if (!isSame) this.#exchange(randomBytes(TICKET_KEY_BYTES), this.#periodNow())
    this.#lookAt = 0
    this.#onTime()
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    this.#shared?.wipe()
    this.#shared = null
    this.#key.fill(0)
  }

  readonly #onTime = (): void => {
    const shared = this.#shared
    const now = performance.now()
    if (shared === null) {
      if (now >= this.#madeAt + this.#rotateMs) this.#exchange(randomBytes(TICKET_KEY_BYTES), 0)
      return this.#wait(this.#madeAt + this.#rotateMs - performance.now())
    }
    const period = this.#periodNow()
    if (this.#period !== period) this.#exchange(randomBytes(TICKET_KEY_BYTES), period)
    else if (now >= this.#overAt) {
      // The clock was set back.
      this.#exchange(randomBytes(TICKET_KEY_BYTES), period)
      this.#isSpent = true
    }
    if (!shared.isUp) {
      if (this.#wasUp) this.#downSince = now
      // A store that was only just opened is not down.
      if (!this.#isCommon && now >= this.#downSince + LOOK_MS) this.#tell('own')
    } else if (!this.#isSpent && (!this.#wasUp || now >= this.#lookAt)) void this.#look(shared)
    this.#wasUp = shared.isUp
    this.#wait(Math.min(LOOK_MS, this.#leftMs()))
  }

  #wait(ms: number): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onTime, Math.max(1, ms)).unref()
  }

  async #look(shared: SharedTicketKeys): Promise<void> {
    if (this.#isLooking) return
    this.#isLooking = true
    const [own, period] = [this.#key, this.#period]
    this.#lookAt = performance.now() + LOOK_MS
    const settled = await shared.settle(own, period, Math.max(1, this.#leftMs()))
    this.#isLooking = false
    if (this.#shared !== shared || this.#key !== own || period !== this.#periodNow()) {
      // Too late: it is the key of another time.
      if (typeof settled !== 'string') settled.fill(0)
      this.#lookAt = 0
      return
    }
    if (settled === 'down') return
    if (typeof settled !== 'string') this.#exchange(settled, period)
    this.#lookAt = performance.now() + AGAIN_MS
    if (typeof settled !== 'string') this.#tell('taken-over')
    else if (settled === 'made') this.#tell('made')
    else if (settled !== 'same') return this.#tell(`refused-${settled}`)
    this.#isCommon = true
  }

  #tell(event: Parameters<SharedTicketKeys['report']>[0]): void {
    if (this.#told === event) return
    this.#told = event
    this.#shared?.report(event)
  }

  /** `period`: what the key was made for, which by now may be over. */
  #exchange(next: Buffer, period: number): void {
    const before = this.#key
    this.#key = next
    this.#madeAt = performance.now()
    this.#begin(period)
    this.#onKey(next)
    before.fill(0)
  }

  #begin(period: number): void {
    if (this.#shared === null) return
    if (period !== this.#period) this.#told = ''
    this.#period = period
    this.#overAt = performance.now() + this.#leftMs() + SLACK_MS
    this.#lookAt = 0
    this.#isSpent = false
    this.#isCommon = false
  }

  #periodNow(): number {
    return Math.floor(Date.now() / this.#rotateMs)
  }

  #leftMs(): number {
    return (this.#period + 1) * this.#rotateMs - Date.now()
  }
}
