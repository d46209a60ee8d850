/**
 * Makes the counters that all gateway processes share, in Redis where one is configured and in this process where none is.
 * Knows no requests and reads no file: what it needs comes with its secrets resolved.
 */
import { accessByUrl, type RedisAccess } from '../config/redis-access.ts'
import type { StoreConfig } from '../config/shape.ts'
import type { CounterStore, Metrics } from '../exchange/contracts.ts'
import { MemoryStore } from './memory-store.ts'
import { makeClient } from './redis-client.ts'
import { RedisLink, type StoreLog } from './redis-link.ts'
import { RedisStore } from './redis-store.ts'

export interface LimitStore extends CounterStore {
  /** Resolves when Redis answered for the first time, or is known not to: at most about a second. At once for memory. */
  whenSettled(): Promise<void>
}

const DEFAULT_PREFIX = 'portcullis'
const DEFAULT_TIMEOUT_MS = 50

/**
 * The store of a gateway. `redis`: how to reach it, a URL where that says all; null: memory, said once by `log`. Connecting goes on in the background; until it
 * stands, counters follow their outage policy. Throws nothing for a Redis that is not there.
 */
export function makeStore(
  config: StoreConfig,
  redis: RedisAccess | string | null,
  log: StoreLog,
  metrics: Metrics,
): LimitStore {
  if (redis === null) {
    log('info', 'Limits are counted in memory, per process: no Redis is configured')
    return new MemoryStore(metrics)
  }
  const prefix = config.redis?.prefix ?? DEFAULT_PREFIX
  const timeoutMs = config.redis?.timeout ?? DEFAULT_TIMEOUT_MS
  const access = typeof redis === 'string' ? accessByUrl(redis) : redis
  const isCluster = config.redis?.cluster !== undefined
  const link = (onRecovered: () => void) =>
    new RedisLink(makeClient(config.redis ?? {}, access, timeoutMs), timeoutMs, prefix, log, metrics, onRecovered)
  return new RedisStore(link, isCluster, prefix, metrics)
}
