/**
 * The door to openid-client: one application at one provider, sign-in by authorization code with PKCE (RFC 7636), state and
 * nonce. Over TLS, and to nowhere but the provider's own origin. It knows no request and no cookie.
 */
import * as client from 'openid-client'
import { askHttps } from './https-request.ts'
import type { Transaction } from './provider-sessions.ts'

export interface ProviderClientOptions {
  readonly issuer: string
  readonly clientId: string
  /** Null: a public client. */
  readonly secret: string | null
  readonly redirect: string
  readonly scopes: readonly string[]
  /** PEM, or null. */
  readonly ca: string | null
}

export class ProviderClient {
  readonly #options: ProviderClientOptions
  /** Discovery, once it succeeded or while it runs. */
  #configuration: Promise<client.Configuration> | null = null

  constructor(options: ProviderClientOptions) {
    this.#options = options
  }

  /** Where the browser goes, and what has to be known when it comes back. Rejects where the provider does not answer. */
  async begin(next: string): Promise<{ readonly url: string; readonly transaction: Transaction }> {
    const configuration = await this.#discovered()
    const verifier = client.randomPKCECodeVerifier()
    const transaction = { state: client.randomState(), nonce: client.randomNonce(), verifier, next }
    const url = client.buildAuthorizationUrl(configuration, {
      redirect_uri: this.#options.redirect,
      scope: this.#options.scopes.join(' '),
      state: transaction.state,
      nonce: transaction.nonce,
      code_challenge: await client.calculatePKCECodeChallenge(verifier),
      code_challenge_method: 'S256',
    })
    return { url: url.href, transaction }
  }

  /** The ID token that the code in `query` stands for. Rejects with an Error, whose `code` says why in fixed words. */
  async finish(query: string, { state, nonce, verifier }: Transaction): Promise<string> {
    const configuration = await this.#discovered()
    // Not the URL of the request: what it says of host and path is a client's word.
    const tokens = await client.authorizationCodeGrant(configuration, new URL(this.#options.redirect + query), {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    })
    return tokens.id_token!
  }

  /** Where the provider ends its own session; null where it has no place for that, or does not answer. */
  async endUrl(after: string): Promise<string | null> {
    try {
      const configuration = await this.#discovered()
      if (configuration.serverMetadata().end_session_endpoint === undefined) return null
      return client.buildEndSessionUrl(configuration, { post_logout_redirect_uri: after }).href
    } catch {
      return null
    }
  }

  #discovered(): Promise<client.Configuration> {
    if (this.#configuration !== null) return this.#configuration
    const { issuer, clientId, secret, ca } = this.#options
    const authentication = secret === null ? client.None() : client.ClientSecretBasic(secret)
    const { origin } = new URL(issuer)
    const options = { [client.customFetch]: fetchFrom(origin, ca) }
    const running = client.discovery(new URL(issuer), clientId, {}, authentication, options)
    this.#configuration = running
    running.catch(() => {
      this.#configuration = null
    })
    return running
  }
}

/** No other origin is asked, whatever the provider says of itself. */
function fetchFrom(origin: string, ca: string | null): client.CustomFetch {
  return async (address, { method, headers, body }) => {
    const url = new URL(address)
    if (url.origin !== origin) throw new Error('the provider leads to another origin')
    const sent = body === null || body === undefined ? null : String(body)
    const answer = await askHttps(url, { method, headers, body: sent, ca })
    return new Response(new Uint8Array(answer.body), {
      status: answer.status,
      headers: { 'content-type': answer.contentType },
    })
  }
}
