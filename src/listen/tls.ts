/**
 * What every TLS listener offers (Mozilla's server-side TLS guidelines 6.0), and which certificate answers which server
 * name. It knows no file and no route.
 */
import { constants, randomBytes } from 'node:crypto'
import type { SecureContext, SecureContextOptions, Server, TlsOptions } from 'node:tls'
import type { TlsConfig } from '../config/shape.ts'
import { canonicalAddress } from './certificate-rules.ts'
import type { LoadedCertificate } from './certificates.ts'

type Profile = TlsConfig['profile']

const SUITES_13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

const SUITES_12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/** Key exchange groups, the post-quantum hybrid first. */
const TLS_GROUPS = 'X25519MLKEM768:X25519:prime256v1:secp384r1'

const base = {
  ecdhCurve: TLS_GROUPS,
  // Every suite on offer is strong, so the client may choose what its hardware does fast (guidelines: server_preferred_order false).
  honorCipherOrder: false,
  // RFC 9113, 9.2.1 forbids both to HTTP/2, and nobody needs them for HTTP/1.1. 0-RTT is not in Node.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  maxVersion: 'TLSv1.3',
} as const satisfies SecureContextOptions

/** The two profiles. Written here and nowhere else: no setting can enable an older version or a weaker suite. */
export const TLS_PROFILES: Readonly<Record<Profile, Readonly<SecureContextOptions>>> = {
  intermediate: { ...base, minVersion: 'TLSv1.2', ciphers: [...SUITES_13, ...SUITES_12].join(':') },
  modern: { ...base, minVersion: 'TLSv1.3', ciphers: SUITES_13.join(':') },
}

/**
 * The options of a listener's `tls.Server`: profile, ALPN (a client that offers neither protocol gets the alert
 * no_application_protocol, RFC 7301, 3.2; one that offers none speaks HTTP/1.1) and the table's certificates.
 */
export function tlsOptions(profile: Profile, table: CertificateTable): TlsOptions {
  return {
    ...TLS_PROFILES[profile],
    ...table.defaultPair,
    ticketKeys: table.ticketKeys,
    ALPNProtocols: ['h2', 'http/1.1'],
    SNICallback: table.onServerName,
  }
}

/**
 * Serves a new set of certificates from the next handshake on. Open connections keep what they agreed on, and sessions can
 * still be resumed. The server must have been made with `tlsOptions(profile, table)`.
 */
export function swapCertificates(
  server: Server,
  profile: Profile,
  table: CertificateTable,
  certificates: readonly LoadedCertificate[],
): void {
  table.replace(certificates)
  // A client without SNI never reaches the SNI callback: it is served from the server's own context.
  server.setSecureContext(tlsOptions(profile, table))
}

/** Which certificate answers which server name: exact names first, then wildcards, then the first certificate. */
export class CertificateTable {
  /** 48 random bytes of this process. Kept when certificates change, so that sessions outlive the change. */
  readonly ticketKeys: Buffer = randomBytes(48)
  /** For `tls.createServer`: a bound function. Never fails. */
  readonly onServerName: (serverName: string, done: (error: Error | null, context?: SecureContext) => void) => void
  #certificates: readonly LoadedCertificate[] = []
  #byName: ReadonlyMap<string, LoadedCertificate> = new Map()

  /** Throws where there is no certificate: a listener without one cannot answer. */
  constructor(certificates: readonly LoadedCertificate[]) {
    this.onServerName = (serverName, done) => done(null, this.contextFor(serverName))
    this.replace(certificates)
  }

  /** In configured order; the first is the default. */
  get certificates(): readonly LoadedCertificate[] {
    return this.#certificates
  }

  /** Certificate and key for clients without SNI. */
  get defaultPair(): { cert: string; key: string } {
    const { cert, key } = this.#certificates[0]!
    return { cert, key }
  }

  /** Takes effect with the next handshake. Where two certificates carry the same name, the first one answers to it. */
  replace(certificates: readonly LoadedCertificate[]): void {
    if (certificates.length === 0) throw new TypeError('a table needs at least one certificate')
    const byName = new Map<string, LoadedCertificate>()
    for (const certificate of certificates) {
      for (const name of certificate.names) if (!byName.has(name)) byName.set(name, certificate)
    }
    this.#certificates = certificates
    this.#byName = byName
  }

  /** The certificate for a server name as it came in the handshake, '' for none. */
  find(serverName: string): LoadedCertificate {
    const name = canonical(serverName)
    return this.#byName.get(name) ?? this.#byName.get(wildcard(name)) ?? this.#certificates[0]!
  }

  contextFor(serverName: string): SecureContext {
    return this.find(serverName).context
  }

  /**
   * May a request for `host` come over a connection that asked for `serverName`? False asks for 421 (RFC 9110, 15.5.20).
   * Browsers send requests for several hosts over one HTTP/2 connection where its certificate covers them all (RFC 9113,
   * 9.1.1): so the question is whether the certificate that was served covers the host. A client without SNI (health
   * probes, clients by IP address) asked for nothing that the host could differ from.
   */
  covers(serverName: string, host: string): boolean {
    if (serverName === '' || serverName === host) return true
    return hostMatchesCertificate(host, this.find(serverName).names)
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
