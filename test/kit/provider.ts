/** A real OpenID Connect provider, run here over TLS, with people who sign in by its own pages and have Keycloak's roles. */
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
// @ts-expect-error The library brings no types.
import Provider from 'oidc-provider'
import { makeCertificate } from './certificates.ts'

export interface TestProvider {
  readonly issuer: string
  /** PEM. */
  readonly ca: string
  close(): Promise<void>
}

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
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const provider = new Provider(issuer, {
    clients: [
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
    cookies: { keys: [randomBytes(16).toString('hex')] },
    jwks: { keys: [{ ...privateKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] },
  })
  server.on('request', provider.callback())
  return {
    issuer,
    ca: cert,
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
