/**
 * Certificates that clients show: the authorities and revocation lists that judge them, and what services are told of a
 * verified one. It knows no socket.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { SecureContextOptions } from 'node:tls'
import type { TlsConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { ClientCertificate } from '../exchange/connection.ts'
import { timeProblems } from './certificate-rules.ts'
import { reason } from './file-reasons.ts'
import { type RevocationList, readList } from './revocation-lists.ts'

type ClientCertificateConfig = NonNullable<TlsConfig['clientCertificates']>

/** Who may sign client certificates on a listener. */
export interface ClientAuthorities {
  readonly isRequired: boolean
  readonly forwardsCertificate: boolean
  /** For every context of the listener. */
  readonly context: Pick<SecureContextOptions, 'ca' | 'crl'>
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g
const PEM_LIST = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/g

/** Reads the files. Throws one ConfigurationError with every problem, each naming the listener and the file. */
export function loadAuthorities(config: ClientCertificateConfig, listenerName: string): ClientAuthorities {
  const problems: string[] = []
  const at = (setting: string, index: number, problem: string): void => {
    problems.push(`listeners.${listenerName}.tls.clientCertificates.${setting}[${index}]: ${problem}`)
  }
  const ca: string[] = []
  const authorities: { subject: X509Certificate; file: string; index: number }[] = []
  for (const [index, file] of config.ca.entries()) {
    const blocks = readBlocks(file, PEM_CERTIFICATE, 'certificate', (problem) => at('ca', index, problem))
    for (const block of blocks) {
      const problem = authorityProblem(block)
      if (problem !== null) at('ca', index, `${file}: ${problem}`)
      else authorities.push({ subject: new X509Certificate(block), file, index })
    }
    ca.push(...blocks)
  }
  const crl: string[] = []
  const lists: RevocationList[] = []
  for (const [index, file] of config.crl.entries()) {
    const blocks = readBlocks(file, PEM_LIST, 'revocation list', (problem) => at('crl', index, problem))
    for (const block of blocks) {
      const list = readList(block)
      if (list === null) at('crl', index, `${file} is damaged`)
      else lists.push(list)
    }
    crl.push(...blocks)
  }
  if (problems.length === 0 && crl.length > 0) {
    // OpenSSL asks for a list of every authority in a chain, the root among them, and refuses all whose list it misses.
    for (const { subject, file, index } of authorities) {
      if (lists.some((list) => list.isOf(subject))) continue
      at('ca', index, `${file}: no file in "crl" is the revocation list of ${nameOf(subject)}`)
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems)
  return {
    isRequired: config.mode === 'required',
    forwardsCertificate: config.forwardCertificate,
    context: crl.length === 0 ? { ca } : { ca, crl },
  }
}

function readBlocks(file: string, pattern: RegExp, what: string, refuse: (problem: string) => void): string[] {
  try {
    const blocks = readFileSync(file, 'latin1').match(pattern)
    if (blocks !== null) return blocks
    refuse(`${file} holds no ${what} in PEM form`)
  } catch (error) {
    refuse(`${file} cannot be read: ${reason(error)}`)
  }
  return []
}

function authorityProblem(block: string): string | null {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(block)
  } catch {
    return 'is damaged'
  }
  if (!certificate.ca) return `${nameOf(certificate)} is no authority (basicConstraints without CA)`
  return timeProblems(certificate, new Date())[0] ?? null
}

const nameOf = ({ subject }: X509Certificate): string => oneLine(subject)

/** A part of a subject would name somebody else. */
const MOST_SUBJECT_BYTES = 2048

/** What services are told of a certificate that the handshake has verified; null where its subject is too long to be told whole. */
export function describeClient(certificate: X509Certificate, withWhole: boolean): ClientCertificate | null {
  const subject = oneLine(certificate.subject)
  if (subject.length > MOST_SUBJECT_BYTES) return null
  const fingerprint = certificate.fingerprint256.replaceAll(':', '').toLowerCase()
  const fields = ['x-client-cert-subject', subject, 'x-client-cert-fingerprint', fingerprint]
  // RFC 9440, 2.2: a byte sequence of RFC 8941, so base64 between colons.
  if (withWhole) fields.push('client-cert', `:${certificate.raw.toString('base64')}:`)
  return { subject, fingerprint, fields }
}

/**
 * A subject as one field value: attributes joined by commas as the certificate orders them (a comma inside a value comes
 * escaped from Node), everything but printable ASCII percent-encoded, and the percent sign, so that it reads back in one way.
 */
function oneLine(subject: string | undefined): string {
  const joined = (subject ?? '').split('\n').join(',')
  return joined.replace(/[^\x20-\x24\x26-\x7e]/gu, (found) => encodeURIComponent(found.toWellFormed()))
}
