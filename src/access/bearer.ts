/**
 * The stage that asks for a bearer token (RFC 6750): 401 without one that holds, 403 without the roles or scopes that the
 * route needs, 503 where it cannot be known. It verifies nothing itself.
 */
import type { RouteSignInConfig } from '../config/issuers-shape.ts'
import { Failure } from '../errors.ts'
import { DONE, GO, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import { isPreflight } from '../exchange/cross-origin.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { Bearer } from './claims.ts'
import type { TokenFault } from './jws.ts'
import type { Judgement, TokenIssuer } from './token-issuer.ts'
import { findToken, takeTokenAway } from './token-places.ts'

/** Told once for each token that is verified anew, and for each that is refused. */
export interface BearerEvents {
  onAccepted(x: Exchange, user: string): void
  onRefused(x: Exchange, why: TokenFault | 'role-missing', user: string): void
}

export interface BearerOptions {
  readonly issuer: TokenIssuer
  readonly route: RouteSignInConfig
  readonly metrics: Metrics
  readonly events: BearerEvents
  /** For requests without a token. Null, or where it gives null: 401. */
  readonly otherwise: ((x: Exchange) => Step | null) | null
}

export function makeBearer(options: BearerOptions): Stage {
  const { issuer, route, metrics, events } = options
  const other = route.alsoIn ?? null
  const challenge = `Bearer realm="${issuer.name}"`
  const scope = route.scopes.length === 0 ? '' : `, scope="${route.scopes.join(' ')}"`
  const missing = `${challenge}${scope}`
  const insufficient = `${challenge}, error="insufficient_scope"${scope}`

  function bearer(x: Exchange): Step {
    if (!x.peer.secure) return end(x, 'https-required', 'plain')
    // The same head has the same token, for which a name is dear to make.
    const { memo } = x.head
    if (memo.tokenName?.settings === route) {
      const verdict = issuer.recall(memo.tokenName.name)
      if (verdict !== null) return admitKnown(x, verdict)
    }
    const found = findToken(x, other)
    if (found === 'repeated') return end(x, 'bad-header', 'malformed', 'more than one token')
    if (found === null) {
      const step = options.otherwise === null ? null : options.otherwise(x)
      if (step !== null) return step
      if (!isPreflight(x)) return ask(x, 'sign-in-required', missing, 'missing')
      if (!route.forwardToken) takeTokenAway(x, other)
      return GO
    }
    const { token } = found
    const name = issuer.nameOf(token)
    memo.tokenName = { settings: route, name }
    const known = issuer.recall(name)
    if (known !== null) return admitKnown(x, known)
    issuer
      .judge(token, name)
      .then((judgement) => settle(x, judgement))
      .catch((error) => x.fail(new Failure('internal', 'verifying a token broke', error)))
    return WAIT
  }

  function admitKnown(x: Exchange, verdict: Bearer): Step {
    metrics.count('sign_in_total', 'token-known')
    return admit(x, verdict)
  }

  function settle(x: Exchange, judgement: Judgement): void {
    if (x.finished) return
    if (typeof judgement !== 'string') {
      metrics.count('sign_in_total', 'token')
      events.onAccepted(x, judgement.principal.user)
      if (admit(x, judgement) === GO) x.resume()
    } else if (judgement === 'down') end(x, 'issuer-down', 'token-unknowable')
    else if (judgement === 'busy') end(x, 'sign-in-busy', 'token-busy')
    else {
      events.onRefused(x, judgement, '')
      const said = judgement === 'expired' ? 'The token has expired' : 'The token is not accepted'
      ask(x, 'token-refused', `${challenge}, error="invalid_token", error_description="${said}"`, `token-${judgement}`)
    }
  }

  function admit(x: Exchange, { principal, scopes, identity }: Bearer): Step {
    const hasRole = route.roles.length === 0 || route.roles.some((role) => principal.roles.includes(role))
    if (!hasRole || !route.scopes.every((each) => scopes.includes(each))) {
      events.onRefused(x, 'role-missing', principal.user)
      return ask(x, 'role-missing', insufficient, 'role-missing')
    }
    x.principal = principal
    x.user = principal.user
    x.roles = principal.roles
    x.signInEndsAt = performance.now() + principal.expiresAt - Date.now()
    if (route.forwardIdentity) x.identity = identity
    if (!route.forwardToken) takeTokenAway(x, other)
    return GO
  }

  function ask(
    x: Exchange,
    code: 'sign-in-required' | 'token-refused' | 'role-missing',
    field: string,
    label: string,
  ): Step {
    x.answerHeaders.push('www-authenticate', field)
    return end(x, code, label, label)
  }

  function end(x: Exchange, code: Parameters<Exchange['refuse']>[0], label: string, detail = ''): Step {
    metrics.count('sign_in_total', label)
    x.refuse(code, detail)
    return DONE
  }

  return bearer
}
