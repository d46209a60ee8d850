/**
 * Remembers, in the shared store and for days, from which addresses an account signed in: few per account, so that they
 * cannot add up to many guesses. It sees keyed hashes only.
 */
import type { Counter, CounterStore } from '../exchange/contracts.ts'

/** New ones that an account may gain within the time one is known. */
const MOST_KNOWN = 8
/** A time in the store that is shorter is renewed. */
const RENEW_BELOW = 0.75

export class KnownAddresses {
  readonly #known: Counter | null
  readonly #gained: Counter | null
  readonly #forMs: number

  /** `forMs` 0: none is ever known. */
  constructor(store: Pick<CounterStore, 'counter'>, forMs: number) {
    const options = { windowMs: forMs, blocks: [], onOutage: 'local' } as const
    this.#forMs = forMs
    this.#known = forMs === 0 ? null : store.counter({ ...options, name: 'sign-in-known-since', points: 1_000_000 })
    this.#gained = forMs === 0 ? null : store.counter({ ...options, name: 'sign-in-known-gained', points: MOST_KNOWN })
  }

  async has(key: string): Promise<boolean> {
    return this.#known !== null && (await this.#known.get(key)) !== null
  }

  /** After a success: knows the address from now on, or goes on knowing it. */
  async remember(key: string, account: string): Promise<void> {
    if (this.#known === null || this.#gained === null) return
    const since = await this.#known.get(key)
    if (since === null) {
      const gained = await this.#gained.add(account)
      if (!gained.allowed || gained.used > MOST_KNOWN) return
    } else {
      if (since.resetMs > this.#forMs * RENEW_BELOW) return
      await this.#known.clear(key)
    }
    await this.#known.add(key)
  }
}
