/** The door to jose: keys out of a key set, and the verification of a signed token with one of them. It fetches nothing. */
import { type CryptoKey, errors, importJWK, type JWK, jwtVerify } from 'jose'

export type VerifyingKey = CryptoKey

/** Keys by algorithm and key id; of an algorithm with only one key, that key is its without an id too. */
export type KeyTable = ReadonlyMap<string, VerifyingKey>

const MOST_KEYS = 64
/** NIST SP 800-131A: shorter ones are broken. */
const LEAST_RSA_BITS = 2048

/** What a key of a kind may sign by; the curve tells it for the rest. */
const KINDS: Readonly<Record<string, readonly string[]>> = {
  RSA: ['RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512'],
  'P-256': ['ES256'],
  'P-384': ['ES384'],
  Ed25519: ['EdDSA'],
}

export function keyName(algorithm: string, kid: string | null): string {
  return kid === null ? algorithm : `${algorithm} ${kid}`
}

/**
 * The keys of a set that may verify by one of the algorithms; private parts, symmetric keys and keys for other uses are left
 * out. Throws an Error where it is no key set, or has none that can be used.
 */
export async function readKeySet(
  set: Readonly<Record<string, unknown>>,
  algorithms: readonly string[],
): Promise<KeyTable> {
  const { keys } = set
  if (!Array.isArray(keys)) throw new Error('the answer is no key set')
  if (keys.length > MOST_KEYS) throw new Error(`the key set has more than ${MOST_KEYS} keys`)
  const table = new Map<string, VerifyingKey>()
  const ofAlgorithm = new Map<string, VerifyingKey[]>()
  for (const each of keys as unknown[]) {
    for (const { algorithm, kid, key } of await importKey(each, algorithms)) {
      ofAlgorithm.set(algorithm, [...(ofAlgorithm.get(algorithm) ?? []), key])
      const name = keyName(algorithm, kid)
      if (kid !== null && !table.has(name)) table.set(name, key)
    }
  }
  for (const [algorithm, all] of ofAlgorithm) if (all.length === 1) table.set(algorithm, all[0]!)
  if (table.size === 0) throw new Error('the key set has no key for the algorithms that are accepted')
  return table
}

interface ImportedKey {
  readonly algorithm: string
  readonly kid: string | null
  readonly key: VerifyingKey
}

async function importKey(value: unknown, algorithms: readonly string[]): Promise<ImportedKey[]> {
  if (typeof value !== 'object' || value === null) return []
  const { kty, crv, n, e, x, y, use, key_ops: operations, alg, kid } = value as JWK
  if (use !== undefined && use !== 'sig') return []
  if (operations !== undefined && !(Array.isArray(operations) && operations.includes('verify'))) return []
  if (kid !== undefined && (typeof kid !== 'string' || kid.length > MOST_KID)) return []
  const suited = KINDS[kty === 'RSA' ? 'RSA' : String(crv)] ?? []
  const imported: ImportedKey[] = []
  for (const algorithm of algorithms) {
    if (!suited.includes(algorithm) || (alg !== undefined && alg !== algorithm)) continue
    const parts = Object.fromEntries(Object.entries({ kty, crv, n, e, x, y }).filter(([, part]) => part !== undefined))
    try {
      const key = (await importJWK(parts as JWK, algorithm)) as CryptoKey
      if (key.type !== 'public') continue
      const { modulusLength = LEAST_RSA_BITS } = key.algorithm as { modulusLength?: number }
      if (modulusLength >= LEAST_RSA_BITS) imported.push({ algorithm, kid: kid ?? null, key })
    } catch {
      // A key that cannot be read is none: the others are used.
    }
  }
  return imported
}

/** Characters of a key id. */
export const MOST_KID = 256

export interface TokenRules {
  readonly issuer: string
  readonly audience: readonly string[]
  readonly algorithms: readonly string[]
  readonly skewMs: number
  /** What `typ` must be; null: anything. */
  readonly type: string | null
  /** Milliseconds since 1970. */
  readonly now: number
}

/** Why a token is refused: fixed words, for logs and metrics. */
export type TokenFault =
  | 'malformed'
  | 'too-long'
  | 'encrypted'
  | 'algorithm'
  | 'critical'
  | 'repeated-name'
  | 'unknown-key'
  | 'signature'
  | 'expired'
  | 'not-yet-valid'
  | 'issuer'
  | 'audience'
  | 'type'
  | 'claims'
  | 'user'

/** The claims of a token whose signature, times, issuer and audience hold; or why not. Never rejects for what a token is. */
export async function verifyToken(
  token: string,
  key: VerifyingKey,
  rules: TokenRules,
): Promise<Readonly<Record<string, unknown>> | TokenFault> {
  try {
    const { payload } = await jwtVerify(token, key, {
      issuer: rules.issuer,
      audience: [...rules.audience],
      algorithms: [...rules.algorithms],
      clockTolerance: rules.skewMs / 1000,
      currentDate: new Date(rules.now),
      requiredClaims: ['exp'],
      ...(rules.type === null ? {} : { typ: rules.type }),
    })
    return payload
  } catch (error) {
    return faultOf(error)
  }
}

function faultOf(error: unknown): TokenFault {
  if (error instanceof errors.JWTExpired) return 'expired'
  if (error instanceof errors.JWTClaimValidationFailed) return CLAIM_FAULTS[error.claim] ?? 'claims'
  if (error instanceof errors.JOSEAlgNotAllowed) return 'algorithm'
  if (error instanceof errors.JWSSignatureVerificationFailed) return 'signature'
  if (error instanceof errors.JOSEError) return 'malformed'
  throw error
}

const CLAIM_FAULTS: Readonly<Record<string, TokenFault>> = {
  nbf: 'not-yet-valid',
  iss: 'issuer',
  aud: 'audience',
  typ: 'type',
}
