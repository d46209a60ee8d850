/**
 * What a request has still to be counted by, where its limits wait for the user or the body so that all of them are asked in
 * one step. Whatever becomes of the request before that, it is counted: no answer goes out uncounted. It knows no limit.
 */
import type { HeaderList } from '../http/headers.ts'
import type { Exchange } from './exchange.ts'

export abstract class OwedCount {
  /** False as soon as it is being counted. */
  isOpen = true
  /** An answer waits until it is known whether the limits let it go out. */
  isHolding = false
  /** How many answer fields do not belong to that answer. */
  readonly #fields: number

  constructor(x: Exchange) {
    this.#fields = x.answerHeaders.length
  }

  /**
   * Counts now, by what is known up to now. Once.
   *
   * @param next Called where the limits let the request pass, maybe at once; where they do not, it is answered.
   */
  abstract settle(x: Exchange, next: () => void): void

  /** The exchange ended unanswered: counts what is open, and nobody waits for it. */
  abstract onLeft(x: Exchange): void

  /** Counts, and gives the answer then. */
  hold(x: Exchange, status: number, headers: HeaderList, body: Buffer | null): void {
    this.isHolding = true
    this.settle(x, () => {
      this.isHolding = false
      x.respond(status, headers, body)
    })
  }

  /** Another answer takes the place of the one that waits, if one does: its fields and its reason go with it. */
  drop(x: Exchange): void {
    if (!this.isHolding) return
    this.isHolding = false
    x.failure = null
    x.answerHeaders.length = this.#fields
  }
}
