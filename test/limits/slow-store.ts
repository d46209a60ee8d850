/** A store that answers when the test says so, and is told of everything that is asked. */
import type { Claim, ClaimWaiter, Counter, CounterState, CounterStore } from '../../src/exchange/contracts.ts'
import { BanList } from '../../src/limits/ban-list.ts'
import { MemoryValues } from '../../src/limits/memory-values.ts'

const NO_COUNTER: Counter = {
  add: () => Promise.reject(new Error('not by itself')),
  get: async () => null,
  block: async () => {},
  clear: async () => {},
}

export class SlowStore implements CounterStore {
  readonly isUp = true
  readonly bans = new BanList()
  readonly values = new MemoryValues()
  readonly asked: { keys: string[]; answer: (...states: Partial<CounterState>[]) => void }[] = []

  counter(): Counter {
    return NO_COUNTER
  }

  claim(claims: readonly Claim[], waiter: ClaimWaiter): null {
    const base = { used: 1, remaining: 4, resetMs: 1000, allowed: true, degraded: false }
    this.asked.push({
      keys: claims.map(({ key }) => key),
      answer: (...states) => waiter.onStates(claims.map((_, i) => ({ ...base, ...states[i] }))),
    })
    return null
  }

  refusal(): null {
    return null
  }

  async close(): Promise<void> {}
}
