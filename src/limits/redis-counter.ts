/**
 * One counter in Redis as this process sees it: what it knows to be refused, what answers while Redis is down, and what is
 * still to be told. It never rejects and never waits for a store that is down. Knows no requests and no connection.
 */
import { createHash } from 'node:crypto'
import type {
  Claim,
  ClaimStates,
  ClaimWaiter,
  Counter,
  CounterState,
  Metrics,
  OutagePolicy,
} from '../exchange/contracts.ts'
import { OWN, type OwnCount } from '../exchange/own-count.ts'
import { BoundedMap } from './bounded-map.ts'
import { lookedAt, MemoryCounter } from './memory-counter.ts'
import { stateOf, type WindowRule } from './window.ts'
import { ruleText } from './window-script.ts'

/** Refused keys that are answered without Redis, and for how long: another node may clear a key at any time. */
const MAX_REFUSED_KEYS = 100_000
const REFUSED_TRUST_MS = 1000
/** Blocks and clears that wait for Redis to be back; beyond it the oldest are dropped. */
const MAX_PENDING = 10_000
/** What a client is told under the policy `deny`: the store may be back in a second. */
const DENIED_RESET_MS = 1000
/** Characters of a key as it stands in Redis; of longer ones a digest does. */
const MAX_KEY_LENGTH = 128
const BRACES = /[{}]/g

interface Refused {
  readonly trustUntil: number
  readonly resetAt: number
}

/** What a counter needs of its store. */
export interface SharedSteps {
  readonly isUp: boolean
  claim(claims: readonly Claim[], waiter: ClaimWaiter): ClaimStates | null
  /** `operation`: as the window script reads it. Resolves to whether Redis did it. */
  write(counter: RedisCounter, key: string, operation: string): Promise<boolean>
}

export class RedisCounter implements Counter {
  readonly rule: WindowRule
  /** The rule for the window script. */
  readonly ruleText: string
  readonly #steps: SharedSteps
  readonly #prefix: string
  readonly #policy: OutagePolicy
  readonly #metrics: Metrics
  readonly #local: MemoryCounter
  readonly #refused = new BoundedMap<Refused>(MAX_REFUSED_KEYS)
  /** End of the block, or 0 for a clear. Monotonic milliseconds. */
  readonly #pending = new BoundedMap<number>(MAX_PENDING)

  /** Keys are `${prefix}:{${key}}`. */
  constructor(steps: SharedSteps, prefix: string, rule: WindowRule, policy: OutagePolicy, metrics: Metrics) {
    this.rule = rule
    this.ruleText = ruleText(rule)
    this.#steps = steps
    this.#prefix = prefix
    this.#policy = policy
    this.#metrics = metrics
    this.#local = new MemoryCounter(rule, true, (what) => metrics.count('limit_store_total', what))
  }

  /** The key in Redis. What stands in braces decides where it lives in a Cluster: the same for all counters. */
  redisKey(key: string): string {
    const at = key.indexOf(OWN)
    if (at === -1) return `${this.#prefix}:{${tagOf(key)}}`
    // Beside the common one.
    return `${this.#prefix}:{${tagOf(key.slice(0, at))}}|${key.slice(at + 1)}`
  }

  /** The refusal that a key is known to get; null where Redis must be asked. */
  knownRefusal(key: string, now: number): CounterState | null {
    const refused = this.#refused.get(key)
    if (refused === undefined) return null
    if (now < refused.trustUntil) return this.#overLimit(refused.resetAt - now)
    this.#refused.delete(key)
    return null
  }

  /**
   * What Redis answered for a claim. `used` -1: a key of another kind, which is no outage. A refusal is known to hold for `own`
   * only, where that is not null.
   */
  stateFrom(key: string, points: number, own: OwnCount | null, used: number, resetMs: number): CounterState {
    if (used < 0) {
      this.#metrics.count('limit_store_total', 'key-error')
      return this.degraded(key, points, true)
    }
    if (used <= this.rule.capacity) {
      const state = stateOf(this.rule, used, resetMs, false)
      return points === 0 ? lookedAt(state) : state
    }
    this.#noteRefused(own === null ? key : own.key, resetMs)
    // So that an outage does not set a blocked client free.
    if (this.rule.blocks.length > 0) this.#local.blockNow(key, resetMs)
    return this.#overLimit(resetMs)
  }

  /** Whether the policy refuses this while Redis is down. */
  refusesDegraded(key: string, points: number): boolean {
    if (this.#policy === 'local') return this.#local.refuses(key, points)
    return this.#policy === 'deny'
  }

  /** What the policy says while Redis is down. `counts`: false only looks. */
  degraded(key: string, points: number, counts: boolean): CounterState {
    this.#metrics.count('limit_store_total', 'degraded')
    if (this.#policy === 'allow') return degradedState(this.rule.capacity, this.rule.windowMs, true)
    if (this.#policy === 'deny') return degradedState(0, DENIED_RESET_MS, false)
    if (!counts || points === 0) return this.#local.lookNow(key)
    const state = this.#local.addNow(key, points)
    if (!state.allowed && this.rule.blocks.length > 0) this.#pending.set(key, performance.now() + state.resetMs)
    return state
  }

  add(key: string, points = 1): Promise<CounterState> {
    return this.#claim(key, Math.max(1, points))
  }

  async get(key: string): Promise<CounterState | null> {
    const state = await this.#claim(key, 0)
    if (state.degraded && this.#policy === 'allow') return null
    return state.used === 0 && state.allowed ? null : state
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

  /** Brings to Redis what it could not be told. */
  replay(): void {
    const pending = [...this.#pending.entries()]
    this.#pending.clear()
    const now = performance.now()
    for (const [key, until] of pending) if (until === 0 || until > now) void this.#shared(key, until)
  }

  #claim(key: string, points: number): Promise<CounterState> {
    return new Promise((resolve) => {
      const onStates = (states: ClaimStates) => resolve(states[0]!)
      const states = this.#steps.claim([{ counter: this, key, points, own: null }], { onStates })
      if (states !== null) onStates(states)
    })
  }

  /** Brings a block or a clear to Redis; where Redis is down, as soon as it is back. */
  async #shared(key: string, until: number): Promise<void> {
    if (!this.#steps.isUp) return this.#pending.set(key, until)
    const leftMs = until - performance.now()
    const operation = until === 0 || leftMs <= 0 ? '0x' : String(-Math.max(1, Math.ceil(leftMs)))
    if (!(await this.#steps.write(this, key, operation))) this.#pending.set(key, until)
  }

  #noteRefused(key: string, resetMs: number): void {
    const now = performance.now()
    this.#refused.set(key, { trustUntil: now + Math.min(resetMs, REFUSED_TRUST_MS), resetAt: now + resetMs })
  }

  #overLimit(resetMs: number): CounterState {
    return stateOf(this.rule, this.rule.capacity + 1, resetMs, false)
  }
}

function degradedState(remaining: number, resetMs: number, allowed: boolean): CounterState {
  return { used: 0, remaining, resetMs, allowed, degraded: true }
}

/** Braces of a client's own would move its keys apart in a Cluster, where one step takes keys of one place. */
function tagOf(key: string): string {
  if (key === '' || key.length > MAX_KEY_LENGTH) return createHash('sha256').update(key).digest('base64url')
  return key.includes('{') || key.includes('}') ? key.replace(BRACES, escaped) : key
}

function escaped(brace: string): string {
  return brace === '{' ? '%7B' : '%7D'
}
