/**
 * One counter in Redis, by RateLimiterRedis, with its outage policy. It never rejects and never waits for a store that is
 * down. Knows no requests.
 */
import { RateLimiterRedis, RateLimiterRes } from 'rate-limiter-flexible'
import type { CounterState, Metrics, OutagePolicy } from '../exchange/contracts.ts'
import { BoundedMap } from './bounded-map.ts'
import { DeadlineError } from './deadline.ts'
import { type ImmediateCounter, lookedAt, MemoryCounter } from './memory-counter.ts'
import type { RedisLink, StepAnswer } from './redis-link.ts'
import { stateOf, type WindowRule, wholePoints } from './window.ts'
import { WINDOW_SCRIPT } from './window-script.ts'

/** Refused keys that are answered without Redis, and for how long: another node may clear a key at any time. */
const MAX_REFUSED_KEYS = 100_000
const REFUSED_TRUST_MS = 1000
/** Blocks and clears that wait for Redis to be back; beyond it the oldest are dropped. */
const MAX_PENDING = 10_000
/** What a client is told under the policy `deny`: the store may be back in a second. */
const DENIED_RESET_MS = 1000

interface Refused {
  readonly trustUntil: number
  readonly resetAt: number
}

/** What RateLimiterRedis sees of Redis: ready only while the circuit is closed, so that it rejects at once otherwise. */
class Gate {
  readonly #link: RedisLink
  readonly #rate: string
  readonly #blockMs: string

  constructor(link: RedisLink, rule: WindowRule) {
    this.#link = link
    this.#rate = String(rule.rate)
    this.#blockMs = String(rule.blockMs)
  }

  get status(): string {
    return this.#link.isUp ? 'ready' : 'down'
  }

  /** RateLimiterRedis names it so. The link has defined it, once for all counters: they share one client. */
  rlflxIncr(args: string[]): Promise<StepAnswer> {
    args.push(this.#rate, this.#blockMs)
    return this.#link.step(args)
  }
}

export class RedisCounter implements ImmediateCounter {
  readonly #link: RedisLink
  readonly #prefix: string
  readonly #rule: WindowRule
  readonly #policy: OutagePolicy
  readonly #metrics: Metrics
  readonly #limiter: RateLimiterRedis
  readonly #local: MemoryCounter
  readonly #refused = new BoundedMap<Refused>(MAX_REFUSED_KEYS)
  /** End of the block, or 0 for a clear. Monotonic milliseconds. */
  readonly #pending = new BoundedMap<number>(MAX_PENDING)

  /** Keys are `${prefix}:${key}`. */
  constructor(link: RedisLink, prefix: string, rule: WindowRule, policy: OutagePolicy, metrics: Metrics) {
    this.#link = link
    this.#prefix = prefix
    this.#rule = rule
    this.#policy = policy
    this.#metrics = metrics
    this.#local = new MemoryCounter(rule, true, () => metrics.count('limit_store_total', 'memory-full'))
    // Its own cache of blocked keys (inMemoryBlockOnConsumed) stays off: unbounded, and from a thousand keys on every
    // addition walks over all of them. Its insurance limiter too: the policy is decided here.
    this.#limiter = new RateLimiterRedis({
      storeClient: new Gate(link, rule),
      keyPrefix: prefix,
      points: rule.capacity,
      duration: rule.windowMs / 1000,
      customIncrTtlLuaScript: WINDOW_SCRIPT,
      rejectIfRedisNotReady: true,
    })
    link.onRecovered(prefix, () => this.#replay())
  }

  addNow(key: string, points = 1): CounterState | null {
    const refused = this.#refused.get(key)
    if (refused !== undefined) {
      const now = performance.now()
      if (now < refused.trustUntil) return this.#overLimit(refused.resetAt - now)
      this.#refused.delete(key)
    }
    return this.#link.isUp ? null : this.#degraded(key, points)
  }

  add(key: string, points = 1): Promise<CounterState> {
    const now = this.addNow(key, points)
    if (now !== null) return Promise.resolve(now)
    return this.#limiter.consume(key, wholePoints(points)).then(
      (result) => stateOf(this.#rule, result.consumedPoints, result.msBeforeNext, false),
      (reason: unknown) => this.#onRefused(key, points, reason),
    )
  }

