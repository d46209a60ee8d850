/**
 * Whether a text can be a signed token at all (RFC 7515, 7.1), before any key is looked for: one spelling, one meaning, an
 * algorithm that is accepted. Of its header nothing but algorithm and key id is read: `jku`, `x5u`, `jwk` lead nowhere.
 */
import { MOST_KID, type TokenFault } from './jws.ts'
import { repeatedKeys } from './repeated-keys.ts'

const PART = /^[A-Za-z0-9_-]+$/

export interface TokenHead {
  readonly algorithm: string
  readonly kid: string | null
}

/** The head; or why there is none. */
export function readTokenHead(token: string, algorithms: readonly string[]): TokenHead | TokenFault {
  const parts = token.split('.', 6)
  if (parts.length === 5) return 'encrypted'
  if (parts.length !== 3) return 'malformed'
  for (const part of parts) if (!isCanonical(part)) return 'malformed'
  const head = readPart(parts[0]!)
  if (typeof head === 'string') return head
  const { alg, kid, crit, b64 } = head
  if (typeof alg !== 'string' || !algorithms.includes(alg)) return 'algorithm'
  // No extension is understood, so none may be critical (RFC 7515, 4.1.11; RFC 7797).
  if (crit !== undefined || b64 !== undefined) return 'critical'
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MOST_KID)) return 'unknown-key'
  const claims = readPart(parts[1]!)
  return typeof claims === 'string' ? claims : { algorithm: alg, kid: kid ?? null }
}

/** Base64url in its one spelling: without padding, and without bits that no byte holds. */
function isCanonical(part: string): boolean {
  return PART.test(part) && Buffer.from(part, 'base64url').toString('base64url') === part
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** What is said twice may be read in two ways (RFC 7515, 4; RFC 7519, 4): refused. */
function readPart(part: string): Readonly<Record<string, unknown>> | TokenFault {
  try {
    const text = decoder.decode(Buffer.from(part, 'base64url'))
    const value = JSON.parse(text) as unknown
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'malformed'
    return repeatedKeys(text).length > 0 ? 'repeated-name' : (value as Record<string, unknown>)
  } catch {
    return 'malformed'
  }
}
