/** Counters in plain memory with a clock of its own, for tests that must move time. Not the gateway's store. */
import type { Counter, CounterOptions, CounterState, CounterStore } from '../../src/exchange/contracts.ts'

interface Entry {
  used: number
  endsAt: number
  blockedUntil: number
}

export class MemoryCounters implements Pick<CounterStore, 'counter'> {
  nowMs = 1_000_000
  /** Every key that was ever counted, with its counter's name in front. */
  readonly keys = new Set<string>()
  readonly calls = { add: 0, get: 0, block: 0, clear: 0 }

  counter(options: CounterOptions): Counter {
    const entries = new Map<string, Entry>()
    const live = (key: string): Entry | null => {
      this.keys.add(`${options.name}:${key}`)
      const entry = entries.get(key)
      if (entry === undefined) return null
      if (entry.endsAt > this.nowMs || entry.blockedUntil > this.nowMs) return entry
      entries.delete(key)
      return null
    }
    const state = (entry: Entry): CounterState => {
      const blocked = entry.blockedUntil > this.nowMs
      return {
        used: entry.used,
        remaining: blocked ? 0 : Math.max(0, options.points - entry.used),
        resetMs: (blocked ? entry.blockedUntil : entry.endsAt) - this.nowMs,
        allowed: !blocked && entry.used <= options.points,
        degraded: false,
      }
    }
    return {
      add: async (key, points = 1) => {
        this.calls.add++
        let entry = live(key)
        if (entry === null) {
          entry = { used: 0, endsAt: this.nowMs + options.windowMs, blockedUntil: 0 }
          entries.set(key, entry)
        }
        entry.used += points
        if (entry.used > options.points && options.blocks.length > 0 && entry.blockedUntil <= this.nowMs) {
          entry.blockedUntil = this.nowMs + options.blocks[0]!
        }
        return state(entry)
      },
      get: async (key) => {
        this.calls.get++
        const entry = live(key)
        return entry === null ? null : state(entry)
      },
      block: async (key, durationMs) => {
        this.calls.block++
        const entry = live(key) ?? { used: options.points + 1, endsAt: 0, blockedUntil: 0 }
        entry.used = Math.max(entry.used, options.points + 1)
        entry.blockedUntil = this.nowMs + durationMs
        entry.endsAt = Math.max(entry.endsAt, entry.blockedUntil)
        entries.set(key, entry)
      },
      clear: async (key) => {
        this.calls.clear++
        entries.delete(key)
      },
    }
  }
}