  async get(key: string): Promise<CounterState | null> {
    if (!this.#link.isUp) return this.#degradedLook(key)
    const { capacity, windowMs, rate } = this.#rule
    try {
      const args = [`${this.#prefix}:${key}`, '0', '1', capacity, windowMs / 1000, rate, 0]
      const [used, resetMs] = await this.#link.step(args.map(String))
      return used === 0 ? null : lookedAt(stateOf(this.#rule, used, resetMs, false))
    } catch (error) {
      this.#onError(error)
      return this.#degradedLook(key)
    }
  }

  async block(key: string, durationMs: number): Promise<void> {
    this.#local.blockNow(key, durationMs)
    this.#noteRefused(key, durationMs)
    await this.#shared(key, performance.now() + durationMs)
  }

  async clear(key: string): Promise<void> {
    this.#local.clearNow(key)
    this.#refused.delete(key)
    await this.#shared(key, 0)
    // An add that was under way may have noted its refusal meanwhile.
    this.#refused.delete(key)
  }

  /** Brings a block or a clear to Redis; where Redis is down, as soon as it is back. */
  async #shared(key: string, until: number): Promise<void> {
    if (!this.#link.isUp) return this.#pending.set(key, until)
    const leftMs = until - performance.now()
    const redisKey = `${this.#prefix}:${key}`
    try {
      await (until === 0 || leftMs <= 0 ? this.#link.delete(redisKey) : this.#link.block(redisKey, leftMs))
    } catch (error) {
      this.#onError(error)
      this.#pending.set(key, until)
    }
  }

  #replay(): void {
    const pending = [...this.#pending.entries()]
    this.#pending.clear()
    const now = performance.now()
    for (const [key, until] of pending) if (until === 0 || until > now) void this.#shared(key, until)
  }

  #onRefused(key: string, points: number, reason: unknown): CounterState {
    // Exhaustion is a result object, not an Error; everything else means that nobody counted.
    if (!(reason instanceof RateLimiterRes)) {
      this.#onError(reason)
      return this.#degraded(key, points)
    }
    const resetMs = reason.msBeforeNext
    this.#noteRefused(key, resetMs)
    // So that an outage does not set a blocked client free.
    if (this.#rule.blockMs > 0) this.#local.blockNow(key, resetMs)
    return this.#overLimit(resetMs)
  }

  #onError(error: unknown): void {
    if (error instanceof DeadlineError) return
    const { name, message } = error as Error
    // One key of a foreign kind is no outage.
    if (name === 'ReplyError' && (message.startsWith('WRONGTYPE') || message.includes('not an integer'))) {
      return this.#metrics.count('limit_store_total', 'key-error')
    }
    this.#link.trip(message.slice(0, 160))
  }

  #degraded(key: string, points: number): CounterState {
    this.#metrics.count('limit_store_total', 'degraded')
    if (this.#policy === 'allow') return degradedState(this.#rule.capacity, this.#rule.windowMs, true)
    if (this.#policy === 'deny') return degradedState(0, DENIED_RESET_MS, false)
    const state = this.#local.addNow(key, points)
    if (!state.allowed && this.#rule.blockMs > 0) this.#pending.set(key, performance.now() + state.resetMs)
    return state
  }

  #degradedLook(key: string): Promise<CounterState | null> {
    if (this.#policy === 'deny') return Promise.resolve(degradedState(0, DENIED_RESET_MS, false))
    return this.#policy === 'allow' ? Promise.resolve(null) : this.#local.get(key)
  }

  #noteRefused(key: string, resetMs: number): void {
    const now = performance.now()
    this.#refused.set(key, { trustUntil: now + Math.min(resetMs, REFUSED_TRUST_MS), resetAt: now + resetMs })
  }

  #overLimit(resetMs: number): CounterState {
    return stateOf(this.#rule, this.#rule.capacity + 1, resetMs, false)
  }
}

function degradedState(remaining: number, resetMs: number, allowed: boolean): CounterState {
  return { used: 0, remaining, resetMs, allowed, degraded: true }
}
