/**
 * Checks codes of the second factor, each of which is right once: a code of the clock is remembered in the shared store, a
 * recovery code leaves the accounts file. It knows no password and no request.
 */
import { timingSafeEqual } from 'node:crypto'
import { ConfigurationError } from '../errors.ts'
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import { recoveryHash, type SecondFactor } from './second-factor.ts'
import { codeAt, STEP_MS } from './totp.ts'

/** Steps before and after the present one whose codes are taken (RFC 6238, 5.2): clocks differ, and people type. */
const WINDOW = 1
const CODE = /^\d{6}$/

export class CodeCheck {
  readonly #accounts: Accounts
  readonly #used: Counter
  readonly #now: () => number

  constructor(accounts: Accounts, store: Pick<CounterStore, 'counter'>, now: () => number = Date.now) {
    this.#accounts = accounts
    this.#now = now
    const windowMs = STEP_MS * (2 * WINDOW + 2)
    this.#used = store.counter({ name: 'sign-in-code-used', points: 1, windowMs, blocks: [], onOutage: 'local' })
  }

  /** Null where the code is right, and is used up by that; else what an operator may read of it. */
  async wrongWith(account: Account, code: string | null): Promise<string | null> {
    const factor = account.secondFactor
    if (factor === null) return null
    if (code === null) return 'no code of the second factor'
    const text = code.replace(/\s/g, '')
    return CODE.test(text) ? this.#wrongCode(account, factor, text) : this.#wrongRecovery(account, text)
  }

  async #wrongCode(account: Account, factor: SecondFactor, code: string): Promise<string | null> {
    const present = Math.floor(this.#now() / STEP_MS)
    let found = -1
    for (let step = present - WINDOW; step <= present + WINDOW; step++) {
      if (isSame(codeAt(factor, step), code)) found = step
    }
    if (found === -1) return 'wrong code of the second factor'
    const taken = await this.#used.add(`${account.revision}-${found}-${account.name}`)
    if (!taken.allowed || taken.used > 1) return 'code of the second factor was used before'
    // What is older than the last one that was used is over too (RFC 6238, 5.2).
    for (let step = present - WINDOW; step < found; step++) {
      await this.#used.add(`${account.revision}-${step}-${account.name}`)
    }
    return null
  }

  /** Written before it counts: of two who bring it, one finds it gone. */
  async #wrongRecovery(account: Account, code: string): Promise<string | null> {
    const hash = recoveryHash(code)
    if (account.secondFactor?.recovery.includes(hash) !== true) return 'wrong code of the second factor'
    try {
      return (await this.#take(account, hash)) ? null : 'recovery code was used before'
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error
      return 'recovery code cannot be used up: the accounts file cannot be written'
    }
  }

  #take(account: Account, hash: string): Promise<boolean> {
    return this.#accounts.change(({ accounts }) => {
      const now = accounts.get(account.name)
      const factor = now?.secondFactor
      if (now === undefined || factor == null || !factor.recovery.includes(hash)) return false
      const recovery = factor.recovery.filter((each) => each !== hash)
      accounts.set(account.name, { ...now, secondFactor: { ...factor, recovery } })
      return true
    })
  }
}

function isSame(a: string, b: string): boolean {
  return timingSafeEqual(Buffer.from(a), Buffer.from(b))
}
