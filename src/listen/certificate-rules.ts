/**
 * What a certificate and a key must be to be served: strength, time, order, purpose. Pure judgement; it knows no file and no
 * listener.
 */
import type { KeyObject, X509Certificate } from 'node:crypto'
import { isIP } from 'node:net'
import { derContent } from '../pki/der.ts'

const LEAST_RSA_BITS = 2048
const CURVES: ReadonlySet<string> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

/** AlgorithmIdentifier values of acceptable signatures, hex of the OID's content: with SHA-256 or better, or Ed25519, Ed448. */
const SIGNATURES: ReadonlySet<string> = new Set([
  '2a864886f70d01010b', // sha256WithRSAEncryption
  '2a864886f70d01010c', // sha384WithRSAEncryption
  '2a864886f70d01010d', // sha512WithRSAEncryption
  '2a8648ce3d040302', // ecdsa-with-SHA256
  '2a8648ce3d040303', // ecdsa-with-SHA384
  '2a8648ce3d040304', // ecdsa-with-SHA512
  '2b6570', // Ed25519
  '2b6571', // Ed448
])
const RSA_PSS = '2a864886f70d01010a'
/** id-sha256, -384, -512 as they stand in the parameters of RSA-PSS, whose default is SHA-1 (RFC 4055, 3.1). */
const PSS_HASH = /0609608648016503040(?:201|202|203)/

const WEAK_NAMES: ReadonlyMap<string, string> = new Map([
  ['2a864886f70d010104', 'MD5'],
  ['2a864886f70d010105', 'SHA-1'],
  ['2a8648ce3d0401', 'SHA-1'],
  ['2a8648ce380403', 'SHA-1'],
])

const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'
const ANY_PURPOSE = '2.5.29.37.0'

/** What is wrong with a chain, leaf first, one line each; empty where it may be served. */
export function certificateProblems(chain: readonly X509Certificate[], now: Date): string[] {
  const problems: string[] = []
  for (const [index, certificate] of chain.entries()) {
    // A root is trusted for being in the client's store; its own signature and dates are judged by nobody.
    if (index > 0 && certificate.checkIssued(certificate)) continue
    const which = index === 0 ? '' : `chain certificate ${index + 1} `
    problems.push(...timeProblems(certificate, now).map((each) => which + each))
    problems.push(...keyProblems(certificate.publicKey).map((each) => which + each))
    const weak = weakSignature(certificate)
    if (weak !== null) problems.push(`${which}is signed with ${weak}; it takes SHA-256 or better`)
  }
  const leaf = chain[0]!
  if (subjectNames(leaf).length === 0) {
    problems.push('names no host (subjectAltName); clients look nowhere else (RFC 9525, 2)')
  }
  const purposes = leaf.keyUsage as string[] | undefined
  if (purposes !== undefined && !purposes.includes(SERVER_AUTH) && !purposes.includes(ANY_PURPOSE)) {
    problems.push('is not meant for servers (extended key usage without serverAuth)')
  }
  return problems
}

/** What is wrong with the time of a certificate, one line at most. */
export function timeProblems(certificate: X509Certificate, now: Date): string[] {
  if (certificate.validToDate <= now) return [`expired at ${certificate.validToDate.toISOString()}`]
  if (certificate.validFromDate > now) return [`is valid only from ${certificate.validFromDate.toISOString()}`]
  return []
}

/** What is wrong with a key, public or private: its kind or its strength. */
export function keyProblems(key: KeyObject): string[] {
  const details = key.asymmetricKeyDetails
  switch (key.asymmetricKeyType) {
    case 'rsa':
    case 'rsa-pss': {
      const bits = details?.modulusLength ?? 0
      return bits >= LEAST_RSA_BITS ? [] : [`has an RSA key of ${bits} bits; it takes ${LEAST_RSA_BITS} or more`]
    }
    case 'ec': {
      const curve = details?.namedCurve ?? 'unknown'
      return CURVES.has(curve) ? [] : [`has a key on the curve ${curve}; it takes P-256, P-384 or P-521`]
    }
    case 'ed25519':
      return []
    default:
      return [`has a key of the kind ${key.asymmetricKeyType ?? 'unknown'}; it takes RSA, ECDSA or Ed25519`]
  }
}

/** The weak algorithm's name; null where the signature is good. */
function weakSignature(certificate: X509Certificate): string | null {
  const { oid, whole } = signatureAlgorithm(certificate.raw)
  if (SIGNATURES.has(oid)) return null
  if (oid === RSA_PSS) return PSS_HASH.test(whole) ? null : 'RSA-PSS with SHA-1'
  return WEAK_NAMES.get(oid) ?? 'an unknown algorithm'
}

/**
 * Certificate ::= SEQUENCE { tbsCertificate, signatureAlgorithm SEQUENCE { OID, parameters }, signature } (RFC 5280, 4.1).
 * Read from the bytes, for Node tells the name only from 24.9 on and the hash of RSA-PSS not at all. OpenSSL has parsed
 * the same bytes before, so their structure is sound.
 */
function signatureAlgorithm(der: Buffer): { oid: string; whole: string } {
  const outer = derContent(der, 0)
  const algorithm = derContent(der, derContent(der, outer.start).end)
  const oid = derContent(der, algorithm.start)
  return { oid: der.toString('hex', oid.start, oid.end), whole: der.toString('hex', algorithm.start, algorithm.end) }
}

/** DNS names in lower case, and IP addresses as RFC 5952 writes them, of the subjectAltName extension. */
export function subjectNames(certificate: X509Certificate): string[] {
  const names: string[] = []
  // A name with a comma, quote or the like comes as a JSON string and is not a host name: it fails the pattern.
  for (const entry of (certificate.subjectAltName ?? '').split(', ')) {
    const found = /^(DNS|IP Address):([A-Za-z0-9.:*_-]+)$/.exec(entry)
    if (found === null) continue
    const name = found[1] === 'DNS' ? found[2]!.toLowerCase() : canonicalAddress(found[2]!)
    if (name !== null && !names.includes(name)) names.push(name)
  }
  return names
}

/** An IP address in its one short form, without brackets; null where it is none. */
export function canonicalAddress(text: string): string | null {
  const bare = text.startsWith('[') && text.endsWith(']') ? text.slice(1, -1) : text
  const family = isIP(bare)
  if (family === 4) return bare
  if (family === 6 && !bare.includes('%')) return new URL(`http://[${bare}]/`).hostname.slice(1, -1)
  return null
}
