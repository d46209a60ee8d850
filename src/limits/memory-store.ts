/** The store of one process: it answers every step at once. Knows no network. */
import type { Claim, ClaimStates, CounterOptions, CounterStore, Metrics } from '../exchange/contracts.ts'
import { BanList } from './ban-list.ts'
import { KnownCounters } from './known-counters.ts'
import { MemoryCounter, type OnFull } from './memory-counter.ts'
import { MemoryValues } from './memory-values.ts'
import { windowRule } from './window.ts'

export class MemoryStore implements CounterStore {
  readonly isUp = true
  readonly bans = new BanList()
  readonly values = new MemoryValues()
  readonly #counters = new KnownCounters<MemoryCounter>()
  readonly #onFull: OnFull

  constructor(metrics: Metrics) {
    this.#onFull = (what) => metrics.count('limit_store_total', what)
  }

  /** With other options than before it starts anew. */
  counter(options: CounterOptions): MemoryCounter {
    return this.#counters.take(options, () => new MemoryCounter(windowRule(options), false, this.#onFull))
  }

  claim(claims: readonly Claim[]): ClaimStates {
    let isRefused = false
    // A single claim refuses nobody but itself.
    for (let i = 0; claims.length > 1 && !isRefused && i < claims.length; i++) {
      const { counter, points } = claims[i] as MemoryClaim
      isRefused = !counter.rule.isDry && counter.refuses(keyOf(claims[i] as MemoryClaim), points)
    }
    const states = []
    for (let i = 0; i < claims.length; i++) {
      const { counter, points } = claims[i] as MemoryClaim
      const key = keyOf(claims[i] as MemoryClaim)
      const counts = points !== 0 && (!isRefused || counter.refuses(key, points))
      states.push(counts ? counter.addNow(key, points) : counter.lookNow(key))
    }
    return states
  }

  refusal(claims: readonly Claim[]): ClaimStates | null {
    for (const claim of claims as readonly MemoryClaim[]) {
      if (!claim.counter.rule.isDry && claim.counter.refuses(keyOf(claim), claim.points)) return this.claim(claims)
    }
    return null
  }

  async whenSettled(): Promise<void> {}

  async close(): Promise<void> {}
}

interface MemoryClaim extends Claim {
  readonly counter: MemoryCounter
}

/** Under which key a claim is counted now. */
function keyOf({ counter, key, points, own }: MemoryClaim): string {
  if (own === null || !counter.refuses(key, points)) return key
  return (own.known as MemoryCounter).lookNow(own.key).used > 0 ? own.key : key
}
