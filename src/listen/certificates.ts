/**
 * Loads a listener's certificates and refuses weak, expired, mismatched and badly kept ones. It knows files and X.509; it
 * knows no socket.
 */
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { SecretReference, TlsConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { type CertificatePair, pairsOf } from './certificate-folders.ts'
import { certificateProblems, keyProblems, subjectNames, timeProblems } from './certificate-rules.ts'
import { reason } from './file-reasons.ts'
import { TLS_PROFILES } from './tls.ts'

export interface LoadedCertificate {
  readonly certFile: string
  readonly keyFile: string
  /** DNS names (lower case, `*.` kept) and IP addresses of the subjectAltName extension. */
  readonly names: readonly string[]
  readonly subject: string
  readonly expiresAt: Date
  /** SHA-256, upper-case hex with colons. */
  readonly fingerprint256: string
  /** PEM of the certificate and its chain. */
  readonly cert: string
  /** PEM of the private key, decrypted. Never printed. */
  readonly key: string
  /** The certificate itself and what signed it, as the chain has it; null where the chain is only the certificate. */
  readonly leaf: X509Certificate
  readonly issuer: X509Certificate | null
}

type CertificateSettings = Pick<TlsConfig, 'certificates' | 'profile'>

/** Every file and folder that `loadCertificates` reads, for the watch. Those that are not there yet among them. */
export function filesOf(config: CertificateSettings): string[] {
  const files: string[] = []
  for (const entry of config.certificates) {
    const { passphrase } = entry
    if (passphrase !== undefined && 'file' in passphrase) files.push(passphrase.file)
    if ('folder' in entry) files.push(entry.folder)
    for (const { cert, key } of pairsOf(entry, ignore)) files.push(cert, key)
  }
  return files
}

/**
 * What was loaded before, so that a reload reads only what changed among thousands. Keyed by what the files are (inode,
 * size, times), not by what they are called.
 */
export class CertificateCache {
  #known = new Map<string, LoadedCertificate>()
  #next = new Map<string, LoadedCertificate>()

  /** The same pair of files, unchanged; null where it has to be read. Whether it is still valid in time is the caller's question. */
  find(signature: string): LoadedCertificate | null {
    const found = this.#next.get(signature) ?? this.#known.get(signature) ?? null
    if (found !== null) this.#next.set(signature, found)
    return found
  }

  keep(signature: string, certificate: LoadedCertificate): void {
    this.#next.set(signature, certificate)
  }

  /** Forgets what no one asked for since the last call. */
  settle(): void {
    this.#known = this.#next
    this.#next = new Map()
  }
}

/**
 * Loads every pair of `config.certificates`. Passphrases come from `resolve`, which throws where a reference leads nowhere.
 * Throws one ConfigurationError with every problem of every pair, each naming the listener and the file.
 */
export function loadCertificates(
  config: CertificateSettings,
  resolve: (reference: SecretReference) => string,
  listenerName: string,
  cache = new CertificateCache(),
): LoadedCertificate[] {
  const problems: string[] = []
  const loaded: LoadedCertificate[] = []
  const taken = new Map<string, string>()
  for (const [index, entry] of config.certificates.entries()) {
    const report = (problem: string) =>
      problems.push(`listeners.${listenerName}.tls.certificates[${index}]: ${problem}`)
    for (const pair of pairsOf(entry, report)) {
      const one = loadKnown(pair, config.profile, resolve, report, cache)
      if (one === null) continue
      if (one.names.every((name) => taken.has(name))) {
        report(`${pair.cert} is never chosen: ${taken.get(one.names[0]!)} serves all its names; leave one of them out`)
      }
      for (const name of one.names) if (!taken.has(name)) taken.set(name, pair.cert)
      loaded.push(one)
    }
  }
  if (problems.length > 0) throw new ConfigurationError(problems)
  return loaded
}

function loadKnown(
  pair: CertificatePair,
  profile: TlsConfig['profile'],
  resolve: (reference: SecretReference) => string,
  report: (problem: string) => void,
  cache: CertificateCache,
): LoadedCertificate | null {
  const signature = signatureOf(pair, profile)
  const known = signature === null ? null : cache.find(signature)
  if (known !== null) {
    const late = timeProblems(known.leaf, new Date())
    for (const problem of late) report(`${pair.cert}: ${problem}`)
    return late.length === 0 ? known : null
  }
  const one = loadPair(pair, profile, resolve, report)
  if (one !== null && signature !== null) cache.keep(signature, one)
  return one
}

/** Null where a file is not there, or where the passphrase could have changed too. */
function signatureOf(pair: CertificatePair, profile: TlsConfig['profile']): string | null {
  if (pair.passphrase !== undefined) return null
  try {
    const parts = [pair.cert, pair.key].map((file) => {
      const { dev, ino, size, mtimeNs, ctimeNs, mode } = statSync(file, { bigint: true })
      return `${file} ${dev} ${ino} ${size} ${mtimeNs} ${ctimeNs} ${mode}`
    })
    return `${profile} ${parts.join(' ')}`
  } catch {
    return null
  }
}

function ignore(): void {}

function loadPair(
  pair: CertificatePair,
  profile: TlsConfig['profile'],
  resolve: (reference: SecretReference) => string,
  report: (problem: string) => void,
): LoadedCertificate | null {
  let sound = true
  const refuse = (problem: string) => {
    sound = false
    report(problem)
  }
  const chain = readChain(pair.cert, refuse)
  const key = readKey(pair, resolve, refuse)
  if (chain !== null) {
    for (const problem of certificateProblems(chain.certificates, new Date())) refuse(`${pair.cert}: ${problem}`)
  }
  if (key !== null) for (const problem of keyProblems(key)) refuse(`${pair.key}: ${problem}`)
  if (chain === null || key === null) return null
  const leaf = chain.certificates[0]!
  if (!leaf.checkPrivateKey(key)) {
    const place = chain.certificates.findIndex((each) => each.checkPrivateKey(key))
    refuse(
      place > 0
        ? `${pair.cert}: the certificate of ${pair.key} is number ${place + 1} in the file; it must come first, then its chain`
        : `${pair.key} is not the key of ${pair.cert}`,
    )
  }
  if (!sound) return null
  const keyPem = key.export({ type: 'pkcs8', format: 'pem' })
  try {
    // Made once to see that OpenSSL takes the pair; the table makes its own when they are asked for.
    createSecureContext({ ...TLS_PROFILES[profile], cert: chain.pem, key: keyPem })
    return {
      certFile: pair.cert,
      keyFile: pair.key,
      names: subjectNames(leaf),
      subject: leaf.subject.replaceAll('\n', ', '),
      expiresAt: leaf.validToDate,
      fingerprint256: leaf.fingerprint256,
      cert: chain.pem,
      key: keyPem,
      leaf,
      issuer: chain.certificates[1] ?? null,
    }
  } catch (error) {
    report(`${pair.cert} and ${pair.key} cannot be used: ${reason(error)}`)
    return null
  }
}

/**
 * Nobody but the owner. A key that root hands to the gateway's group (Kubernetes with fsGroup, Docker secrets) may be read
 * by that group, for a gateway that is not root could not have it otherwise; PostgreSQL has the same rule.
 */
function forbiddenBits(owner: number): number {
  return owner === 0 && process.getuid?.() !== 0 ? 0o037 : 0o077
}

interface Chain {
  readonly pem: string
  /** At least one. */
  readonly certificates: readonly X509Certificate[]
}

const PEM_CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** A chain longer than this is a bundle of authorities, put there by mistake; it would be sent in every handshake. */
const MOST_CERTIFICATES = 10

function readChain(file: string, refuse: (problem: string) => void): Chain | null {
  let text: string
  try {
    text = readFileSync(file, 'latin1')
  } catch (error) {
    refuse(`${file} cannot be read: ${reason(error)}`)
    return null
  }
  const blocks = text.match(PEM_CERTIFICATE)
  if (blocks === null) {
    refuse(`${file} holds no certificate in PEM form ("-----BEGIN CERTIFICATE-----")`)
    return null
  }
  if (blocks.length > MOST_CERTIFICATES) {
    refuse(`${file} holds ${blocks.length} certificates; put only the certificate and its chain there`)
    return null
  }
  const certificates: X509Certificate[] = []
  for (const [index, block] of blocks.entries()) {
    try {
      certificates.push(new X509Certificate(block))
    } catch {
      refuse(`${file}: certificate ${index + 1} in the file is damaged`)
      return null
    }
  }
  // Only what was checked is served: text around the blocks, a key among it, stays behind.
  return { pem: `${blocks.join('\n')}\n`, certificates }
}

function readKey(
  pair: CertificatePair,
  resolve: (reference: SecretReference) => string,
  refuse: (problem: string) => void,
): KeyObject | null {
  const file = pair.key
  let pem: Buffer
  try {
    const { mode, uid } = statSync(file)
    if ((mode & forbiddenBits(uid)) !== 0) {
      refuse(
        `${file} can be read by others (mode ${(mode & 0o777).toString(8).padStart(4, '0')}); run: chmod 0600 ${file}`,
      )
      return null
    }
    pem = readFileSync(file)
  } catch (error) {
    refuse(`${file} cannot be read: ${reason(error)}`)
    return null
  }
  try {
    return parseKey(file, pem, pair.passphrase === undefined ? null : resolve(pair.passphrase), refuse)
  } catch (error) {
    refuse(`${file}: its passphrase cannot be had: ${reason(error)}`)
    return null
  } finally {
    pem.fill(0)
  }
}

function parseKey(
  file: string,
  pem: Buffer,
  passphrase: string | null,
  refuse: (problem: string) => void,
): KeyObject | null {
  const head = pem.toString('latin1')
  if (!/-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----/.test(head)) {
    refuse(`${file} holds no private key in PEM form ("-----BEGIN PRIVATE KEY-----")`)
    return null
  }
  const encrypted = head.includes('ENCRYPTED')
  if (encrypted && passphrase === null) {
    refuse(`${file} is encrypted; give its passphrase: "passphrase": { "file": "path" }`)
    return null
  }
  try {
    // OpenSSL would ask on the terminal where the passphrase is undefined.
    return createPrivateKey({ key: pem, format: 'pem', passphrase: passphrase ?? '' })
  } catch {
    refuse(encrypted ? `${file} cannot be decrypted: the passphrase is wrong` : `${file} is damaged`)
    return null
  }
}
