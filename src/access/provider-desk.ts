/** Where people sign in by a provider, and sign out. It knows no page: the pages ask it, and so does the sign-in stage. */

import { Failure } from '../errors.ts'
import type { ProviderDesk, ProviderVerdict } from '../exchange/access-contracts.ts'
import { type AuditLog, type Metrics, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { withoutFields } from '../http/headers.ts'
import type { ProviderClient } from './provider-client.ts'
import type { ProviderSessions } from './provider-sessions.ts'
import type { TokenIssuer } from './token-issuer.ts'

export interface ProviderDeskOptions {
  readonly client: ProviderClient
  /** Judges ID tokens: their audience is the client. */
  readonly issuer: TokenIssuer
  readonly sessions: ProviderSessions
  /** Roles that mean something here: the others are not kept. */
  readonly roles: ReadonlySet<string>
  readonly audit: AuditLog
  readonly metrics: Metrics
  readonly place: string
  /** URL of the page that says that one is signed out. */
  readonly signedOut: string
  /** Shows a person the way to sign in; false: it is not for this request. */
  readonly offerForm: (x: Exchange) => boolean
}

/** Of people who come back from the provider. */
const MOST_AT_ONCE = 64

export class OidcDesk implements ProviderDesk {
  readonly #options: ProviderDeskOptions
  #running = 0

  constructor(options: ProviderDeskOptions) {
    this.#options = options
  }

  async begin(x: Exchange, next: string): Promise<string | null> {
    const { client, sessions } = this.#options
    try {
      const { url, transaction } = await client.begin(next)
      x.answerHeaders.push('set-cookie', sessions.beginTransaction(transaction))
      return url
    } catch {
      return null
    }
  }

  async finish(x: Exchange): Promise<ProviderVerdict> {
    if (this.#running >= MOST_AT_ONCE) return { kind: 'down' }
    this.#running++
    try {
      return await this.#finish(x)
    } finally {
      this.#running--
    }
  }

  async #finish(x: Exchange): Promise<ProviderVerdict> {
    const { client, issuer, sessions, roles } = this.#options
    const transaction = sessions.transactionOf(x.headers)
    if (transaction === null) return this.#refuse(x, 'no sign-in is under way')
    x.answerHeaders.push('set-cookie', sessions.endTransaction)
    let token: string
    try {
      token = await client.finish(x.query, transaction)
    } catch (error) {
      const { code } = error as { code?: unknown }
      return this.#refuse(x, typeof code === 'string' && /^[A-Z_]{1,64}$/.test(code) ? code : 'the provider refused')
    }
    const judgement = await issuer.judge(token, issuer.nameOf(token))
    if (judgement === 'down' || judgement === 'busy') return { kind: 'down' }
    if (typeof judgement === 'string') return this.#refuse(x, `ID token: ${judgement}`)
    const { principal } = judgement
    const cookie = sessions.begin({ ...principal, roles: principal.roles.filter((role) => roles.has(role)) })
    if (cookie === null) return this.#refuse(x, 'more than a cookie can hold')
    x.answerHeaders.push('set-cookie', cookie)
    x.user = principal.user
    this.#options.metrics.count('sign_in_total', 'provider')
    this.#record(x, 'authn_login_success', principal.user, 'by the provider')
    return { kind: 'done', next: transaction.next }
  }

  async signOut(x: Exchange): Promise<string> {
    const { sessions, client, signedOut } = this.#options
    const session = await sessions.read(x.headers)
    x.answerHeaders.push('set-cookie', await sessions.end(session))
    if (session !== null) this.#record(x, 'session_expired', session.user, 'signed out')
    return (await client.endUrl(signedOut)) ?? signedOut
  }

  /** For requests without a token: a session, or the way to one. Null: neither. */
  readonly admit = (x: Exchange): Step | null => {
    const { sessions, offerForm } = this.#options
    sessions
      .read(x.headers)
      .then((session) => {
        if (x.finished) return
        if (session === null) {
          if (offerForm(x)) return
          x.answerHeaders.push('www-authenticate', `Bearer realm="${this.#options.issuer.name}"`)
          return x.refuse('sign-in-required')
        }
        const renewed = sessions.renew(session)
        if (renewed !== null) x.answerHeaders.push('set-cookie', renewed)
        const { user, roles, attributes, endsAt } = session
        x.principal = { user, roles, attributes, expiresAt: endsAt, scheme: 'provider' }
        x.user = user
        x.roles = roles
        x.headers = sessions.without(withoutFields(x.headers, (name) => name === 'authorization'))
        this.#options.metrics.count('sign_in_total', 'session')
        x.resume()
      })
      .catch((error) => x.fail(new Failure('internal', 'session broke', error)))
    return WAIT
  }

  #refuse(x: Exchange, reason: string): ProviderVerdict {
    this.#options.metrics.count('sign_in_total', 'provider-refused')
    this.#record(x, 'authn_login_fail', '-', reason)
    return { kind: 'refused' }
  }

  #record(x: Exchange, event: string, user: string, reason: string): void {
    const { audit, place } = this.#options
    const outcome = event === 'authn_login_fail' ? 'failure' : 'success'
    audit.record({ event, outcome, user, address: x.clientAddress, requestId: x.id, object: place, reason })
  }
}
