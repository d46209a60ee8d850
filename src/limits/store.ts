/**
 * Makes the counters that all gateway processes share, in Redis where a URL is given and in this process where none is.
 * Knows no requests and reads no file: the URL comes with its secret resolved.
 */
import type { StoreConfig } from '../config/shape.ts'
import type { CounterStore, Metrics } from '../exchange/contracts.ts'
import { MemoryStore } from './memory-store.ts'
import type { StoreLog } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'

export interface LimitStore extends CounterStore {
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
  return new RedisStore(redisUrl, timeoutMs, prefix, log, metrics)
}
