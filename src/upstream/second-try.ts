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

/** Whether a failure says something about the endpoint. */
export function isToBlame(code: FailureCode): boolean {
  return !BLAMELESS.has(code)
}
