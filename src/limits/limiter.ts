/**
 * One limit of the configuration as the data path sees it: its counter and its ready-made field values. Knows no exchange.
 */
import type { LimitConfig, StoreConfig } from '../config/shape.ts'
import type { Counter, CounterState, CounterStore, OutagePolicy } from '../exchange/contracts.ts'
import type { ImmediateCounter } from './memory-counter.ts'
import type { BurstOptions } from './window.ts'

export class Limiter {
  readonly name: string
  readonly onOutage: OutagePolicy
  /** Item of RateLimit-Policy: `"name";q=120;w=60` (draft-ietf-httpapi-ratelimit-headers-11, 3.1). */
  readonly policyItem: string
  readonly #counter: Counter
  readonly #immediate: ImmediateCounter | null
  readonly #itemStart: string

  constructor(name: string, rate: number, windowMs: number, onOutage: OutagePolicy, counter: Counter) {
    this.name = name
    this.onOutage = onOutage
    // Names are letters, digits, "-" and "_" by the shape of the configuration: nothing to escape.
    this.policyItem = `"${name}";q=${rate};w=${Math.ceil(windowMs / 1000)}`
    this.#counter = counter
    this.#immediate = isImmediate(counter) ? counter : null
    this.#itemStart = `"${name}";r=`
  }

  /** Counts the request and tells, or null where the store must be asked by `add` (nothing was counted then). */
  addNow(key: string): CounterState | null {
    return this.#immediate === null ? null : this.#immediate.addNow(key)
  }

  add(key: string): Promise<CounterState> {
    return this.#counter.add(key)
  }

  /** Item of RateLimit: `"name";r=50;t=30` (same draft, 4.1); null where nobody counted. */
  stateItem(state: CounterState): string | null {
    if (state.degraded && this.onOutage !== 'local') return null
    return `${this.#itemStart}${state.remaining};t=${wholeSeconds(state.resetMs)}`
  }
}

/**
 * Builds a limit at load. `burst` is what a client may save up and spend over the rate; docs/limits.md and window.ts say
 * it exactly. Throws nothing: the shape has checked the values.
 */
export function compileLimit(
  name: string,
  config: LimitConfig,
  store: CounterStore,
  storeConfig: StoreConfig,
): Limiter {
  const { points, windowMs } = config.rate
  const onOutage = config.onOutage ?? storeConfig.onOutage
  const options: BurstOptions = { name, points, windowMs, blockMs: config.block, onOutage, burst: config.burst }
  return new Limiter(name, points, windowMs, onOutage, store.counter(options))
}

/** Seconds for Retry-After and `t`: rounded up, at least 1, so that nobody comes back a moment too early. */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}

function isImmediate(counter: Counter): counter is ImmediateCounter {
  return 'addNow' in counter
}
