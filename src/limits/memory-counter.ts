/**
 * Counts of this process alone: the store without Redis, and what answers while Redis is down. Knows no network.
 *
 * Not RateLimiterMemory: it keeps one timer per key and any number of keys (a million addresses are a million timers),
 * has no saved burst, and answers only by a promise. This one is bounded, has no timers, and answers at once.
 */
import type { Counter, CounterState } from '../exchange/contracts.ts'
import { BoundedMap } from './bounded-map.ts'
import { stateOf, type WindowRule, wholePoints, windowsToDrain } from './window.ts'

/**
 * Keys of one counter, some 20 MB when full. Past it the keys untouched for longest are forgotten, which gives them a
 * new allowance: a flood from more addresses than this is for the connection caps and the network in front.
 */
const MAX_KEYS = 200_000

/** A counter that can answer without a promise: the path without Redis costs no microtask. */
export interface ImmediateCounter extends Counter {
  /** Adds and tells, or null where only `add` can (nothing was added then). */
  addNow(key: string, points?: number): CounterState | null
}

interface Entry {
  used: number
  /** End of the running window; or of the block, where `used` is -1. Monotonic milliseconds. */
  endsAt: number
}

export class MemoryCounter implements ImmediateCounter {
  readonly #rule: WindowRule
  readonly #degraded: boolean
  readonly #entries: BoundedMap<Entry>
  readonly #now: () => number

  /** `degraded` marks every answer as one given while the shared store is down. */
  constructor(
    rule: WindowRule,
    degraded: boolean,
    onDrop: (() => void) | null = null,
    maxKeys: number = MAX_KEYS,
    now: () => number = () => performance.now(),
  ) {
    this.#rule = rule
    this.#degraded = degraded
    this.#entries = new BoundedMap(maxKeys, onDrop)
    this.#now = now
  }

  get size(): number {
    return this.#entries.size
  }

  addNow(key: string, points = 1): CounterState {
    const rule = this.#rule
    const now = this.#now()
    const entry = this.#current(key, now)
    if (entry !== null && entry.used < 0) return this.#refused(entry.endsAt - now)
    const used = entry === null ? 0 : entry.used
    const endsAt = entry === null ? now + rule.windowMs : entry.endsAt
    const total = used + wholePoints(points)
    if (total > rule.capacity) {
      if (rule.blockMs > 0) {
        this.#put(key, entry, -1, now + rule.blockMs)
        return this.#refused(rule.blockMs)
      }
      this.#put(key, entry, rule.capacity, endsAt)
      return this.#refused(endsAt - now)
    }
    this.#put(key, entry, total, endsAt)
    return stateOf(rule, total, endsAt - now, this.#degraded)
  }

  async add(key: string, points = 1): Promise<CounterState> {
    return this.addNow(key, points)
  }

  async get(key: string): Promise<CounterState | null> {
    const now = this.#now()
    const entry = this.#current(key, now)
    if (entry === null) return null
    if (entry.used < 0) return this.#refused(entry.endsAt - now)
    return lookedAt(stateOf(this.#rule, entry.used, entry.endsAt - now, this.#degraded))
  }

  async block(key: string, durationMs: number): Promise<void> {
    this.blockNow(key, durationMs)
  }

  blockNow(key: string, durationMs: number): void {
    this.#entries.set(key, { used: -1, endsAt: this.#now() + Math.max(1, durationMs) })
  }

  async clear(key: string): Promise<void> {
    this.clearNow(key)
  }

  clearNow(key: string): void {
    this.#entries.delete(key)
  }

  #refused(resetMs: number): CounterState {
    return stateOf(this.#rule, this.#rule.capacity + 1, resetMs, this.#degraded)
  }

  #put(key: string, entry: Entry | null, used: number, endsAt: number): void {
    if (entry === null) return this.#entries.set(key, { used, endsAt })
    entry.used = used
    entry.endsAt = endsAt
  }

  /** The entry as of now, with the windows that went by taken off; null where nothing is left of it. */
  #current(key: string, now: number): Entry | null {
    const entry = this.#entries.get(key)
    if (entry === undefined) return null
    if (now < entry.endsAt) return entry
    const rule = this.#rule
    const passed = Math.floor((now - entry.endsAt) / rule.windowMs) + 1
    if (entry.used < 0 || passed >= windowsToDrain(rule, entry.used)) {
      this.#entries.delete(key)
      return null
    }
    entry.used -= passed * rule.rate
    entry.endsAt += passed * rule.windowMs
    return entry
  }
}

/** A look asks whether one more add would be let through. */
export function lookedAt(state: CounterState): CounterState {
  return state.remaining > 0 ? state : { ...state, allowed: false }
}
