/**
 * Decides whether somebody is who he says: lockout, password, second factor, in this order and at bounded cost. A wrong
 * password and an unknown user take the same way and get the same verdict. It knows no request beyond where it came from,
 * and records no password, nor a user name that no account has.
 */
import { createHmac, randomBytes } from 'node:crypto'
import type { AuditLog, Metrics } from '../exchange/contracts.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import type { CodeCheck } from './codes.ts'
import { isRefusal, type LockedBy, type Lockout, type Refusal, type Subject } from './lockout.ts'
import { isTooOld, type PasswordRules } from './password-rules.ts'
import type { Upgrader } from './upgrader.ts'
import type { Verifier } from './verifier.ts'

export interface AuthenticatorOptions {
  readonly accounts: Accounts
  readonly verifier: Verifier
  readonly lockout: Lockout
  readonly codes: CodeCheck
  readonly upgrader: Upgrader
  readonly rules: PasswordRules
  readonly audit: AuditLog
  readonly metrics: Metrics
  /** What is signed in to, as the audit log names it. */
  readonly place: string
}

/** What somebody offers. */
export interface Evidence {
  readonly user: string
  readonly password: string
  /** Of the second factor, or a recovery code; null: none. What is not needed is not looked at. */
  readonly code: string | null
  /** The second factor was shown in this session already. */
  readonly isCodeShown: boolean
}

/** Where an attempt comes from. An exchange is one. */
export interface Origin {
  readonly clientKey: string
  readonly clientAddress: string
  readonly id: string
  readonly finished: boolean
}

export type Verdict =
  | {
      readonly kind: 'right'
      readonly account: Account
      readonly mustChange: 'first-use' | 'too-old' | null
      readonly isRemembered: boolean
    }
  | { readonly kind: 'wrong' }
  | { readonly kind: 'locked'; readonly waitMs: number }
  | { readonly kind: 'busy' }

/** One check that runs, and everybody who waits for it: a browser that opens six connections spends one attempt. */
interface Shared {
  readonly origins: Origin[]
  readonly verdict: Promise<Verdict>
}

const WRONG: Verdict = { kind: 'wrong' }
const BUSY: Verdict = { kind: 'busy' }

const LOCKED_WORDS: Readonly<Record<LockedBy, string>> = {
  account: 'account locked',
  address: 'address locked',
  'known-address': 'account locked for this known address',
  full: 'too many attempts at once',
}

export class Authenticator {
  readonly #options: AuthenticatorOptions
  readonly #nameKey = randomBytes(32)
  readonly #running = new Map<string, Shared>()

  constructor(options: AuthenticatorOptions) {
    this.#options = options
  }

