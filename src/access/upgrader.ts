/**
 * Brings an account to the form of today when its password is at hand: bcrypt and hashes of another cost become what is
 * configured, and an unknown age begins. It decides nothing about a sign-in.
 */
import { ConfigurationError } from '../errors.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import { hashPassword, isOutdated } from './passwords.ts'
import type { HashCost } from './scheme.ts'

export class Upgrader {
  readonly #accounts: Accounts
  readonly #cost: HashCost
  readonly #onFailed: (problems: readonly string[]) => void
  #isWritable = true

  /** `onFailed`: told once, where the file cannot be written; signing in goes on without. */
  constructor(accounts: Accounts, cost: HashCost, onFailed: (problems: readonly string[]) => void) {
    this.#accounts = accounts
    this.#cost = cost
    this.#onFailed = onFailed
  }

  /** `password` is the right one. */
  async upgrade(account: Account, password: string): Promise<void> {
    const isOld = isOutdated(account.password, this.#cost)
    if (!this.#isWritable || (!isOld && account.changedAt !== null)) return
    const hash = isOld ? await hashPassword(password, this.#cost) : account.password
    try {
      await this.#accounts.change(({ accounts }) => {
        const now = accounts.get(account.name)
        // Somebody else was faster.
        if (now === undefined || now.password !== account.password) return
        accounts.set(account.name, { ...now, password: hash, changedAt: now.changedAt ?? Date.now() })
      })
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      this.#isWritable = false
      this.#onFailed(error.problems)
    }
  }
}
