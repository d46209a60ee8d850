/** The settings of identity providers whose tokens are accepted, and of routes that ask for one. It knows no token. */
import { z } from 'zod'
import { count, duration, file, name, secret, size, TOKEN } from './shape-terms.ts'

/** Signatures only by a key that stays with the provider: no HMAC, and never `none`. */
const TOKEN_ALGORITHMS = [
  ...(['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'EdDSA'] as const),
] as const

const isHttps = (text: string): boolean => {
  if (!/^https:\/\/[\x21-\x7e]+$/.test(text) || !URL.canParse(text)) return false
  const { username, password, hash } = new URL(text)
  return username === '' && password === '' && hash === ''
}

const httpsUrl = z
  .string()
  .max(1024)
  .refine(isHttps, 'is not an https URL; write for example "https://id.example.com/realms/chat"')
  .meta({ title: 'https URL' })

const claimName = z.string().min(1).max(256)
/** The names from the outside in. */
const claim = z
  .union([claimName.transform((text) => text.split('.')), z.array(claimName).min(1).max(8)], {
    error:
      'is not a claim; write for example "preferred_username", "realm_access.roles" or ["https://example.com/roles"]',
  })
  .refine((path) => path.every((each) => each !== ''), 'has an empty name between its dots')
  .meta({ title: 'claim' })

const REALM_ROLES = ['realm_access', 'roles']

const roleClaims = z
  .union(
    [
      z.literal('keycloak').transform(() => [REALM_ROLES]),
      z
        .strictObject({ keycloak: z.string().min(1).max(256).describe('Client of which the roles count too.') })
        .transform(({ keycloak }) => [REALM_ROLES, ['resource_access', keycloak, 'roles']]),
      z.array(claim).max(8),
    ],
    {
      error:
        'must be "keycloak" (realm_access.roles), { "keycloak": "client id" } (resource_access of that client too), or a list of claims',
    },
  )
  .prefault([])
  .describe(
    'Where roles stand: `"keycloak"` is `realm_access.roles`, `{ "keycloak": "CLIENT" }` also `resource_access.CLIENT.roles`; else a list of claims, `["roles", "groups"]`. A name with dots in it is written as a list: `[["https://example.com/roles"]]`. Default: no roles.',
  )

const issuer = z.strictObject({
  issuer: httpsUrl.describe('What `iss` must be, to the letter.'),
  audience: z
    .array(z.string().min(1).max(256))
    .min(1, 'is empty, so tokens for any other application would count; name the one of this gateway')
    .max(16)
    .describe('One of these must be in `aud`.'),
  algorithms: z
    .array(z.enum(TOKEN_ALGORITHMS))
    .min(1, 'is empty, so no token could be accepted; write for example ["RS256"]')
    .prefault(['RS256'])
    .describe('Algorithms that a signature may be of. `none` and HMAC (`HS256`) are never accepted.'),
  keys: z
    .union(
      [
        z.literal('discovery'),
        z.strictObject({ url: httpsUrl.describe('Where the key set (JWKS) is.') }),
        z.strictObject({ file: file.describe('File with the key set (JWKS); watched.') }),
      ],
      { error: 'must be "discovery", { "url": "https://..." } or { "file": "path" }' },
    )
    .prefault('discovery')
    .describe(
      'Where the keys come from: what the provider says of itself below its issuer (`/.well-known/openid-configuration`; the key set must be on the same host and port), a URL, or a file. Nothing in a token leads anywhere.',
    ),
  ca: file.optional().describe('PEM file: authorities for the provider, in place of the usual ones.'),
  clockSkew: duration('30 seconds', 'How far the clocks may be apart.', 0),
  type: z
    .string()
    .regex(TOKEN, 'is not a type')
    .max(64)
    .optional()
    .describe('What `typ` in the header must be, for example `at+jwt`. Default: anything.'),
  user: claim.prefault('sub').describe('Claim that names the user. Without it a token is refused.'),
  roles: roleClaims,
  attributes: z
    .record(name, claim)
    .prefault({})
    .describe('For rules of transcript roles: attributes by name, and the claims that they are.'),
  requiredClaims: z
    .record(z.string().min(1).max(256), z.union([z.string().max(1024), z.number(), z.boolean()]))
    .prefault({})
    .describe('Claims that must be there with exactly this value: `{ "azp": "chat-web", "typ": "Bearer" }`.'),
  maxToken: size('8 KB', 'A token; a longer one is refused.', '256 B', '32 KB'),
  rememberFor: duration(
    '1 minute',
    'How long a token that was verified is known without doing it again, never over its own end; 0: not at all.',
    0,
  ),
  remembered: count(10_000, 'Tokens that are known so.', 1, 1_000_000),
  maxVerifying: count(256, 'Tokens that are verified, or wait for keys, at once; over it 503.', 1, 10_000),
  refresh: duration('10 minutes', 'Age of the keys at which they are fetched anew, while the old ones are used.'),
  refetch: duration('30 seconds', 'Least time between two fetches, whatever key a token names.'),
  maxAge: duration('1 day', 'Age at which keys that cannot be fetched anew are used no more; then 503.'),
})

export const issuers = z
  .record(name, issuer)
  .prefault({})
  .describe('Identity providers (OIDC) by name, whose tokens (JWT) are accepted.')

const HEADER_COOKIE = /^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/

const alsoIn = z
  .union(
    [
      z.strictObject({ cookie: z.string().regex(HEADER_COOKIE, 'is not the name of a cookie').describe('Its name.') }),
      z.strictObject({
        subprotocol: z
          .string()
          .regex(/^[0-9A-Za-z._-]{1,64}$/, 'is not the beginning of a subprotocol; write for example "bearer."')
          .describe('What stands before the token in the subprotocol.'),
      }),
      z.strictObject({
        query: z
          .string()
          .regex(/^[0-9A-Za-z_-]{1,64}$/, 'is not the name of a parameter')
          .describe('Its name.'),
      }),
    ],
    { error: 'must be { "cookie": "name" }, { "subprotocol": "bearer." } or { "query": "access_token" }' },
  )
  .optional()
  .describe(
    'Where a token may stand besides `Authorization`, since pages cannot set fields of a WebSocket handshake: a cookie, one of the offered subprotocols, or a parameter. The last two count for WebSocket handshakes only; a parameter ends up in logs of whatever stands in front.',
  )

const routeSettings = z.strictObject({
  oidc: name.describe('Name of the issuer.'),
  roles: z
    .array(z.string().min(1).max(256))
    .max(64)
    .prefault([])
    .describe('One of these roles is needed; empty: any token will do. Without it 403.'),
  scopes: z
    .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'is not a scope'))
    .max(64)
    .prefault([])
    .describe('All of these scopes are needed (`scope`, `scp`). Without one 403.'),
  alsoIn,
  forwardToken: z.boolean().prefault(false).describe('Let the service see the token. Default: it is taken away.'),
  forwardIdentity: z
    .boolean()
    .prefault(true)
    .describe('Tell the service who it is, in X-Portcullis-User, -Roles and -Issuer. Clients can never set these.'),
})

