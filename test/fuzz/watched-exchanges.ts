/** Every exchange that one gateway of this process makes: what it was read as, and how it ended. It changes nothing. */
import { Exchange } from '../../src/exchange/exchange.ts'

export interface WatchedExchange {
  readonly x: Exchange
  /** What the client half handed over. */
  readonly pieces: Buffer[]
  bodyEnded: boolean
}

export class WatchedExchanges {
  /** By request id, once it has one; also those that ended without. */
  readonly all: WatchedExchange[] = []
  readonly #byExchange = new Map<Exchange, WatchedExchange>()
  readonly #originals = {
    runStages: Exchange.prototype.runStages,
    onBodyData: Exchange.prototype.onBodyData,
    onBodyEnd: Exchange.prototype.onBodyEnd,
  }

  /** `isMeant`: another gateway may run in this process too, and what it does is not judged here. */
  constructor(isMeant: (x: Exchange) => boolean) {
    const { runStages, onBodyData, onBodyEnd } = this.#originals
    const of = (x: Exchange): WatchedExchange | null => (isMeant(x) ? this.#of(x) : null)
    Exchange.prototype.runStages = function (stages) {
      of(this)
      runStages.call(this, stages)
    }
    Exchange.prototype.onBodyData = function (chunk) {
      of(this)?.pieces.push(Buffer.from(chunk))
      onBodyData.call(this, chunk)
    }
    Exchange.prototype.onBodyEnd = function () {
      const watched = of(this)
      if (watched !== null) watched.bodyEnded = true
      onBodyEnd.call(this)
    }
  }

  get running(): number {
    return this.all.filter(({ x }) => !x.finished).length
  }

  /** Forgets what has been judged. */
  clear(): void {
    this.all.length = 0
    this.#byExchange.clear()
  }

  stop(): void {
    Object.assign(Exchange.prototype, this.#originals)
  }

  #of(x: Exchange): WatchedExchange {
    let watched = this.#byExchange.get(x)
    if (watched === undefined) {
      watched = { x, pieces: [], bodyEnded: x.bodyEnded }
      this.#byExchange.set(x, watched)
      this.all.push(watched)
    }
    return watched
  }
}
