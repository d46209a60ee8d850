/**
 * The arithmetic of one limit: a fixed window whose unspent part fills a bounded reserve. Pure numbers; the same rule
 * runs in Redis (window-script.ts) and in memory (memory-counter.ts), and a test holds the two together.
 *
 * A key has a number `used`. An add is let through while `used + points <= capacity`, where capacity = rate + burst. At
 * each end of a window `rate` is taken off `used`, down to 0; a key at 0 is forgotten and its next add starts a new
 * window. So a fresh client may send rate + burst at once, a client that spends everything gets `rate` in each further
 * window, what it leaves unspent fills its reserve up to `burst`, and over any k windows in a row no more than
 * k * rate + burst pass. Without a burst this is the plain fixed window, exact to the request.
 */
import type { CounterOptions, CounterState } from '../exchange/contracts.ts'

/** What the limits feature asks of a counter beyond the contract. */
export interface BurstOptions extends CounterOptions {
  /** Points over `points` that an idle key saves up; 0 or missing: none. */
  readonly burst?: number
}

export interface WindowRule {
  /** Points that each window gives. */
  readonly rate: number
  /** Points at most: rate and burst. */
  readonly capacity: number
  readonly windowMs: number
  /** Milliseconds that a key stays blocked after it went over; 0: until its window ends. */
  readonly blockMs: number
}

/** The rule of a counter. A window is at least a second: RateLimiterRedis counts in seconds. */
export function windowRule(options: BurstOptions): WindowRule {
  const rate = Math.max(1, Math.trunc(options.points))
  return {
    rate,
    capacity: rate + Math.max(0, Math.trunc(options.burst ?? 0)),
    windowMs: Math.max(1000, Math.round(options.windowMs)),
    blockMs: Math.max(0, Math.round(options.blockMs)),
  }
}

/** Windows that `used` needs to drain to 0, at least 1. */
export function windowsToDrain(rule: WindowRule, used: number): number {
  return Math.max(1, Math.ceil(used / rule.rate))
}

/** `used` above capacity says: this add was refused. */
export function stateOf(rule: WindowRule, used: number, resetMs: number, degraded: boolean): CounterState {
  return {
    used,
    remaining: Math.max(0, rule.capacity - used),
    resetMs: Math.max(1, Math.ceil(resetMs)),
    allowed: used <= rule.capacity,
    degraded,
  }
}

/** Whole points, at least 1: nothing that adds can take away. */
export function wholePoints(points: number): number {
  return Number.isFinite(points) ? Math.max(1, Math.trunc(points)) : 1
}
