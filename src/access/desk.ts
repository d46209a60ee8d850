/**
 * Where people sign in, change their password and sign out: what the pages ask for. It knows no page and no form, and goes
 * by the same authenticator as every request.
 */
import { ConfigurationError } from '../errors.ts'
import type { AccountDesk, DeskEvidence, DeskVerdict } from '../exchange/access-contracts.ts'
import type { AuditLog, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type Account, nextRevision } from './account.ts'
import type { Accounts } from './accounts.ts'
import type { Authenticator } from './authenticator.ts'
import { checkNewPassword, describeRules, type PasswordRules } from './password-rules.ts'
import { hashPassword } from './passwords.ts'
import type { HashCost } from './scheme.ts'
import type { Sessions } from './sessions.ts'
import { accountOf } from './sign-in.ts'
import type { Verifier } from './verifier.ts'

export interface DeskOptions {
  readonly accounts: Accounts
  readonly authenticator: Authenticator
  readonly sessions: Sessions
  readonly verifier: Verifier
  readonly rules: PasswordRules
  readonly cost: HashCost
  readonly audit: AuditLog
  readonly metrics: Metrics
  readonly place: string
}

export class Desk implements AccountDesk {
  readonly rules: readonly string[]
  readonly #options: DeskOptions

  constructor(options: DeskOptions) {
    this.#options = options
    this.rules = describeRules(options.rules)
  }

  async signIn(x: Exchange, evidence: DeskEvidence): Promise<DeskVerdict> {
    const { authenticator, sessions } = this.#options
    const verdict = await authenticator.authenticate(x, { ...evidence, isCodeShown: false })
    if (verdict.kind !== 'right') return verdict
    x.user = verdict.account.name
    x.answerHeaders.push('set-cookie', sessions.begin(verdict.account))
    return verdict.mustChange === null ? { kind: 'done' } : { kind: 'must-change', why: verdict.mustChange }
  }

  async who(x: Exchange): Promise<string | null> {
    return (await this.#signedIn(x))?.name ?? null
  }

  async signOut(x: Exchange): Promise<void> {
    const { sessions, audit, place } = this.#options
    const session = await sessions.read(x.headers)
    x.answerHeaders.push('set-cookie', await sessions.end(session))
    if (session === null) return
    const line = { user: session.user, address: x.clientAddress, requestId: x.id, object: place }
    audit.record({ event: 'session_expired', outcome: 'success', reason: 'signed out', ...line })
  }

  async changePassword(x: Exchange, evidence: DeskEvidence, next: string): Promise<DeskVerdict> {
    const { authenticator } = this.#options
    // Who shows a session has shown the second factor; the password is asked for again all the same.
    const isCodeShown = (await this.#signedIn(x))?.name === evidence.user
    const verdict = await authenticator.authenticate(x, { ...evidence, isCodeShown })
    if (verdict.kind !== 'right') return verdict
    const { account } = verdict
    x.user = account.name
    const outcome = await this.#change(account, evidence.password, next)
    this.#record(x, account, outcome)
    if (typeof outcome === 'string') return { kind: outcome }
    if (Array.isArray(outcome)) return { kind: 'refused', problems: outcome }
    x.answerHeaders.push('set-cookie', this.#options.sessions.begin(outcome))
    return { kind: 'done' }
  }

  /** The account as it is now; or what is wrong with the new password, or why it could not be. */
  async #change(account: Account, present: string, next: string): Promise<Account | string[] | 'busy' | 'unwritable'> {
    const { accounts, verifier, rules, cost } = this.#options
    const problems = checkNewPassword(rules, next, account.name)
    if (rules.remembered > 0 && next.normalize('NFC') === present.normalize('NFC')) problems.push(notAgain(rules))
    if (problems.length > 0) return problems
    const hash = await verifier.run(async () => {
      for (const old of account.previous.slice(0, Math.max(0, rules.remembered - 1))) {
        if (await verifier.isRight(old, next)) return null
      }
      return hashPassword(next, cost)
    })
    if (hash === 'busy') return 'busy'
    if (hash === null) return [notAgain(rules)]
    try {
      // One that was changed or removed meanwhile is not what was proved to be one's own.
      const changed = await accounts.change(({ accounts: all }) => {
        const now = all.get(account.name)
        if (now === undefined || now.revision !== account.revision) return null
        const next = withPassword(now, hash, rules.remembered)
        all.set(account.name, next)
        return next
      })
      return changed ?? 'busy'
    } catch (error) {
      if (error instanceof ConfigurationError) return 'unwritable'
      throw error
    }
  }

  async #signedIn(x: Exchange): Promise<Account | null> {
    const session = await this.#options.sessions.read(x.headers)
    return session === null ? null : accountOf(this.#options.accounts, session)
  }

  #record(x: Exchange, account: Account, outcome: Account | string[] | string): void {
    const isDone = typeof outcome === 'object' && !Array.isArray(outcome)
    const reason = isDone ? '' : Array.isArray(outcome) ? 'against the rules' : outcome
    const { audit, metrics, place } = this.#options
    metrics.count('sign_in_total', isDone ? 'password-changed' : 'password-refused')
    audit.record({
      event: isDone ? 'authn_password_change' : 'authn_password_change_fail',
      outcome: isDone ? 'success' : 'failure',
      user: account.name,
      address: x.clientAddress,
      requestId: x.id,
      object: place,
      ...(reason === '' ? {} : { reason }),
    })
  }
}

/** An account with another password: sessions and counts of before are over. */
export function withPassword(account: Account, hash: string, remembered: number): Account {
  const now = Date.now()
  return {
    ...account,
    password: hash,
    previous: [account.password, ...account.previous].slice(0, Math.max(0, remembered - 1)),
    changedAt: now,
    mustChange: false,
    revision: nextRevision(account.revision, now),
  }
}

function notAgain(rules: PasswordRules): string {
  return `must not be one of the last ${rules.remembered}`
}
