/**
 * Makes and checks password hashes: argon2id by node:crypto, bcrypt from older files by its own door. It knows no accounts,
 * no rules and no request.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConfigurationError } from '../errors.ts'
import { verifyBcrypt } from './bcrypt.ts'
import { DEFAULT_COST, type HashCost, parseHash, toPhc } from './scheme.ts'

const SALT_BYTES = 16
const TAG_BYTES = 32
/** Bytes of UTF-8; a password over it is refused, never cut. */
export const MAX_PASSWORD_BYTES = 1024

/** A PHC string for a new password. Throws ConfigurationError for one that is empty or over MAX_PASSWORD_BYTES. */
export async function hashPassword(password: string, cost: HashCost = DEFAULT_COST): Promise<string> {
  const message = toBytes(password)
  if (message === null) throw new ConfigurationError([`a password has 1 to ${MAX_PASSWORD_BYTES} bytes`])
  const salt = randomBytes(SALT_BYTES)
  return toPhc(cost, salt, await derive(message, salt, cost, TAG_BYTES))
}

/** True where the password is the one of the hash. A hash or password that is not acceptable is never right. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const parsed = parseHash(hash)
  const message = toBytes(password)
  if (typeof parsed === 'string' || message === null) return false
  if (parsed.scheme === 'bcrypt') return verifyBcrypt(hash, message)
  const tag = await derive(message, parsed.salt, parsed, parsed.tag.length)
  return timingSafeEqual(tag, parsed.tag)
}

/** A hash that no password has: it costs an unknown user's attempt as much as a known one's. */
export function unmatchableHash(cost: HashCost): string {
  return toPhc(cost, randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))
}

/** True where a hash is not what would be made today: its password is hashed anew when it is next known. */
export function isOutdated(hash: string, cost: HashCost): boolean {
  const parsed = parseHash(hash)
  if (typeof parsed === 'string') return false
  if (parsed.scheme === 'bcrypt') return true
  return parsed.memory !== cost.memory || parsed.passes !== cost.passes || parsed.lanes !== cost.lanes
}

// RFC 8265, 4.2: the same password typed on two keyboards is the same bytes.
function toBytes(password: string): Buffer | null {
  if (password.length > MAX_PASSWORD_BYTES) return null
  const bytes = Buffer.from(password.normalize('NFC'))
  return bytes.length === 0 || bytes.length > MAX_PASSWORD_BYTES ? null : bytes
}

function derive(message: Buffer, nonce: Buffer, cost: HashCost, tagLength: number): Promise<Buffer> {
  const { promise, resolve, reject } = Promise.withResolvers<Buffer>()
  const parameters = { message, nonce, parallelism: cost.lanes, tagLength, memory: cost.memory, passes: cost.passes }
  argon2('argon2id', parameters, (error, tag) => {
    if (error === null) resolve(tag)
    else reject(error)
  })
  return promise
}
