/**
 * Passwords as argon2id hashes in PHC strings, made and checked by node:crypto alone. It knows no accounts and no
 * request, and reads no other scheme: clear text and weak or monstrous parameters are refused before any work is done.
 */
import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { ConfigurationError } from '../errors.ts'

/** Cost of an argon2id hash, RFC 9106, 3.1. */
export interface HashCost {
  /** KiB. */
  readonly memory: number
  readonly passes: number
  readonly lanes: number
}

/** OWASP Password Storage Cheat Sheet: 19 MiB, two passes, one lane. */
export const DEFAULT_COST: HashCost = { memory: 19_456, passes: 2, lanes: 1 }

const SALT_BYTES = 16
const TAG_BYTES = 32
/** Bytes of UTF-8; a password over it is refused, never cut. */
export const MAX_PASSWORD_BYTES = 1024
const LEAST_CHARACTERS = 12

// Every pair that OWASP lists (7 MiB x 5 up to 46 MiB x 1) stands at or above these two.
const LEAST_MEMORY = 7168
const LEAST_WORK = 35_840
// 256 MiB, and 1 GiB walked in all: one sign-in must not be able to stop the machine.
const MOST_MEMORY = 262_144
const MOST_PASSES = 16
const MOST_LANES = 4
const MOST_WORK = 1_048_576

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/

export interface ParsedHash extends HashCost {
  readonly salt: Buffer
  readonly tag: Buffer
}

/** Reads a stored hash; a string says why it is refused (and never holds a piece of it). */
export function parseHash(hash: string): ParsedHash | string {
  if (hash.length > 256) return 'is too long for an argon2id hash'
  if (!hash.startsWith('$')) return 'is not a hash; clear text is never accepted'
  if (!hash.startsWith('$argon2id$')) return 'is of another scheme; only argon2id is accepted'
  const found = PHC.exec(hash)
  if (found === null) return 'is not a whole argon2id hash ($argon2id$v=19$m=...,t=...,p=...$salt$hash)'
  const memory = Number(found[1])
  const passes = Number(found[2])
  const lanes = Number(found[3])
  if (`${memory},${passes},${lanes}` !== `${found[1]},${found[2]},${found[3]}`) return 'has malformed parameters'
  if (lanes < 1 || lanes > MOST_LANES) return `has p=${lanes}; 1 to ${MOST_LANES} are accepted`
  if (passes < 1 || passes > MOST_PASSES) return `has t=${passes}; 1 to ${MOST_PASSES} are accepted`
  if (memory > MOST_MEMORY || memory * passes > MOST_WORK)
    return `has m=${memory},t=${passes}, more than one sign-in may cost`
  if (memory < LEAST_MEMORY || memory * passes < LEAST_WORK)
    return `has m=${memory},t=${passes}, too weak; m=19456,t=2,p=1 is advised`
  const salt = fromBase64(found[4]!)
  const tag = fromBase64(found[5]!)
  if (salt === null || tag === null) return 'has malformed base64'
  if (salt.length < SALT_BYTES) return `has a salt of ${salt.length} bytes; at least ${SALT_BYTES} are asked for`
  if (tag.length < TAG_BYTES) return `has a tag of ${tag.length} bytes; at least ${TAG_BYTES} are asked for`
  return { memory, passes, lanes, salt, tag }
}

/** A PHC string for a new password. Throws ConfigurationError for one that is empty or over MAX_PASSWORD_BYTES. */
export async function hashPassword(password: string): Promise<string> {
  const message = toBytes(password)
  if (message === null) throw new ConfigurationError([`a password has 1 to ${MAX_PASSWORD_BYTES} bytes`])
  const salt = randomBytes(SALT_BYTES)
  return toPhc(DEFAULT_COST, salt, await derive(message, salt, DEFAULT_COST, TAG_BYTES))
}

/** True where the password is the one of the hash. A hash or password that is not acceptable is never right. */
export async function verifyPassword(hash: string, password: string): Promise<boolean> {
  const parsed = parseHash(hash)
  const message = toBytes(password)
  if (typeof parsed === 'string' || message === null) return false
  const tag = await derive(message, parsed.salt, parsed, parsed.tag.length)
  return timingSafeEqual(tag, parsed.tag)
}

/** A hash that no password has: it costs an unknown user's attempt as much as a known one's. */
export function unmatchableHash(cost: HashCost): string {
  return toPhc(cost, randomBytes(SALT_BYTES), randomBytes(TAG_BYTES))
}

/** What is wrong with a new password; empty where nothing is. */
export function checkNewPassword(password: string): string[] {
  const problems: string[] = []
  const text = password.normalize('NFC')
  if (Buffer.byteLength(text) > MAX_PASSWORD_BYTES) return [`must have at most ${MAX_PASSWORD_BYTES} bytes`]
  if ([...text].length < LEAST_CHARACTERS) problems.push(`must have at least ${LEAST_CHARACTERS} characters`)
  if (/[\p{Cc}\p{Cs}]/u.test(text)) problems.push('must have no control characters')
  let classes = 0
  for (const each of CLASSES) if (each.test(text)) classes++
  if (classes < 3) problems.push('must have three of: upper-case letters, lower-case letters, digits, other characters')
  return problems
}

const CLASSES = [/\p{Lu}/u, /\p{Ll}/u, /\p{Nd}/u, /[^\p{Lu}\p{Ll}\p{Nd}]/u]

// RFC 8265, 4.2: the same password typed on two keyboards is the same bytes.
function toBytes(password: string): Buffer | null {
  if (password.length > MAX_PASSWORD_BYTES) return null
  const bytes = Buffer.from(password.normalize('NFC'))
  return bytes.length === 0 || bytes.length > MAX_PASSWORD_BYTES ? null : bytes
}

function toPhc(cost: HashCost, salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$${toBase64(salt)}$${toBase64(tag)}`
}

function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return toBase64(bytes) === text ? bytes : null
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
