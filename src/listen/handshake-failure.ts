/** Names why a TLS handshake came to nothing, in a bounded number of words. It knows no listener. */
import type { TLSSocket } from 'node:tls'

/** `client-certificate-*` are the ones that an operator has to know of; the others are mostly scanners. */
export type HandshakeFailure =
  | 'client-certificate-missing'
  | 'client-certificate-expired'
  | 'client-certificate-revoked'
  | 'client-certificate-untrusted'
  | 'client-certificate-purpose'
  | 'revocation-list-expired'
  | 'old-version'
  | 'no-common-suite'
  | 'no-common-protocol'
  | 'unknown-name'
  | 'alert-from-client'
  | 'timeout'
  | 'closed'
  | 'not-tls'
  | 'other'

/** OpenSSL's verdicts on a client certificate, as Node writes them. */
const VERDICTS: Readonly<Record<string, HandshakeFailure>> = {
  CERT_HAS_EXPIRED: 'client-certificate-expired',
  CERT_NOT_YET_VALID: 'client-certificate-expired',
  CERT_REVOKED: 'client-certificate-revoked',
  INVALID_PURPOSE: 'client-certificate-purpose',
  CRL_HAS_EXPIRED: 'revocation-list-expired',
  CRL_NOT_YET_VALID: 'revocation-list-expired',
}

const CODES: Readonly<Record<string, HandshakeFailure>> = {
  ERR_SSL_UNSUPPORTED_PROTOCOL: 'old-version',
  ERR_SSL_UNKNOWN_PROTOCOL: 'old-version',
  ERR_SSL_VERSION_TOO_LOW: 'old-version',
  ERR_SSL_NO_SHARED_CIPHER: 'no-common-suite',
  ERR_SSL_NO_SUITABLE_KEY_SHARE: 'no-common-suite',
  ERR_SSL_NO_SUITABLE_GROUPS: 'no-common-suite',
  ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM: 'no-common-suite',
  ERR_SSL_NO_APPLICATION_PROTOCOL: 'no-common-protocol',
  ERR_SSL_NO_CERTIFICATE_SET: 'unknown-name',
  ERR_TLS_HANDSHAKE_TIMEOUT: 'timeout',
  ERR_SSL_HTTP_REQUEST: 'not-tls',
  ERR_SSL_HTTPS_PROXY_REQUEST: 'not-tls',
  ERR_SSL_WRONG_VERSION_NUMBER: 'not-tls',
  ERR_SSL_PACKET_LENGTH_TOO_LONG: 'not-tls',
  ERR_SSL_RECORD_LAYER_FAILURE: 'not-tls',
  ECONNRESET: 'closed',
  EPIPE: 'closed',
}

/** Why OpenSSL or the network ended a handshake. */
export function handshakeFailure(error: NodeJS.ErrnoException): HandshakeFailure {
  const code = error.code ?? ''
  const known = CODES[code]
  if (known !== undefined) return known
  return code.includes('_ALERT_') ? 'alert-from-client' : 'other'
}

/** Did the client show a certificate, whichever? */
export function wasShown(socket: TLSSocket): boolean {
  return socket.getPeerX509Certificate() !== undefined
}

/** What is wrong with the certificate of a client that is not authorised. */
export function certificateFailure(socket: TLSSocket): HandshakeFailure {
  if (!wasShown(socket)) return 'client-certificate-missing'
  // Typed as an Error; it is the code.
  const verdict = socket.authorizationError as unknown as string | null | undefined
  return VERDICTS[verdict ?? ''] ?? 'client-certificate-untrusted'
}
