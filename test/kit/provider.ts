/** A real OpenID Connect provider, run here over TLS, with people who sign in by its own pages and have Keycloak's roles. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer, request } from 'node:https'
import type { AddressInfo } from 'node:net'
// @ts-expect-error The library brings no types.
import Provider from 'oidc-provider'
import { makeCertificate } from './certificates.ts'

export interface TestProvider {
  readonly issuer: string
  /** PEM. */
  readonly ca: string
  /** From now on the provider has these keys and signs with the first one that can make RS256. */
  setKeys(...keys: readonly ProviderKey[]): void
  /** A token of the program `chat-bot` (client credentials), as the provider signs it, for a resource of `RESOURCES`. */
  token(resource: keyof typeof RESOURCES): Promise<string>
  close(): Promise<void>
}

/** A private JWK with its id. */
export type ProviderKey = Readonly<Record<string, unknown>>

export function makeProviderKey(kid: string): ProviderKey {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  return { ...privateKey.export({ format: 'jwk' }), kid, use: 'sig', alg: 'RS256' }
}

/** Whom the tokens of a resource are for, and how many seconds they live. */
const RESOURCES = {
  'urn:chat': { audience: 'portcullis', accessTokenTTL: 300 },
  'urn:brief': { audience: 'portcullis', accessTokenTTL: 4 },
  'urn:elsewhere': { audience: 'elsewhere', accessTokenTTL: 300 },
} as const
const BOT = { id: 'chat-bot', secret: 'a secret of the program' }

/** `rolesOf`: what realm_access.roles is of a person. `idTokenSeconds`: how long an ID token lives. */
export async function startProvider(
  redirect: string,
  rolesOf: (user: string) => readonly string[],
  idTokenSeconds = 300,
): Promise<TestProvider> {
  const { cert, key } = await makeCertificate({ names: ['127.0.0.1'], authority: true })
  const server = createServer({ cert, key })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const issuer = `https://127.0.0.1:${(server.address() as AddressInfo).port}`
  const cookieKeys = [randomBytes(16).toString('hex')]
  // What it knows of people and grants is the library's own store in memory, which all its instances share: one that
  // takes over with other keys goes on with them.
  const withKeys = (keys: readonly ProviderKey[]) =>
    new Provider(issuer, {
      clients: [
        {
          client_id: BOT.id,
          client_secret: BOT.secret,
          redirect_uris: [],
          response_types: [],
          grant_types: ['client_credentials'],
        },
        {
          client_id: 'transcripts',
          client_secret: 'a secret of the client',
          redirect_uris: [redirect],
          post_logout_redirect_uris: [redirect.replace('callback', 'signed-out')],
          response_types: ['code'],
          grant_types: ['authorization_code'],
        },
      ],
      pkce: { required: () => true },
      conformIdTokenClaims: false,
      claims: { openid: ['sub', 'realm_access'] },
      findAccount: (_context: unknown, id: string) => ({
        accountId: id,
        claims: async () => ({ sub: id, realm_access: { roles: rolesOf(id) } }),
      }),
      ttl: {
        IdToken: idTokenSeconds,
        AccessToken: 300,
        AuthorizationCode: 60,
        Interaction: 600,
        Session: 3600,
        Grant: 3600,
      },
      features: {
        clientCredentials: { enabled: true },
        resourceIndicators: {
          enabled: true,
          getResourceServerInfo: (_context: unknown, resource: keyof typeof RESOURCES) => ({
            ...RESOURCES[resource],
            scope: '',
            accessTokenFormat: 'jwt',
            jwt: { sign: { alg: 'RS256' } },
          }),
        },
      },
      cookies: { keys: cookieKeys },
      jwks: { keys },
    })
  let answer = withKeys([makeProviderKey('one')]).callback()
  server.on('request', (request, response) => answer(request, response))
  return {
    issuer,
    ca: cert,
    setKeys: (...keys) => {
      answer = withKeys(keys).callback()
    },
    token: (resource) => fetchToken(`${issuer}/token`, cert, resource),
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function fetchToken(url: string, ca: string, resource: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const auth = `${encodeURIComponent(BOT.id)}:${encodeURIComponent(BOT.secret)}`
    const headers = { 'content-type': 'application/x-www-form-urlencoded' }
    const asked = request(url, { method: 'POST', ca, auth, headers }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => {
        const { access_token: token } = JSON.parse(text) as { access_token?: string }
        if (token === undefined) reject(new Error(`the provider gave no token: ${text}`))
        else resolve(token)
      })
    })
    asked.on('error', reject)
    asked.end(new URLSearchParams({ grant_type: 'client_credentials', resource }).toString())
  })
}