export const routeSignIn = z
  .union([name.transform((oidc) => routeSettings.parse({ oidc })), routeSettings], {
    error: 'must be the name of an issuer, or { "oidc": "name", "roles": [...] }',
  })
  .describe(
    'Asks for a token (JWT) of an issuer: 401 without one, 403 without its roles or scopes. WebSockets and event streams end when it does.',
  )

const providerClient = z
  .strictObject({
    id: z.string().min(1).max(256).describe('What the provider calls this gateway; the audience of its ID tokens.'),
    secret: secret.optional().describe('Its secret; without one it is a public client.'),
    redirect: httpsUrl
      .refine(
        (text) => !URL.canParse(text) || (new URL(text).pathname === '/.account/callback' && !text.includes('?')),
        {
          message: 'has another path; write for example "https://transcripts.example.com/.account/callback"',
        },
      )
      .describe('Where the provider sends people back, to the letter as it is registered there.'),
    scopes: z
      .array(z.string().regex(/^[\x21\x23-\x5b\x5d-\x7e]{1,128}$/, 'is not a scope'))
      .max(32)
      .prefault(['openid'])
      .refine((scopes) => scopes.includes('openid'), 'lacks "openid", without which there is no ID token')
      .describe('Scopes to ask for; `openid` among them.'),
    sessionKey: secret.describe('Key that seals the cookies, 32 characters or more; the same on all nodes.'),
    session: z
      .strictObject({
        lifetime: duration('8 hours', 'After which a person signs in again, however long the ID token lives.'),
        idle: duration('15 minutes', 'Without a request, after which a person signs in again.'),
      })
      .prefault({})
      .describe('A session ends with the ID token at the latest.'),
  })
  .describe('Lets people sign in at the provider (authorization code with PKCE). Default: programs with tokens only.')

export const transcriptsOidc = z
  .strictObject({
    issuer: name.describe('Name of the issuer.'),
    client: providerClient.optional(),
  })
  .describe('Instead of `signIn`: who may read is known by an identity provider.')

export type IssuerConfig = z.output<typeof issuer>
export type RouteSignInConfig = z.output<typeof routeSignIn>
