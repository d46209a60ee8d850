/** Certificates for tests, good and bad ones, made on the spot. Nothing here is used outside tests. */
import 'reflect-metadata'
import { createPrivateKey, webcrypto, X509Certificate } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  AuthorityInfoAccessExtension,
  BasicConstraintsExtension,
  cryptoProvider,
  ExtendedKeyUsageExtension,
  type Extension,
  SubjectAlternativeNameExtension,
  X509CertificateGenerator,
  X509CrlGenerator,
} from '@peculiar/x509'

cryptoProvider.set(webcrypto as Crypto)

export type KeyKind = 'P-256' | 'P-384' | 'P-521' | 'Ed25519' | 'RSA-1024' | 'RSA-2048' | 'RSA-SHA1' | 'RSA-PSS-SHA1'

export interface CertificateWish {
  names?: string[]
  kind?: KeyKind
  /** Days from now. */
  from?: number
  /** Days from now. */
  to?: number
  /** Extended key usages; default: none said. */
  purposes?: string[]
  subject?: string
  issuer?: MadeCertificate
  authority?: boolean
  /** URL of an OCSP responder to name. */
  ocsp?: string
}

export interface MadeCertificate {
  cert: string
  key: string
  keys: webcrypto.CryptoKeyPair
  algorithm: webcrypto.EcKeyGenParams
  subject: string
}

const DAY_MS = 86_400_000

const rsa = (modulusLength: number, hash = 'SHA-256', name = 'RSASSA-PKCS1-v1_5') => ({
  name,
  hash,
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
  ...(name === 'RSA-PSS' ? { saltLength: 20 } : {}),
})

const ALGORITHMS: Record<KeyKind, object> = {
  'P-256': { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
  'P-384': { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
  'P-521': { name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' },
  Ed25519: { name: 'Ed25519' },
  'RSA-1024': rsa(1024),
  'RSA-2048': rsa(2048),
  'RSA-SHA1': rsa(2048, 'SHA-1'),
  'RSA-PSS-SHA1': rsa(2048, 'SHA-1', 'RSA-PSS'),
}

/** A certificate and its key, PEM. Self-signed where no issuer is given. */
export async function makeCertificate(wish: CertificateWish = {}): Promise<MadeCertificate> {
  const { names = ['localhost'], kind = 'P-256', from = -1, to = 30, issuer } = wish
  const algorithm = ALGORITHMS[kind] as webcrypto.EcKeyGenParams
  const keys = (await webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])) as webcrypto.CryptoKeyPair
  const extensions: Extension[] = []
  if (names.length > 0) {
    extensions.push(
      new SubjectAlternativeNameExtension(
        names.map((value) => ({ type: /^[\d.]+$|:/.test(value) ? ('ip' as const) : ('dns' as const), value })),
      ),
    )
  }
  if (wish.purposes !== undefined) extensions.push(new ExtendedKeyUsageExtension(wish.purposes))
  if (wish.ocsp !== undefined) extensions.push(new AuthorityInfoAccessExtension({ ocsp: wish.ocsp }))
  if (wish.authority) extensions.push(new BasicConstraintsExtension(true, undefined, true))
  const subject = wish.subject ?? `CN=${names[0] ?? 'nameless'}`
  const certificate = await X509CertificateGenerator.create({
    subject,
    issuer: issuer?.subject ?? subject,
    notBefore: new Date(Date.now() + from * DAY_MS),
    notAfter: new Date(Date.now() + to * DAY_MS),
    publicKey: keys.publicKey as CryptoKey,
    signingKey: (issuer?.keys ?? keys).privateKey as CryptoKey,
    signingAlgorithm: (issuer?.algorithm ?? algorithm) as object as webcrypto.EcdsaParams,
    extensions,
  })
  const key = createPrivateKey({
    key: Buffer.from(await webcrypto.subtle.exportKey('pkcs8', keys.privateKey)),
    format: 'der',
    type: 'pkcs8',
  }).export({ type: 'pkcs8', format: 'pem' }) as string
  return { cert: `${certificate.toString('pem')}\n`, key, keys, algorithm, subject }
}

/** A revocation list of an authority, PEM. `revoked` are certificates that it signed; `to` days from now. */
export async function makeRevocationList(
  authority: MadeCertificate,
  revoked: readonly MadeCertificate[],
  to = 30,
): Promise<string> {
  const list = await X509CrlGenerator.create({
    issuer: authority.subject,
    thisUpdate: new Date(Date.now() - 2 * DAY_MS),
    nextUpdate: new Date(Date.now() + to * DAY_MS),
    entries: revoked.map(({ cert }) => ({ serialNumber: new X509Certificate(cert).serialNumber })),
    signingKey: authority.keys.privateKey as CryptoKey,
    signingAlgorithm: authority.algorithm as object as webcrypto.EcdsaParams,
  })
  // As OpenSSL writes it (RFC 7468, 6).
  const base64 = Buffer.from(list.rawData).toString('base64').replace(/.{64}/g, '$&\n')
  return `-----BEGIN X509 CRL-----\n${base64}\n-----END X509 CRL-----\n`
}

/** The key encrypted as `openssl genpkey -aes256` does. */
export function encryptKey(key: string, passphrase: string): string {
  return createPrivateKey(key).export({ type: 'pkcs8', format: 'pem', cipher: 'aes-256-cbc', passphrase }) as string
}

/** Writes `name.pem` and `name.key` (0600) and returns their paths as the configuration has them. */
export function writePair(
  folder: string,
  name: string,
  made: { cert: string; key: string },
  mode = 0o600,
): { cert: string; key: string } {
  const pair = { cert: join(folder, `${name}.pem`), key: join(folder, `${name}.key`) }
  writeFileSync(pair.cert, made.cert)
  writeFileSync(pair.key, made.key, { mode })
  return pair
}
