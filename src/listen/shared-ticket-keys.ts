/**
 * The keys of session tickets that nodes have in common: the first node of a period puts its own where all look, the others
 * take that one. It knows neither when periods change nor who uses a key.
 */
import type { SharedValues } from '../exchange/shared-values.ts'
import { type TicketKeyRefusal, TicketKeySeal } from './sealed-ticket-key.ts'

/**
 * `made`: this node's own key is the common one now. `taken-over`: that of another node. `own`: the store is down, and the key is
 * this node's alone. Else what stands there is not used.
 */
export type TicketKeyEvent = 'made' | 'taken-over' | 'own' | `refused-${TicketKeyRefusal}`

/** What became of a look. `same`: the common key is the one at hand. `down`: nobody answers. A buffer: the common key. */
export type Settled = 'same' | 'made' | 'down' | TicketKeyRefusal | Buffer

/** Where and how nodes share. */
export interface TicketSharing {
  readonly values: SharedValues
  /** Of 32 characters or more, the same on every node. */
  readonly secret: string
  /** What else stands in the same store has another one. */
  readonly prefix: string
  readonly listener: string
  /** Milliseconds: periods of the clock, counted from 1970. */
  readonly rotationMs: number
}

export class SharedTicketKeys {
  readonly #values: SharedValues
  readonly #seal: TicketKeySeal
  readonly #place: string
  readonly #report: (event: TicketKeyEvent) => void
  #isWiped = false

  /** `report` is told what became of keys, to be counted and said. */
  constructor(sharing: TicketSharing, report: (event: TicketKeyEvent) => void) {
    const { values, secret, prefix, listener, rotationMs } = sharing
    this.#values = values
    this.#place = `tickets:${listener}:${rotationMs}`
    this.#seal = new TicketKeySeal(secret, `${prefix}:${this.#place}`)
    this.#report = report
  }

  get isUp(): boolean {
    return this.#values.isUp
  }

  report(event: TicketKeyEvent): void {
    this.#report(event)
  }

  /** Does another one have the same keys, wherever it keeps them? */
  isSame(other: SharedTicketKeys): boolean {
    return this.#seal.isSame(other.#seal)
  }

  /**
   * Makes `own` the common key of the period where there is none, for `lifeMs`; else tells which one is. One step in the store:
   * of nodes that come at the same moment one is first. Never rejects.
   */
  async settle(own: Buffer, period: number, lifeMs: number): Promise<Settled> {
    const place = `${this.#place}:${period}`
    // Before anything is waited for: meanwhile the key may be exchanged, and nobody must be given a wiped one.
    const sealed = this.#seal.seal(own, period)
    const found = await this.#values.get(place)
    if (found === undefined || this.#isWiped) return 'down'
    if (found !== null) return this.#open(found, own, period)
    const outcome = await this.#values.swap(place, null, sealed, lifeMs)
    if (outcome === 'done') return 'made'
    // Another node was first in between.
    const other = outcome === 'differs' ? await this.#values.get(place) : undefined
    return typeof other === 'string' ? this.#open(other, own, period) : 'down'
  }

  #open(text: string, own: Buffer, period: number): Settled {
    if (this.#isWiped) return 'down'
    const opened = this.#seal.open(text, period)
    if (typeof opened === 'string' || !opened.equals(own)) return opened
    opened.fill(0)
    return 'same'
  }

  /** The end of it: what is under way comes to nothing. */
  wipe(): void {
    this.#isWiped = true
    this.#seal.wipe()
  }
}
