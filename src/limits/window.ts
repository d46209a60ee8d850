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

export interface WindowRule {
  /** Points that each window gives. */
  readonly rate: number
  /** Points at most: rate and burst. */
  readonly capacity: number
  readonly windowMs: number
  /** Milliseconds that a key stays blocked after it went over, the first time, the second, ...; empty: until its window ends. */
  readonly blocks: readonly number[]
  /** Milliseconds after a block at which the next one is the first again. */
  readonly quietMs: number
  /** What it refuses holds no other claim up. */
  readonly isDry: boolean
}

const LEAST_WINDOW_MS = 100
const QUIET_MS = 86_400_000

/** The rule of a counter, in whole numbers. */
export function windowRule(options: CounterOptions): WindowRule {
  const rate = Math.max(1, Math.trunc(options.points))
  return {
    rate,
    capacity: rate + Math.max(0, Math.trunc(options.burst ?? 0)),
    windowMs: Math.max(LEAST_WINDOW_MS, Math.round(options.windowMs)),
    blocks: options.blocks.map((ms) => Math.max(1, Math.round(ms))),
    quietMs: Math.max(0, Math.round(options.quietMs ?? QUIET_MS)),
    isDry: options.dryRun ?? false,
  }
}

/** Milliseconds of the block that follows so many strikes, this one included. */
export function blockAfter(rule: WindowRule, strikes: number): number {
  return rule.blocks[Math.min(strikes, rule.blocks.length) - 1]!
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
