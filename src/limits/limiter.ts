/**
 * One limit of the configuration as the data path sees it: its counter and its ready-made field values. Knows no exchange.
 */
import type { LimitConfig, StoreConfig } from '../config/shape.ts'
import type { Claim, Counter, CounterOptions, CounterState, CounterStore, OutagePolicy } from '../exchange/contracts.ts'
import type { OwnCount } from '../exchange/own-count.ts'

export class Limiter {
  readonly name: string
  readonly onOutage: OutagePolicy
  /** Item of RateLimit-Policy: `"name";q=120;w=60` (draft-ietf-httpapi-ratelimit-headers-11, 3.1). */
  readonly policyItem: string
  /** Requests in a window. */
  readonly rate: number
  readonly #counter: Counter
  readonly #itemStart: string

  constructor(name: string, rate: number, windowMs: number, onOutage: OutagePolicy, counter: Counter) {
    this.name = name
    this.onOutage = onOutage
    this.rate = rate
    // Names are letters, digits, "-" and "_" by the shape of the configuration: nothing to escape.
    this.policyItem = `"${name}";q=${rate};w=${Math.ceil(windowMs / 1000)}`
    this.#counter = counter
    this.#itemStart = `"${name}";r=`
  }

  /** One point under this key, for a step of the store. */
  claim(key: string, own: OwnCount | null): Claim {
    return { counter: this.#counter, key, points: 1, own }
  }

  /** False where an outage policy spoke that counts nothing. */
  wasCounted(state: CounterState): boolean {
    return !state.degraded || this.onOutage === 'local'
  }

  /** Item of RateLimit: `"name";r=50;t=30` (same draft, 4.1); null where nobody counted. */
  stateItem(state: CounterState): string | null {
    if (!this.wasCounted(state)) return null
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
  const blocks = config.block.filter((ms) => ms > 0)
  const options: CounterOptions = {
    ...{ name, points, windowMs, blocks, onOutage },
    burst: config.burst,
    quietMs: config.forgive,
    dryRun: config.dryRun,
  }
  return new Limiter(name, points, windowMs, onOutage, store.counter(options))
}

/** Seconds for Retry-After and `t`: rounded up, at least 1, so that nobody comes back a moment too early. */
export function wholeSeconds(ms: number): number {
  return Math.max(1, Math.ceil(ms / 1000))
}
