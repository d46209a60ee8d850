/**
 * Which certificate answers which server name: exact names first, then wildcards, then the first certificate, or nobody. It
 * knows no file and no socket.
 */
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls'
import { canonicalAddress } from './certificate-rules.ts'
import type { LoadedCertificate } from './certificates.ts'

/** A context takes some 25 KB, and making one a fifth of a millisecond: those in use are kept, of thousands of certificates. */
const MOST_CONTEXTS = 1000

export class CertificateTable {
  /** In configured order; the first is the default. */
  readonly certificates: readonly LoadedCertificate[]
  /** For `tls.createServer`: a bound function. */
  readonly onServerName: (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void
  readonly #byName: ReadonlyMap<string, LoadedCertificate>
  readonly #base: SecureContextOptions
  readonly #isStrict: boolean
  /** Least recently used first. */
  readonly #contexts = new Map<LoadedCertificate, SecureContext>()
  /** Has no certificate: OpenSSL ends the handshake with an alert. */
  #nobody: SecureContext | null = null

  /**
   * `base` is what every context has besides its pair; `isStrict` ends handshakes for other names than those of the
   * certificates. Where two carry the same name, the first one answers to it. Throws where there is no certificate.
   */
  constructor(certificates: readonly LoadedCertificate[], base: SecureContextOptions, isStrict: boolean) {
    if (certificates.length === 0) throw new TypeError('a table needs at least one certificate')
    const byName = new Map<string, LoadedCertificate>()
    for (const certificate of certificates) {
      for (const name of certificate.names) if (!byName.has(name)) byName.set(name, certificate)
    }
    this.certificates = certificates
    this.#byName = byName
    this.#base = base
    this.#isStrict = isStrict
    this.onServerName = (serverName, done) => {
      let context: SecureContext
      try {
        context = this.#contextFor(this.find(serverName))
      } catch (error) {
        return done(error as Error)
      }
      done(null, context)
    }
  }

  /** Certificate and key for clients without SNI, which never reach `onServerName`; none under a strict table. */
  get defaultPair(): { cert?: string; key?: string } {
    if (this.#isStrict) return {}
    const { cert, key } = this.certificates[0]!
    return { cert, key }
  }

  /** The certificate for a server name as it came in the handshake, '' for none. Null where nobody answers to it. */
  find(serverName: string): LoadedCertificate | null {
    const name = canonical(serverName)
    return this.#byName.get(name) ?? this.#byName.get(wildcard(name)) ?? (this.#isStrict ? null : this.certificates[0]!)
  }

  /**
   * May a request for `host` come over a connection that asked for `serverName`? False asks for 421 (RFC 9110, 15.5.20).
   * Browsers send requests for several hosts over one HTTP/2 connection where its certificate covers them all (RFC 9113,
   * 9.1.1): so the question is whether the certificate that was served covers the host. A client without SNI (health
   * probes, clients by IP address) asked for nothing that the host could differ from.
   */
  covers(serverName: string, host: string): boolean {
    if (serverName === '' || serverName === host) return true
    const served = this.find(serverName)
    return served !== null && hostMatchesCertificate(host, served.names)
  }

  /** How many contexts are held. */
  get contextCount(): number {
    return this.#contexts.size
  }

  #contextFor(certificate: LoadedCertificate | null): SecureContext {
    if (certificate === null) {
      this.#nobody ??= createSecureContext(this.#base)
      return this.#nobody
    }
    let context = this.#contexts.get(certificate)
    if (context !== undefined) this.#contexts.delete(certificate)
    else {
      const { cert, key } = certificate
      context = createSecureContext({ ...this.#base, cert, key })
      if (this.#contexts.size >= MOST_CONTEXTS) this.#contexts.delete(this.#contexts.keys().next().value!)
    }
    this.#contexts.set(certificate, context)
    return context
  }
}

/** Does a certificate with these names cover the host (without port, IPv6 with or without brackets)? RFC 9525, 6.3. */
export function hostMatchesCertificate(host: string, names: readonly string[]): boolean {
  const name = canonical(host)
  return names.includes(name) || names.includes(wildcard(name))
}

function canonical(name: string): string {
  const address = canonicalAddress(name)
  if (address !== null) return address
  return (name.endsWith('.') ? name.slice(0, -1) : name).toLowerCase()
}

/** `a.b.c` to `*.b.c`: a wildcard stands for exactly one label. '' where there is no label to replace; addresses have none. */
function wildcard(name: string): string {
  const dot = name.indexOf('.')
  if (dot <= 0 || canonicalAddress(name) !== null) return ''
  return `*${name.slice(dot)}`
}
