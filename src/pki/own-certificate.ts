/**
 * Makes self-signed certificates, ECDSA on P-256 (RFC 5280, 4.1), and reads them back by OpenSSL before they are given out.
 * It knows no file and no use of them.
 *
 * The DER is written by hand: certificates of one fixed shape are a page of encoding (nothing is parsed). A library for it
 * would bring more than a dozen packages into production, in a place that holds private keys.
 */
import { generateKeyPairSync, randomBytes, sign, X509Certificate } from 'node:crypto'
import { bitString, element, oid, sequence } from './der.ts'

const DAY_MS = 86_400_000
const ECDSA_WITH_SHA256 = sequence(oid('2a8648ce3d040302'))

export interface OwnCertificateWish {
  readonly organisation: string
  readonly commonName: string
  readonly days: number
  /** As extensions.ts makes them. */
  readonly extensions: readonly Buffer[]
}

export interface OwnCertificate {
  readonly certificate: X509Certificate
  /** PEM. */
  readonly cert: string
  /** PEM, PKCS #8. Never printed. */
  readonly key: string
}

/** Valid from an hour ago, for clocks that are behind. */
export function makeOwnCertificate(wish: OwnCertificateWish): OwnCertificate {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'prime256v1' })
  const from = new Date(Date.now() - 3_600_000)
  const name = sequence(attribute('55040a', wish.organisation), attribute('550403', wish.commonName))
  const serial = randomBytes(16)
  // Positive and not zero (RFC 5280, 4.1.2.2).
  serial[0] = (serial[0]! & 0x7f) | 0x40
  const body = sequence(
    element(0xa0, element(0x02, Buffer.from([2]))), // version 3
    element(0x02, serial),
    ECDSA_WITH_SHA256,
    name,
    sequence(time(from), time(new Date(from.getTime() + wish.days * DAY_MS))),
    name,
    publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa3, sequence(...wish.extensions)),
  )
  const signature = sign('sha256', body, { key: privateKey, dsaEncoding: 'der' })
  const certificate = new X509Certificate(sequence(body, ECDSA_WITH_SHA256, bitString(signature)))
  if (!certificate.verify(publicKey)) throw new Error('the certificate that was made does not verify')
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
  return { certificate, cert: certificate.toString(), key }
}

/** A name of 64 characters at most, as RFC 5280 bounds it (ub-common-name). */
function attribute(type: string, value: string): Buffer {
  return element(0x31, sequence(oid(type), element(0x0c, Buffer.from(value.slice(0, 64)))))
}

/** UTCTime until 2049, GeneralizedTime after (RFC 5280, 4.1.2.5). */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]/g, '').slice(0, 14)}Z`
  return date.getUTCFullYear() < 2050 ? element(0x17, Buffer.from(digits.slice(2))) : element(0x18, Buffer.from(digits))
}
