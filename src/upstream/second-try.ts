/** The rules of another try and of blame, apart from any one request. */
import type { FailureCode } from '../errors.ts'
import type { UpstreamCall } from './dispatch.ts'

/** RFC 9110, 9.2.2. */
const IDEMPOTENT: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS', 'PUT', 'DELETE'])

/** Of the service's own bounds, or of what the client asked for. */
const BLAMELESS: ReadonlySet<FailureCode> = new Set([
  'upstream-busy',
  'upstream-upgrade-refused',
  'draining',
  'internal',
])

/** The same request may be acted on twice, and it is at hand whole. */
export function isRepeatable({ method, streamLength }: UpstreamCall): boolean {
  return streamLength === 0 && IDEMPOTENT.has(method)
}

/** Of the proxy before the service: no endpoint is better off than the others. */
const OF_THE_WAY: ReadonlySet<FailureCode> = new Set([
  'proxy-unreachable',
  'proxy-untrusted',
  'proxy-auth-refused',
  'proxy-bad-answer',
])

/** What a failure says something about. */
export function blameOf(code: FailureCode): 'nobody' | 'the way' | 'the endpoint' {
  if (BLAMELESS.has(code)) return 'nobody'
  return OF_THE_WAY.has(code) ? 'the way' : 'the endpoint'
}