  /** Rejects where a check broke. */
  async authenticate(origin: Origin, evidence: Evidence): Promise<Verdict> {
    const { accounts, verifier } = this.#options
    const account = accounts.find(evidence.user)
    const address = addressOf(origin)
    const key = this.#keyOf(evidence, account)
    // A code counts once: two requests that bring it are one sign-in only while they are one check.
    const shareKey = `${address} ${evidence.isCodeShown} ${verifier.keyOf(evidence.code ?? '', key, '')}`
    let shared = this.#running.get(shareKey)
    if (shared === undefined) {
      const origins: Origin[] = []
      const verdict = this.#decide(origins, origin, evidence, account, key)
      shared = { origins, verdict }
      this.#running.set(shareKey, shared)
      const forget = (): void => void this.#running.delete(shareKey)
      verdict.then(forget, forget)
    }
    shared.origins.push(origin)
    const verdict = await shared.verdict
    this.#options.metrics.count(
      'sign_in_total',
      verdict.kind === 'right' && verdict.isRemembered ? 'remembered' : verdict.kind,
    )
    return verdict
  }

  /** Whether the evidence is known to be right, so that no password needs to be hashed. */
  remembers(evidence: Evidence): boolean {
    const account = this.#options.accounts.find(evidence.user)
    return account !== null && this.#isRemembered(account, evidence, this.#keyOf(evidence, account))
  }

  /** What the rules say about the age of a password that is right. */
  mustChange(account: Account): 'first-use' | 'too-old' | null {
    if (account.mustChange) return 'first-use'
    return isTooOld(this.#options.rules, account.changedAt, Date.now()) ? 'too-old' : null
  }

  async #decide(
    origins: readonly Origin[],
    origin: Origin,
    evidence: Evidence,
    account: Account | null,
    key: string,
  ): Promise<Verdict> {
    const { lockout, verifier } = this.#options
    const subject: Subject = { name: evidence.user, revision: account?.revision ?? 0, address: addressOf(origin) }
    // Before the queue: who is locked must not take places in it. And before the cache: locked is locked.
    const refusal = await lockout.look(subject)
    if (refusal !== null) return this.#locked(origin, evidence, account, refusal)
    if (account !== null && this.#isRemembered(account, evidence, key)) {
      return { kind: 'right', account, mustChange: this.mustChange(account), isRemembered: true }
    }
    return verifier.run(() => this.#attempt(origins, origin, evidence, account, key, subject)).then(asVerdict)
  }

  async #attempt(
    origins: readonly Origin[],
    origin: Origin,
    evidence: Evidence,
    account: Account | null,
    key: string,
    subject: Subject,
  ): Promise<Verdict> {
    const { accounts, lockout, verifier, codes, upgrader } = this.#options
    if (origins.every(hasLeft)) return BUSY
    const begun = await lockout.begin(subject)
    if (isRefusal(begun)) return this.#locked(origin, evidence, account, begun)
    let wrong: string | null
    try {
      const isRight = await verifier.verify(key, account?.password ?? accounts.unknownHash, evidence.password)
      if (account === null) wrong = 'unknown user'
      else if (!isRight) wrong = 'wrong password'
      else if (account.locked) wrong = 'account locked by an operator'
      else if (!this.#needsNoCode(account, evidence)) wrong = await codes.wrongWith(account, evidence.code)
      else wrong = null
    } catch (error) {
      begun.onAbandon()
      throw error
    }
    if (wrong === null && account !== null) {
      await begun.onSuccess()
      this.#record(origin, 'authn_login_success', 'success', account.name, '')
      await upgrader.upgrade(account, evidence.password)
      return { kind: 'right', account, mustChange: this.mustChange(account), isRemembered: false }
    }
    const name = this.#nameFor(evidence, account)
    this.#record(origin, 'authn_login_fail', 'failure', name, wrong ?? '')
    const locked = await begun.onFailure()
    if (locked !== null) {
      const minutes = Math.ceil(locked.waitMs / 60_000)
      this.#record(origin, 'authn_login_lock', 'failure', name, `${LOCKED_WORDS[locked.by]} for ${minutes} minutes`)
    }
    return WRONG
  }

  #keyOf({ user, password }: Evidence, account: Account | null): string {
    const { accounts, verifier } = this.#options
    return verifier.keyOf(user, password, `${account?.password ?? accounts.unknownHash} ${account?.revision}`)
  }

  #isRemembered(account: Account, evidence: Evidence, key: string): boolean {
    return !account.locked && this.#needsNoCode(account, evidence) && this.#options.verifier.remembers(key)
  }

  #needsNoCode(account: Account, evidence: Evidence): boolean {
    return account.secondFactor === null || evidence.isCodeShown
  }

  #locked(origin: Origin, evidence: Evidence, account: Account | null, refusal: Refusal): Verdict {
    const name = this.#nameFor(evidence, account)
    this.#record(origin, 'authn_login_lock', 'failure', name, `attempt while locked: ${LOCKED_WORDS[refusal.by]}`)
    return { kind: 'locked', waitMs: refusal.waitMs }
  }

  #record(origin: Origin, event: string, outcome: 'success' | 'failure', user: string, reason: string): void {
    const { audit, place } = this.#options
    const line = { event, outcome, user, address: origin.clientAddress, requestId: origin.id, object: place }
    audit.record(reason === '' ? line : { ...line, reason })
  }

  /** A mark by which attempts at the same unknown name can be told together: it may be a password in the wrong field. */
  #nameFor(evidence: Evidence, account: Account | null): string {
    if (account !== null) return account.name
    return `?${createHmac('sha256', this.#nameKey).update(evidence.user).digest('hex').slice(0, 8)}`
  }
}

function addressOf(origin: Origin): string {
  return origin.clientKey === '' ? origin.clientAddress : origin.clientKey
}

function asVerdict(verdict: Verdict | 'busy'): Verdict {
  return verdict === 'busy' ? BUSY : verdict
}

function hasLeft(origin: Origin): boolean {
  return origin.finished
}
