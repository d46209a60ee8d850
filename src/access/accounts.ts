/**
 * The accounts as a running gateway knows them: the file is looked at again before each sign-in, and a broken one changes
 * nothing. It knows no request and no listener.
 */
import { statSync } from 'node:fs'
import { ConfigurationError } from '../errors.ts'
import type { Account } from './account.ts'
import { type AccountChange, changeAccounts } from './account-changes.ts'
import { type AccountBook, codeOf, readAccountFile } from './account-file.ts'
import { unmatchableHash } from './passwords.ts'
import { DEFAULT_COST, type HashCost, parseHash } from './scheme.ts'

/** What the sign-in needs to know. */
export interface Accounts {
  /** Null where there is none of this name. */
  find(name: string): Account | null
  /** Costs as much to check as the accounts' own hashes, and is matched by no password. */
  readonly unknownHash: string
  /** For keyed hashes that all gateways of this file share. */
  readonly key: Buffer
  /** Changes the file, and what is known here. Rejects with a ConfigurationError where that cannot be. */
  change<T>(change: AccountChange<T>): Promise<T>
}

export interface AccountEvents {
  /** The file was read again: what it held and what it holds. */
  onChanged(before: ReadonlyMap<string, Account>, after: ReadonlyMap<string, Account>): void
  /** The file is broken now; what was known stays. Told once for each state of the file. */
  onBroken(problems: readonly string[]): void
}

/** Milliseconds for which a look at the file's facts is good. */
const LOOK_MS = 50

export class AccountStore implements Accounts {
  readonly #path: string
  readonly #events: AccountEvents
  readonly #now: () => number
  #book: AccountBook
  #signature: string
  #unknownHash: string
  #lookedAt: number

  /** Reads the file. Throws ConfigurationError with every problem, the file named in each. */
  constructor(path: string, events: AccountEvents, now: () => number = () => performance.now()) {
    this.#path = path
    this.#events = events
    this.#now = now
    this.#lookedAt = now()
    // Before it is read: what is changed in between is read again.
    this.#signature = signatureOf(path)
    this.#book = readAccountFile(path)
    if (this.#book.accounts.size === 0) {
      throw new ConfigurationError([`${path}: has no account; make one with \`portcullis users add NAME\``])
    }
    this.#unknownHash = unmatchableHash(commonCost(this.#book.accounts))
  }

  get unknownHash(): string {
    return this.#unknownHash
  }

  get key(): Buffer {
    return this.#book.key
  }

  find(name: string): Account | null {
    this.#look(LOOK_MS)
    return this.#book.accounts.get(name) ?? null
  }

  async change<T>(change: AccountChange<T>): Promise<T> {
    const result = await changeAccounts(this.#path, change)
    this.#look(0)
    return result
  }

  #look(sinceMs: number): void {
    const now = this.#now()
    if (now - this.#lookedAt < sinceMs) return
    this.#lookedAt = now
    const signature = signatureOf(this.#path)
    if (signature === this.#signature) return
    this.#signature = signature
    try {
      const before = this.#book
      this.#book = readAccountFile(this.#path)
      this.#unknownHash = unmatchableHash(commonCost(this.#book.accounts))
      this.#events.onChanged(before.accounts, this.#book.accounts)
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      this.#events.onBroken(error.problems)
    }
  }
}

function signatureOf(path: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true })
    return `${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs}`
  } catch (error) {
    return codeOf(error)
  }
}

/** The cost that most accounts have; of bcrypt hashes none is known, so they do not count. */
function commonCost(accounts: ReadonlyMap<string, Account>): HashCost {
  const counts = new Map<string, { cost: HashCost; count: number }>()
  let best = { cost: DEFAULT_COST, count: 0 }
  for (const { password } of accounts.values()) {
    const parsed = parseHash(password)
    if (typeof parsed === 'string' || parsed.scheme !== 'argon2id') continue
    const { memory, passes, lanes } = parsed
    const entry = counts.get(`${memory},${passes},${lanes}`) ?? { cost: { memory, passes, lanes }, count: 0 }
    entry.count++
    counts.set(`${memory},${passes},${lanes}`, entry)
    if (entry.count > best.count) best = entry
  }
  return best.cost
}
