/** The second factor as an account holds it: the secret of its codes, and hashes of what helps without them. It checks no code. */
import { createHash } from 'node:crypto'

export interface SecondFactor {
  /** Shared secret of RFC 6238, base32 without padding. */
  readonly secret: string
  readonly algorithm: 'sha1' | 'sha256'
  /** SHA-256 of each recovery code that was not used yet: they are random, so no slow hash is needed. */
  readonly recovery: readonly string[]
}

/** RFC 4226, 4: at least 128 bits; 160 are advised. */
const SECRET = /^[A-Z2-7]{26,104}$/
const RECOVERY_HASH = /^[A-Za-z0-9_-]{43}$/
const MOST_RECOVERY = 16

/** A string says what is wrong; never a piece of the secret. */
export function readSecondFactor(value: unknown): SecondFactor | string {
  const shape = 'must be { "secret", "algorithm", "recovery" }; make one with `portcullis users totp`'
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return shape
  const { secret, algorithm, recovery, ...rest } = value as Record<string, unknown>
  if (Object.keys(rest).length > 0) return shape
  if (typeof secret !== 'string' || !SECRET.test(secret)) return 'has no secret of 128 bits or more in base32'
  if (algorithm !== 'sha1' && algorithm !== 'sha256') return 'must have the algorithm "sha1" or "sha256"'
  if (!Array.isArray(recovery) || recovery.length > MOST_RECOVERY) return shape
  if (!recovery.every((each) => typeof each === 'string' && RECOVERY_HASH.test(each))) return shape
  return { secret, algorithm, recovery: recovery as string[] }
}

/** How a recovery code is stored. Case, spaces and dashes of what was typed do not matter. */
export function recoveryHash(code: string): string {
  return createHash('sha256').update(plainRecoveryCode(code)).digest('base64url')
}

function plainRecoveryCode(code: string): string {
  return code.toUpperCase().replace(/[\s-]/g, '')
}
