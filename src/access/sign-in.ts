/**
 * The sign-in stage: Basic authentication (RFC 7617) for programs, a session for people. Over TLS only. It decides nothing
 * itself and logs nothing: that is the authenticator's.
 */
import { Failure } from '../errors.ts'
import type { Principal } from '../exchange/access-contracts.ts'
import { DONE, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { withoutFields } from '../http/headers.ts'
import type { Account } from './account.ts'
import type { Accounts } from './accounts.ts'
import type { Authenticator, Evidence, Verdict } from './authenticator.ts'
import { type Credentials, readCredentials } from './credentials.ts'
import { hasSession, type Session, type Sessions, withoutSession } from './sessions.ts'

export interface SignInOptions {
  readonly accounts: Accounts
  readonly authenticator: Authenticator
  readonly sessions: Sessions
  readonly metrics: Metrics
  /** Roles of an account that has none of its own. */
  readonly defaultRoles: readonly string[]
  /** Shown by browsers; letters, digits, space and dash. */
  readonly realm: string
  /** Shows a person the form to sign in, or to change the password; false: it is not for this request. */
  readonly offerForm: (x: Exchange, form: 'sign-in' | 'password') => boolean
}

/** What a program puts between password and code, where the account has a second factor. */
const BEFORE_CODE = ','

export function makeSignIn(options: SignInOptions): Stage {
  const { accounts, authenticator, sessions, metrics, offerForm } = options
  const challenge = `Basic realm="${options.realm.replace(/[^A-Za-z0-9 -]/g, '')}", charset="UTF-8"`

  function signIn(x: Exchange): Step {
    if (!x.peer.secure) return refuse(x, 'https-required', 'plain')
    const found = readCredentials(x.headers)
    if (found === 'repeated') return refuse(x, 'bad-header', 'malformed', 'more than one Authorization field')
    if (typeof found !== 'string') {
      const evidence = evidenceOf(found)
      // A hash is dear: whoever needs one is counted before it.
      if (x.owed?.isOpen !== true || authenticator.remembers(evidence)) authenticate(x, evidence)
      else x.owed.settle(x, () => authenticate(x, evidence))
      return WAIT
    }
    if (found === 'missing' && hasSession(x.headers)) {
      goOn(x).catch((error) => x.fail(new Failure('internal', 'session broke', error)))
      return WAIT
    }
    return ask(x, found)
  }

  function authenticate(x: Exchange, evidence: Evidence): void {
    authenticator
      .authenticate(x, evidence)
      .then((verdict) => answer(x, verdict))
      .catch((error) => x.fail(new Failure('internal', 'sign-in broke', error)))
  }

  function evidenceOf({ user, password }: Credentials): Evidence {
    const comma = password.lastIndexOf(BEFORE_CODE)
    if (comma <= 0 || accounts.find(user)?.secondFactor == null)
      return { user, password, code: null, isCodeShown: false }
    return { user, password: password.slice(0, comma), code: password.slice(comma + 1), isCodeShown: false }
  }

  async function goOn(x: Exchange): Promise<void> {
    const session = await sessions.read(x.headers)
    const account = session === null ? null : accountOf(accounts, session)
    if (x.finished) return
    if (session === null || account === null) return void ask(x, 'missing')
    metrics.count('sign_in_total', 'session')
    if (authenticator.mustChange(account) !== null) return refuseUntilChanged(x)
    const renewed = sessions.renew(session)
    if (renewed !== null) x.answerHeaders.push('set-cookie', renewed)
    pass(x, account, 'session', sessions.endOf(session))
  }

  function ask(x: Exchange, why: 'missing' | 'malformed'): Step {
    if (why === 'missing' && offerForm(x, 'sign-in')) {
      metrics.count('sign_in_total', why)
      return DONE
    }
    x.answerHeaders.push('www-authenticate', challenge)
    return refuse(x, 'sign-in-required', why, why === 'missing' ? '' : 'malformed Authorization field')
  }

  function answer(x: Exchange, verdict: Verdict): void {
    if (x.finished) return
    switch (verdict.kind) {
      case 'right':
        return verdict.mustChange === null ? pass(x, verdict.account, 'basic', 0) : refuseUntilChanged(x)
      case 'wrong':
        x.answerHeaders.push('www-authenticate', challenge)
        return x.refuse('sign-in-failed')
      case 'locked':
        x.answerHeaders.push('retry-after', String(Math.ceil(verdict.waitMs / 1000)))
        return x.refuse('locked-out')
      case 'busy':
        return x.refuse('sign-in-busy')
    }
  }

  function pass(x: Exchange, account: Account, scheme: Principal['scheme'], expiresAt: number): void {
    const roles = account.roles.length === 0 ? options.defaultRoles : account.roles
    x.principal = { user: account.name, roles, attributes: account.attributes, expiresAt, scheme }
    x.user = account.name
    x.roles = roles
    // The password was meant for the gateway, and the session is its own: a service behind it must not learn them.
    x.headers = withoutSession(withoutFields(x.headers, (name) => name === 'authorization'))
    x.resume()
  }

  function refuseUntilChanged(x: Exchange): void {
    metrics.count('sign_in_total', 'must-change')
    if (!offerForm(x, 'password')) x.refuse('password-change-required')
  }

  function refuse(
    x: Exchange,
    code: 'https-required' | 'bad-header' | 'sign-in-required',
    label: string,
    detail = '',
  ): Step {
    metrics.count('sign_in_total', label)
    x.refuse(code, detail)
    return DONE
  }

  return signIn
}

/** The account of a session; null where it is not the one any more that the session began with. */
export function accountOf(accounts: Accounts, session: Session): Account | null {
  const account = accounts.find(session.user)
  return account === null || account.locked || account.revision !== session.revision ? null : account
}
