/** Turns what an engine and the network say of a failed request into the gateway's own table of failures. */
import { FAILURES, Failure, type FailureCode } from '../errors.ts'
import { UpstreamError, type UpstreamErrorCode } from './dispatch.ts'

const OWN: Readonly<Record<UpstreamErrorCode, FailureCode>> = {
  CONNECT_TIMEOUT: 'upstream-connect-timeout',
  HEAD_TIMEOUT: 'upstream-timeout',
  BODY_TIMEOUT: 'upstream-timeout',
  CLOSED: 'upstream-closed',
  BAD_ANSWER: 'upstream-bad-answer',
  WRONG_LENGTH: 'internal',
  TOO_MANY_WAITING: 'upstream-busy',
  ENDPOINT_CLOSED: 'draining',
  PROXY_UNREACHABLE: 'proxy-unreachable',
  PROXY_UNTRUSTED: 'proxy-untrusted',
  PROXY_AUTH: 'proxy-auth-refused',
  PROXY_REFUSED: 'proxy-refused',
  PROXY_FAILED: 'proxy-failed',
  PROXY_TIMEOUT: 'proxy-timeout',
  PROXY_CLOSED: 'proxy-closed',
  PROXY_BAD_ANSWER: 'proxy-bad-answer',
}

const CODES: Readonly<Record<string, FailureCode>> = {
  ...OWN,
  UND_ERR_CONNECT_TIMEOUT: 'upstream-connect-timeout',
  ETIMEDOUT: 'upstream-connect-timeout',
  ECONNREFUSED: 'upstream-unreachable',
  EHOSTUNREACH: 'upstream-unreachable',
  ENETUNREACH: 'upstream-unreachable',
  EADDRNOTAVAIL: 'upstream-unreachable',
  ENOTFOUND: 'upstream-unreachable',
  EAI_AGAIN: 'upstream-unreachable',
  ENOENT: 'upstream-unreachable',
  UND_ERR_HEADERS_TIMEOUT: 'upstream-timeout',
  UND_ERR_BODY_TIMEOUT: 'upstream-timeout',
  UND_ERR_SOCKET: 'upstream-closed',
  ECONNRESET: 'upstream-closed',
  EPIPE: 'upstream-closed',
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: 'upstream-bad-answer',
  UND_ERR_HEADERS_OVERFLOW: 'upstream-bad-answer',
  UND_ERR_DESTROYED: 'draining',
  UND_ERR_CLOSED: 'draining',
}

/** OpenSSL's verdicts on a service's certificate, and Node's on the name in it. Nothing was sent then. */
const UNTRUSTED =
  /^(?:CERT_|CRL_|ERR_TLS_CERT_|DEPTH_ZERO_SELF_SIGNED_CERT$|SELF_SIGNED_CERT_IN_CHAIN$|UNABLE_TO_|HOSTNAME_MISMATCH$|INVALID_(?:CA|PURPOSE)$|PATH_LENGTH_EXCEEDED$)/

/** Whether an error of TLS is about who the other side is. */
export function isUntrusted(code: string): boolean {
  return UNTRUSTED.test(code)
}

/**
 * @param wasSent False where no byte of the request can have reached the upstream: then it may be sent again.
 */
export function upstreamFailure(error: Error, wasSent: boolean): Failure {
  const code = (error as NodeJS.ErrnoException).code ?? ''
  const known = CODES[code]
  if (known !== undefined) {
    // A connection that breaks before the request is written is as good as none.
    if (known === 'upstream-closed' && !wasSent) return new Failure('upstream-unreachable', code, error)
    // The network says the same of a connection that stood and was lost: then the request may have been acted on.
    if (wasSent && FAILURES[known].retry) return new Failure('upstream-closed', code, error)
    return new Failure(known, error instanceof UpstreamError ? error.detail : code, error)
  }
  if (!wasSent && isUntrusted(code)) return new Failure('upstream-untrusted', code, error)
  // Handshakes fail before anything is sent.
  return new Failure(wasSent ? 'upstream-closed' : 'upstream-unreachable', code || error.name, error)
}
