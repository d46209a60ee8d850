/**
 * The one table of failures: whose fault, which status, may the request be sent again. It knows no transport; the
 * pipeline turns a failure into an answer, the metrics count its code.
 */

export type Fault = 'client' | 'upstream' | 'gateway'

interface FailureRow {
  readonly status: number
  readonly fault: Fault
  /** Nothing reached an upstream that could have acted on it: another try is safe for any method (RFC 9110, 9.2.2). */
  readonly retry: boolean
  readonly title: string
}

const client = (status: number, title: string): FailureRow => ({ status, fault: 'client', retry: false, title })
const upstream = (status: number, title: string, retry = false): FailureRow => ({
  status,
  fault: 'upstream',
  retry,
  title,
})
const gateway = (status: number, title: string): FailureRow => ({ status, fault: 'gateway', retry: false, title })

export const FAILURES = {
  // parse and vet
  'bad-request-line': client(400, 'The request line is malformed'),
  'bad-header': client(400, 'A header field is malformed'),
  'bad-framing': client(400, 'The length of the request is ambiguous'),
  'bad-chunk': client(400, 'The chunked body is malformed'),
  'bad-host': client(400, 'The Host is missing, repeated or malformed'),
  'unknown-host': client(400, 'This host is not served here'),
  'misdirected-host': client(421, 'This host is not served on this connection'),
  'bad-target': client(400, 'The request target is malformed'),
  'bad-upgrade': client(400, 'The upgrade is not a complete WebSocket handshake'),
  'plain-http': client(400, 'This port speaks TLS'),
  'bad-proxy-header': client(400, 'The PROXY protocol header is missing or malformed'),
  'too-many-handshakes': client(429, 'Too many TLS handshakes'),
  'request-loop': client(508, 'The request has been here before'),
  'bad-version': client(505, 'This version of HTTP is not served'),
  'target-too-long': client(414, 'The request target is too long'),
  'headers-too-large': client(431, 'The header fields are too large'),
  'headers-timeout': client(408, 'The request did not arrive in time'),
  'body-timeout': client(408, 'The body did not arrive in time'),
  'body-too-large': client(413, 'The body is too large'),
  'wrong-media-type': client(415, 'This media type is not accepted here'),
  'bad-expectation': client(417, 'The expectation cannot be met'),
  // route and guard
  maintenance: gateway(503, 'This is being maintained'),
  'no-route': client(404, 'Nothing is here'),
  'wrong-method': client(405, 'This method is not allowed here'),
  banned: client(403, 'This client is banned'),
  'address-denied': client(403, 'This address is not allowed here'),
  'origin-denied': client(403, 'This origin is not allowed here'),
  'upgrade-denied': client(403, 'WebSocket is not offered here'),
  'subprotocol-denied': client(403, 'No subprotocol that was offered is spoken here'),
  'too-many-sockets': client(429, 'Too many WebSockets at once'),
  'upgrade-required': client(426, 'A WebSocket handshake is expected here'),
  'https-required': client(403, 'Only HTTPS is served'),
  // limits
  'rate-limited': client(429, 'Too many requests'),
  'too-many-in-flight': client(429, 'Too many requests at once'),
  'limit-store-down': gateway(503, 'Limits cannot be checked now'),
  // sign-in
  'sign-in-required': client(401, 'Sign in'),
  'sign-in-failed': client(401, 'The user or the password is wrong'),
  'password-change-required': client(403, 'The password must be changed before anything else'),
  'locked-out': client(429, 'Too many failed attempts'),
  'sign-in-busy': gateway(503, 'Too many sign-ins at once'),
  'token-refused': client(401, 'The access token is not accepted'),
  'role-missing': client(403, 'The access token does not allow this'),
  'issuer-down': gateway(503, 'Access tokens cannot be checked now'),
  'audit-down': gateway(503, 'Access cannot be recorded now'),
  // sealed identifiers in URLs
  'link-invalid': client(404, 'Nothing is here'),
  'link-expired': client(410, 'This link has expired'),
  'seal-refused': client(422, 'These values cannot be sealed'),
  // messages
  'message-unreadable': client(400, 'The message cannot be read'),
  'message-refused': client(422, 'The message breaks a rule'),
  'message-too-large': client(413, 'The message is too large'),
  // forward and relay
  'upstream-unreachable': upstream(502, 'The service cannot be reached', true),
  'upstream-untrusted': upstream(502, 'The service did not prove who it is', true),
  'upstream-connect-timeout': upstream(504, 'The service cannot be reached in time', true),
  // the forward proxy on the way to a service: nothing was sent
  'proxy-unreachable': upstream(502, 'The service cannot be reached', true),
  'proxy-untrusted': upstream(502, 'The service cannot be reached', true),
  'proxy-auth-refused': upstream(502, 'The service cannot be reached', true),
  'proxy-refused': upstream(502, 'The service cannot be reached', true),
  'proxy-failed': upstream(502, 'The service cannot be reached', true),
  'proxy-timeout': upstream(504, 'The service cannot be reached in time', true),
  'proxy-closed': upstream(502, 'The service cannot be reached', true),
  'proxy-bad-answer': upstream(502, 'The service cannot be reached', true),
  'upstream-closed': upstream(502, 'The service ended the connection'),
  'upstream-reset-idle': upstream(502, 'The service closed an idle connection', true),
  'upstream-bad-answer': upstream(502, 'The service sent a malformed answer'),
  'upstream-repeated-field': upstream(502, 'The service repeated a field that stands once'),
  'answer-unreadable': upstream(502, 'The answer of the service cannot be inspected'),
  'answer-too-large': upstream(502, 'The answer of the service is too large to be inspected'),
  'upstream-timeout': upstream(504, 'The service did not answer in time'),
  'upstream-busy': upstream(503, 'The service is busy', true),
  'upstream-down': upstream(503, 'The service is not available'),
  'upstream-resting': upstream(503, 'The service is not available now'),
  'upstream-upgrade-refused': upstream(502, 'The service did not accept the WebSocket'),
  'not-found': client(404, 'Nothing is here'),
  'range-not-satisfiable': client(416, 'This range does not exist'),
  'client-gone': client(499, 'The client left'),
  'unread-answer': client(499, 'The client does not read its answer'),
  'exchange-timeout': gateway(504, 'The request took too long'),
  draining: gateway(503, 'The gateway is stopping'),
  internal: gateway(500, 'Something went wrong'),
} as const satisfies Record<string, FailureRow>

export type FailureCode = keyof typeof FAILURES

/** A failure on the data path. It is created, passed and answered; it is not thrown for untrusted input. */
export class Failure extends Error {
  readonly code: FailureCode
  readonly status: number
  readonly fault: Fault
  readonly retry: boolean
  /** What a log line may say beside the code. Never bytes that a client sent. */
  readonly detail: string

  constructor(code: FailureCode, detail = '', cause?: unknown) {
    const row = FAILURES[code]
    super(row.title, cause === undefined ? undefined : { cause })
    this.name = 'Failure'
    this.code = code
    this.status = row.status
    this.fault = row.fault
    this.retry = row.retry
    this.detail = detail
  }
}

/** A mistake of the operator's, found at load: several lines, each one for a person. */
export class ConfigurationError extends Error {
  readonly problems: readonly string[]

  constructor(problems: readonly string[]) {
    super(problems.join('\n'))
    this.name = 'ConfigurationError'
    this.problems = problems
  }
}
