/**
 * What begins a connection (its handshake, its session), one at a time: the first at once, each further one in a turn of the
 * loop of its own. After a turn that took long the next one waits as long again, so that others have theirs: neither a crowd nor
 * newcomers that flood as soon as they may stand before everybody's requests. It knows no socket.
 */
const LONG_TURN_MS = 1.5
const MOST_REST_MS = 5

export class Beginnings {
  readonly #waiting: (() => void)[] = []
  /** One began in this turn, or the loop rests. */
  #isBusy = false
  #turnedAt = 0

  /** Whether what is pushed now has to wait. */
  get isBusy(): boolean {
    return this.#isBusy
  }

  /** Begins now where nothing else did in this turn, later otherwise. What waits has to see for itself whether it still may. */
  push(begin: () => void): void {
    if (this.#isBusy) this.#waiting.push(begin)
    else this.#start(begin)
  }

  #start(begin: () => void): void {
    this.#isBusy = true
    this.#turnedAt = performance.now()
    setImmediate(this.#onTurn)
    begin()
  }

  readonly #onTurn = (): void => {
    const took = performance.now() - this.#turnedAt
    if (took > LONG_TURN_MS) setTimeout(this.#next, Math.min(took, MOST_REST_MS))
    else this.#next()
  }

  readonly #next = (): void => {
    const begin = this.#waiting.shift()
    if (begin === undefined) this.#isBusy = false
    else this.#start(begin)
  }
}
