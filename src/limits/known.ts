/**
 * Clients that a limit knows: under this key, an answer to them has succeeded lately. Where everybody else is refused, each
 * of them has a count of its own, so that nobody is locked out by what strangers do. Knows no exchange's stages.
 */
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type OwnCount, ownKey } from '../exchange/own-count.ts'

/** Nobody succeeds so often. */
const POINTS = 1_000_000_000

export class Known {
  readonly #counter: Counter
  readonly #statuses: ReadonlySet<number>

  /** `name`: of the limit. `forMs`: how long a success is remembered. */
  constructor(name: string, store: CounterStore, forMs: number, statuses: readonly number[]) {
    const options = { points: POINTS, windowMs: forMs, blocks: [], onOutage: 'local' } as const
    this.#counter = store.counter({ ...options, name: `${name}.known` })
    this.#statuses = new Set(statuses)
  }

  /** The count of the client alone, under a key of the limit. */
  ownCount(key: string, x: Exchange): OwnCount {
    return { known: this.#counter, key: ownKey(key, x.clientKey) }
  }

  /** Remembers the client at the end of the exchange, where its answer says that it succeeded. */
  rememberLater(x: Exchange, { key }: OwnCount, store: CounterStore): void {
    const release = x.onRelease
    x.onRelease = () => {
      release?.()
      if (!this.#statuses.has(x.status)) return
      store.claim([{ counter: this.#counter, key, points: 1, own: null }], NOBODY)
    }
  }
}

const NOBODY = { onStates(): void {} }
