/**
 * Clients that a limit knows: under this key, an answer to them has succeeded lately. Where everybody else is refused, each
 * of them has a count of its own, so that nobody is locked out by what strangers do. Knows no exchange's stages.
 */
import type { Claim, Counter, CounterStore } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'

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

  /** The key of one client under a key of the limit. */
  keyOf(key: string, x: Exchange): string {
    return `${key}|${x.clientKey}`
  }

  /** Asks whether the client is known: `used` of the state is more than 0 then. */
  look(clientKey: string): Claim {
    return { counter: this.#counter, key: clientKey, points: 0 }
  }

  /** Remembers the client at the end of the exchange, where its answer says that it succeeded. */
  rememberLater(x: Exchange, clientKey: string, store: CounterStore): void {
    const release = x.onRelease
    x.onRelease = () => {
      release?.()
      if (!this.#statuses.has(x.status)) return
      store.claim([{ counter: this.#counter, key: clientKey, points: 1 }], NOBODY)
    }
  }
}

const NOBODY = { onStates(): void {} }
