/** Makes a new key and the request to have it certified (PKCS #10, RFC 2986). It knows no file and no authority. */
import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { bitString, element, oid, sequence } from './der.ts'
import { alternativeNames } from './extensions.ts'

export interface SigningRequest {
  readonly der: Buffer
  /** PEM, PKCS #8. Never printed. */
  readonly key: string
}

/** ECDSA on P-256, for these DNS names and addresses; the subject is empty, since clients look at the names only (RFC 9525, 2). */
export function makeSigningRequest(names: readonly string[]): SigningRequest {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const extensionRequest = sequence(oid('2a864886f70d01090e'), element(0x31, sequence(alternativeNames(names))))
  const body = sequence(
    element(0x02, Buffer.from([0])), // version 1
    sequence(), // subject
    publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa0, extensionRequest),
  )
  const signature = sign('sha256', body, { key: privateKey as KeyObject, dsaEncoding: 'der' })
  const der = sequence(body, sequence(oid('2a8648ce3d040302')), bitString(signature))
  return { der, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
}

/** The form that authorities' forms take (RFC 7468, 7). */
export function requestPem(der: Buffer): string {
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return `-----BEGIN CERTIFICATE REQUEST-----\n${lines.join('\n')}\n-----END CERTIFICATE REQUEST-----\n`
}
