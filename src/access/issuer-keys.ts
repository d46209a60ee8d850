/**
 * The keys of one provider: fetched when they are first asked for, anew when they are old or one is missing, never more
 * often than configured, and kept over an outage until they are too old. It knows no token.
 */
import { type KeyTable, keyName, type VerifyingKey } from './jws.ts'

/** After a failed fetch, so that an outage ends soon after it is over. */
const RETRY_MS = 5000

export interface IssuerKeysOptions {
  /** Rejects with an Error whose message is for the log. */
  readonly fetch: () => Promise<KeyTable>
  /** Milliseconds: the age at which keys are fetched anew, the least time between fetches, the age at which they end. */
  readonly refreshMs: number
  readonly refetchMs: number
  readonly maxAgeMs: number
  /** A key that was there is not any more. */
  readonly onGone: () => void
  /** After each fetch; null: it succeeded. */
  readonly onFetched: (problem: string | null) => void
  /** Milliseconds that only grow. */
  readonly now?: () => number
}

export class IssuerKeys {
  readonly #options: IssuerKeysOptions
  readonly #now: () => number
  #table: KeyTable = new Map()
  #fetchedAt = Number.NEGATIVE_INFINITY
  #triedAt = Number.NEGATIVE_INFINITY
  #hasFailed = false
  #fetching: Promise<void> | null = null

  constructor(options: IssuerKeysOptions) {
    this.#options = options
    this.#now = options.now ?? (() => performance.now())
  }

  /** The key; null where the provider has none of that name; 'down' where there are no keys young enough to judge by. */
  async find(algorithm: string, kid: string | null): Promise<VerifyingKey | null | 'down'> {
    const { maxAgeMs } = this.#options
    if (this.#age > maxAgeMs) await this.#fetch()
    else this.keepFresh()
    if (this.#age > maxAgeMs) return 'down'
    const name = keyName(algorithm, kid)
    const known = this.#table.get(name)
    if (known !== undefined) return known
    await this.#fetch()
    return this.#table.get(name) ?? null
  }

  /** Keys that are old are fetched anew, behind the scenes. */
  keepFresh(): void {
    if (this.#age > this.#options.refreshMs) void this.#fetch()
  }

  get #age(): number {
    return this.#now() - this.#fetchedAt
  }

  /** Never rejects. Nothing happens where the last one is too young. */
  #fetch(): Promise<void> {
    if (this.#fetching !== null) return this.#fetching
    const { refetchMs } = this.#options
    const least = this.#hasFailed ? Math.min(refetchMs, RETRY_MS) : refetchMs
    if (this.#now() - this.#triedAt < least) return Promise.resolve()
    this.#triedAt = this.#now()
    this.#fetching = this.#run().finally(() => {
      this.#fetching = null
    })
    return this.#fetching
  }

  async #run(): Promise<void> {
    const { fetch, onGone, onFetched } = this.#options
    try {
      const table = await fetch()
      const before = this.#table
      this.#table = table
      this.#fetchedAt = this.#now()
      this.#hasFailed = false
      for (const name of before.keys()) {
        if (table.has(name)) continue
        onGone()
        break
      }
      onFetched(null)
    } catch (error) {
      this.#hasFailed = true
      onFetched((error as Error).message)
    }
  }
}
