/**
 * Counts of this process alone: the store without Redis, and what answers while Redis is down. Knows no network.
 *
 * Bounded, without timers, and it answers at once: a flood of a million addresses costs what the bounds below say.
 */
import type { Counter, CounterState } from '../exchange/contracts.ts'
import { type Block, BlockTable } from './block-table.ts'
import { BoundedMap } from './bounded-map.ts'
import { blockAfter, stateOf, type WindowRule, wholePoints, windowsToDrain } from './window.ts'

/**
 * Keys of one counter. Past it the keys untouched for longest are forgotten, which gives them a new allowance: a flood from
 * more addresses than this is for the connection caps and the network in front.
 */
const MAX_KEYS = 200_000
/** Blocked keys of one counter, beside those. */
const MAX_BLOCKS = 100_000

/** What a counter tells when it comes to its bounds: keys were forgotten, a block did not fit. */
export type OnFull = (what: 'memory-full' | 'blocks-full') => void

interface Entry {
  used: number
  /** End of the running window. Monotonic milliseconds. */
  endsAt: number
}

export class MemoryCounter implements Counter {
  readonly rule: WindowRule
  readonly #degraded: boolean
  readonly #entries: BoundedMap<Entry>
  readonly #blocks: BlockTable
  readonly #onFull: OnFull | null
  readonly #now: () => number

  /** `degraded` marks every answer as one given while the shared store is down. */
  constructor(
    rule: WindowRule,
    degraded: boolean,
    onFull: OnFull | null = null,
    maxKeys: number = MAX_KEYS,
    now: () => number = () => performance.now(),
    maxBlocks: number = MAX_BLOCKS,
  ) {
    this.rule = rule
    this.#degraded = degraded
    this.#onFull = onFull
    this.#entries = new BoundedMap(maxKeys, onFull === null ? null : () => onFull('memory-full'))
    this.#blocks = new BlockTable(maxBlocks)
    this.#now = now
  }

  /** Keys held. */
  get size(): number {
    return this.#entries.size + this.#blocks.size
  }

  /** Whether `addNow` would refuse; with 0 points, whether an add of 1 would be refused. */
  refuses(key: string, points: number): boolean {
    const now = this.#now()
    const block = this.#blocks.get(key, now)
    if (block !== null && now < block.till) return true
    const entry = this.#current(key, now)
    return (entry === null ? 0 : entry.used) + wholePoints(points) > this.rule.capacity
  }

  addNow(key: string, points = 1): CounterState {
    const rule = this.rule
    const now = this.#now()
    const block = this.#blocks.get(key, now)
    if (block !== null && now < block.till) return this.#refused(block.till - now)
    const entry = this.#current(key, now)
    const used = entry === null ? 0 : entry.used
    const endsAt = entry === null ? now + rule.windowMs : entry.endsAt
    const total = used + wholePoints(points)
    if (total <= rule.capacity) {
      this.#put(key, entry, total, endsAt)
      return stateOf(rule, total, endsAt - now, this.#degraded)
    }
    if (rule.blocks.length > 0) {
      const strikes = block === null ? 1 : block.strikes + 1
      const blockMs = blockAfter(rule, strikes)
      if (this.#block(key, blockMs, strikes, now)) return this.#refused(blockMs)
    }
    this.#put(key, entry, rule.capacity, endsAt)
    return this.#refused(endsAt - now)
  }

  /** The state without adding. */
  lookNow(key: string): CounterState {
    const now = this.#now()
    const block = this.#blocks.get(key, now)
    if (block !== null && now < block.till) return this.#refused(block.till - now)
    const entry = this.#current(key, now)
    if (entry === null) return stateOf(this.rule, 0, this.rule.windowMs, this.#degraded)
    return lookedAt(stateOf(this.rule, entry.used, entry.endsAt - now, this.#degraded))
  }

  async add(key: string, points = 1): Promise<CounterState> {
    return this.addNow(key, points)
  }

  async get(key: string): Promise<CounterState | null> {
    const state = this.lookNow(key)
    return state.used === 0 ? null : state
  }

  async block(key: string, durationMs: number): Promise<void> {
    this.blockNow(key, durationMs)
  }

  /** Keeps the strikes of the key. */
  blockNow(key: string, durationMs: number): void {
    const now = this.#now()
    const strikes = this.#blocks.get(key, now)?.strikes ?? 0
    if (this.#block(key, Math.max(1, durationMs), strikes, now)) return
    this.#put(key, this.#current(key, now), this.rule.capacity, now + this.rule.windowMs)
  }

  async clear(key: string): Promise<void> {
    this.clearNow(key)
  }

  clearNow(key: string): void {
    this.#entries.delete(key)
    this.#blocks.delete(key)
  }

  /** After it the key starts anew. False where there is no place for one more. */
  #block(key: string, durationMs: number, strikes: number, now: number): boolean {
    const till = now + durationMs
    const block: Block = { till, strikes, forgetAt: strikes > 0 ? till + this.rule.quietMs : till }
    if (!this.#blocks.set(key, block, now)) {
      this.#onFull?.('blocks-full')
      return false
    }
    this.#entries.delete(key)
    return true
  }

  #refused(resetMs: number): CounterState {
    return stateOf(this.rule, this.rule.capacity + 1, resetMs, this.#degraded)
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
    const rule = this.rule
    const passed = Math.floor((now - entry.endsAt) / rule.windowMs) + 1
    if (passed >= windowsToDrain(rule, entry.used)) {
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
