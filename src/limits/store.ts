/**
 * Makes the counters that all gateway processes share, in Redis where a URL is given and in this process where none is.
 * Knows no requests and reads no file: the URL comes with its secret resolved.
 */
import type { StoreConfig } from '../config/shape.ts'
import type { Counter, CounterStore, Metrics } from '../exchange/contracts.ts'
import { MemoryCounter } from './memory-counter.ts'
import { RedisCounter } from './redis-counter.ts'
import { RedisLink, type StoreLog } from './redis-link.ts'
import { type BurstOptions, windowRule } from './window.ts'

export interface LimitStore extends CounterStore {
  /**
   * A counter. Asked again with the same options it is the same one, so that a reload forgets nothing that is counted in
   * memory; with other options it is a new one in memory, and goes on with the same keys in Redis.
   */
  counter(options: BurstOptions): Counter
  /** Resolves when Redis answered for the first time, or is known not to: at most about a second. At once for memory. */
  whenSettled(): Promise<void>
}

const DEFAULT_PREFIX = 'portcullis'
const DEFAULT_TIMEOUT_MS = 50

/**
 * The store of a gateway. `redisUrl` null: memory, said once by `log`. Connecting goes on in the background; until it
 * stands, counters follow their outage policy. Throws nothing for a Redis that is not there.
 */
export function makeStore(config: StoreConfig, redisUrl: string | null, log: StoreLog, metrics: Metrics): LimitStore {
  if (redisUrl === null) {
    log('info', 'Limits are counted in memory, per process: no Redis is configured')
    return new MemoryStore(metrics)
  }
  const prefix = config.redis?.prefix ?? DEFAULT_PREFIX
  const timeoutMs = config.redis?.timeout ?? DEFAULT_TIMEOUT_MS
  return new RedisStore(new RedisLink(redisUrl, timeoutMs, prefix, log, metrics), prefix, metrics)
}

/** Counters by name, each with the options that it was made for. */
class KnownCounters {
  readonly #known = new Map<string, { readonly signature: string; readonly counter: Counter }>()

  take(options: BurstOptions, make: () => Counter): Counter {
    const { name, points, windowMs, blockMs, onOutage, burst } = options
    const signature = [points, windowMs, blockMs, onOutage, burst ?? 0].join()
    const known = this.#known.get(name)
    if (known !== undefined && known.signature === signature) return known.counter
    const counter = make()
    this.#known.set(name, { signature, counter })
    return counter
  }
}

class MemoryStore implements LimitStore {
  readonly isUp = true
  readonly #metrics: Metrics
  readonly #counters = new KnownCounters()

  constructor(metrics: Metrics) {
    this.#metrics = metrics
  }

  counter(options: BurstOptions): Counter {
    const onDrop = () => this.#metrics.count('limit_store_total', 'memory-full')
    return this.#counters.take(options, () => new MemoryCounter(windowRule(options), false, onDrop))
  }

  async whenSettled(): Promise<void> {}

  async close(): Promise<void> {}
}

class RedisStore implements LimitStore {
  readonly #link: RedisLink
  readonly #prefix: string
  readonly #metrics: Metrics
  readonly #counters = new KnownCounters()

  constructor(link: RedisLink, prefix: string, metrics: Metrics) {
    this.#link = link
    this.#prefix = prefix
    this.#metrics = metrics
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  counter(options: BurstOptions): Counter {
    const prefix = `${this.#prefix}:${options.name}`
    return this.#counters.take(
      options,
      () => new RedisCounter(this.#link, prefix, windowRule(options), options.onOutage, this.#metrics),
    )
  }

  whenSettled(): Promise<void> {
    return this.#link.settled
  }

  close(): Promise<void> {
    return this.#link.close()
  }
}
