/** Keys and tokens of an identity provider, right ones and hostile ones, and a server for its key set over TLS. */
import { createHmac, createSign, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { type MadeCertificate, makeCertificate } from './certificates.ts'

export interface SigningKey {
  readonly kid: string
  readonly alg: string
  readonly privateKey: KeyObject
  readonly publicKey: KeyObject
  /** Public, as it stands in a key set. */
  readonly jwk: Record<string, unknown>
}

export function makeKey(
  kid: string,
  alg: 'RS256' | 'PS256' | 'ES256' | 'ES384' | 'EdDSA' = 'RS256',
  bits = 2048,
): SigningKey {
  const pair =
    alg === 'EdDSA'
      ? generateKeyPairSync('ed25519')
      : alg.startsWith('ES')
        ? generateKeyPairSync('ec', { namedCurve: alg === 'ES256' ? 'P-256' : 'P-384' })
        : generateKeyPairSync('rsa', { modulusLength: bits })
  return { kid, alg, ...pair, jwk: { ...pair.publicKey.export({ format: 'jwk' }), kid, use: 'sig', alg } }
}

export const part = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url')

/** Any head over any claims, signed by the key as its algorithm says. Texts are taken as they are. */
export function makeToken(
  key: SigningKey,
  claims: unknown,
  head: unknown = { alg: key.alg, kid: key.kid, typ: 'JWT' },
): string {
  const signed = `${part(head)}.${part(claims)}`
  return `${signed}.${signatureOf(key, signed).toString('base64url')}`
}

export function makeHmacToken(secret: string | Buffer, claims: unknown, head: unknown): string {
  const signed = `${part(head)}.${part(claims)}`
  return `${signed}.${createHmac('sha256', secret).update(signed).digest('base64url')}`
}

function signatureOf({ alg, privateKey }: SigningKey, text: string): Buffer {
  const bytes = Buffer.from(text)
  if (alg === 'EdDSA') return sign(null, bytes, privateKey)
  const hash = `sha${alg.slice(2)}`
  if (alg.startsWith('ES')) return sign(hash, bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' })
  if (alg.startsWith('PS'))
    return sign(hash, bytes, { key: privateKey, padding: 6, saltLength: Number(alg.slice(2)) / 8 })
  return createSign(hash).update(bytes).sign(privateKey)
}

export interface KeyServer {
  /** What `issuer` is: `https://localhost:port`. */
  readonly issuer: string
  /** PEM of the authority. */
  readonly ca: string
  /** What the key set has now; another text is served as it is. */
  keys: readonly SigningKey[] | string
  /** Null: it answers. */
  trouble: 'refuse' | 'hang' | 'huge' | 'redirect' | 'error' | null
  /** What discovery says beside issuer and key set. */
  says: Record<string, unknown>
  readonly asked: string[]
  close(): Promise<void>
}

let certificate: MadeCertificate | null = null

/** A provider as far as its keys go. */
export async function startKeyServer(keys: readonly SigningKey[], port = 0): Promise<KeyServer> {
  certificate ??= await makeCertificate({ names: ['localhost'], authority: true })
  const server = createServer({ cert: certificate.cert, key: certificate.key }, (request, response) => {
    made.asked.push(request.url!)
    if (made.trouble === 'hang') return
    if (made.trouble === 'refuse') return void response.destroy()
    if (made.trouble === 'error') return void response.writeHead(500).end('{}')
    if (made.trouble === 'redirect') return void response.writeHead(302, { location: `${made.issuer}/jwks` }).end()
    if (made.trouble === 'huge') return void response.end(Buffer.alloc(2_000_000, ' '))
    if (request.url === '/.well-known/openid-configuration') {
      response.end(JSON.stringify({ issuer: made.issuer, jwks_uri: `${made.issuer}/jwks`, ...made.says }))
    } else
      response.end(
        typeof made.keys === 'string' ? made.keys : JSON.stringify({ keys: made.keys.map(({ jwk }) => jwk) }),
      )
  })
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  const made: KeyServer = {
    issuer: `https://localhost:${(server.address() as AddressInfo).port}`,
    ca: certificate.cert,
    keys,
    trouble: null,
    says: {},
    asked: [],
    close: async () => {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return made
}

/** Claims as Keycloak writes them. */
export function keycloakClaims(issuer: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  const now = Math.floor(Date.now() / 1000)
  return {
    iss: issuer,
    aud: ['portcullis', 'account'],
    sub: 'f2c1b9e0-0000-4000-8000-000000000001',
    typ: 'Bearer',
    azp: 'chat-web',
    exp: now + 300,
    iat: now,
    preferred_username: 'maria',
    scope: 'openid chat',
    realm_access: { roles: ['agent'] },
    resource_access: { chat: { roles: ['supervisor'] }, other: { roles: ['other-role'] } },
    ...more,
  }
}
