/**
 * What every TLS listener offers (Mozilla's server-side TLS guidelines 6.0). It knows no file, no certificate and no route.
 */
import { constants } from 'node:crypto'
import type { SecureContextOptions } from 'node:tls'
import type { TlsConfig } from '../config/shape.ts'

const SUITES_13 = ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']

const SUITES_12 = [
  'ECDHE-ECDSA-AES128-GCM-SHA256',
  'ECDHE-RSA-AES128-GCM-SHA256',
  'ECDHE-ECDSA-AES256-GCM-SHA384',
  'ECDHE-RSA-AES256-GCM-SHA384',
  'ECDHE-ECDSA-CHACHA20-POLY1305',
  'ECDHE-RSA-CHACHA20-POLY1305',
]

/**
 * Key exchange groups. What stands before the slash is taken wherever the client knows it, though it would rather have another:
 * what is recorded today may be opened in twenty years.
 */
const TLS_GROUPS = 'X25519MLKEM768/X25519:prime256v1:secp384r1'

const base = {
  ecdhCurve: TLS_GROUPS,
  // Every suite on offer is strong, so the client may choose what its hardware does fast (guidelines: server_preferred_order false).
  honorCipherOrder: false,
  // RFC 9113, 9.2.1 forbids both to HTTP/2, and nobody needs them for HTTP/1.1. 0-RTT is not in Node.
  secureOptions: constants.SSL_OP_NO_RENEGOTIATION | constants.SSL_OP_NO_COMPRESSION,
  maxVersion: 'TLSv1.3',
} as const satisfies SecureContextOptions

/** The two profiles. Written here and nowhere else: no setting can enable an older version or a weaker suite. */
export const TLS_PROFILES: Readonly<Record<TlsConfig['profile'], Readonly<SecureContextOptions>>> = {
  intermediate: { ...base, minVersion: 'TLSv1.2', ciphers: [...SUITES_13, ...SUITES_12].join(':') },
  modern: { ...base, minVersion: 'TLSv1.3', ciphers: SUITES_13.join(':') },
}

/**
 * The profile where clients show certificates: no session outlives its connection, for a resumed one would not be checked
 * against the revocation lists again.
 */
export function withoutResumption(profile: Readonly<SecureContextOptions>): SecureContextOptions {
  return { ...profile, secureOptions: (profile.secureOptions ?? 0) | constants.SSL_OP_NO_TICKET }
}
