/**
 * What a stored password hash is: argon2id, bcrypt from an older file, or something that is refused by its name. It computes
 * nothing, and no sentence of it holds a piece of a hash.
 */

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

// Every pair that OWASP lists (7 MiB x 5 up to 46 MiB x 1) stands at or above these two.
const LEAST_MEMORY = 7168
const LEAST_WORK = 35_840
// 256 MiB, and 1 GiB walked in all: one sign-in must not be able to stop the machine.
const MOST_MEMORY = 262_144
const MOST_PASSES = 16
const MOST_LANES = 4
const MOST_WORK = 1_048_576

const PHC = /^\$argon2id\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$([A-Za-z0-9+/]{11,86})\$([A-Za-z0-9+/]{22,86})$/
const BCRYPT = /^\$2[aby]\$(\d\d)\$[./A-Za-z0-9]{53}$/
/** htpasswd makes 5 unless told otherwise; beyond 14 one check takes seconds. */
const LEAST_BCRYPT_COST = 5
const MOST_BCRYPT_COST = 14

export interface Argon2Hash extends HashCost {
  readonly scheme: 'argon2id'
  readonly salt: Buffer
  readonly tag: Buffer
}

export interface BcryptHash {
  readonly scheme: 'bcrypt'
  /** Logarithm of the rounds. */
  readonly cost: number
}

/** What is refused, by how it begins or looks. */
const REFUSED: readonly (readonly [RegExp, string])[] = [
  [/^\{SHA\}/i, 'is {SHA}: SHA-1 without a salt, guessed in seconds'],
  [/^\{SSHA\}/i, 'is {SSHA}: one round of SHA-1, guessed in seconds'],
  [/^\{(?:PLAIN|CLEARTEXT)\}/i, 'is clear text, which is never accepted'],
  [/^\$apr1\$/, 'is apr1: MD5, guessed in minutes'],
  [/^\$1\$/, 'is MD5 crypt, guessed in minutes'],
  [/^\$5\$/, 'is SHA-256 crypt, which is not read'],
  [/^\$6\$/, 'is SHA-512 crypt, which is not read'],
  [/^\$2x?\$/, 'is a broken variant of bcrypt'],
  [/^\$y\$|^\$7\$|^\$scrypt\$/, 'is yescrypt or scrypt, which is not read'],
  [/^\$argon2[id]\$/, 'is of another argon2; only argon2id is accepted'],
  [/^[./A-Za-z0-9]{13}$/, 'is DES crypt, or clear text; neither is accepted'],
  [/^[0-9a-f]{32}$|^[0-9a-f]{40}$|^[0-9a-f]{64}$/i, 'is a bare digest (MD5, SHA-1 or SHA-256), guessed in seconds'],
]

/** Reads a stored hash; a string says why it is refused (and never holds a piece of it). */
export function parseHash(hash: string): Argon2Hash | BcryptHash | string {
  if (hash.length > 256) return 'is too long for an argon2id hash'
  if (hash.startsWith('$argon2id$')) return parseArgon2(hash)
  const bcrypt = BCRYPT.exec(hash)
  if (bcrypt !== null) return parseBcrypt(Number(bcrypt[1]))
  for (const [pattern, sentence] of REFUSED) if (pattern.test(hash)) return sentence
  if (/^\$2[aby]\$/.test(hash)) return 'is not a whole bcrypt hash'
  if (!hash.startsWith('$')) return 'is not a hash; clear text is never accepted'
  return 'is of another scheme; only argon2id, and bcrypt from older files, are accepted'
}

function parseBcrypt(cost: number): BcryptHash | string {
  if (cost >= LEAST_BCRYPT_COST && cost <= MOST_BCRYPT_COST) return { scheme: 'bcrypt', cost }
  return `is bcrypt with cost ${cost}; ${LEAST_BCRYPT_COST} to ${MOST_BCRYPT_COST} are accepted`
}

function parseArgon2(hash: string): Argon2Hash | string {
  const found = PHC.exec(hash)
  if (found === null) return 'is not a whole argon2id hash ($argon2id$v=19$m=...,t=...,p=...$salt$hash)'
  const memory = Number(found[1])
  const passes = Number(found[2])
  const lanes = Number(found[3])
  if (`${memory},${passes},${lanes}` !== `${found[1]},${found[2]},${found[3]}`) return 'has malformed parameters'
  const wrong = wrongCost({ memory, passes, lanes })
  if (wrong !== null) return wrong
  const salt = fromBase64(found[4]!)
  const tag = fromBase64(found[5]!)
  if (salt === null || tag === null) return 'has malformed base64'
  if (salt.length < SALT_BYTES) return `has a salt of ${salt.length} bytes; at least ${SALT_BYTES} are asked for`
  if (tag.length < TAG_BYTES) return `has a tag of ${tag.length} bytes; at least ${TAG_BYTES} are asked for`
  return { scheme: 'argon2id', memory, passes, lanes, salt, tag }
}

function wrongCost({ memory, passes, lanes }: HashCost): string | null {
  if (lanes < 1 || lanes > MOST_LANES) return `has p=${lanes}; 1 to ${MOST_LANES} are accepted`
  if (passes < 1 || passes > MOST_PASSES) return `has t=${passes}; 1 to ${MOST_PASSES} are accepted`
  if (memory > MOST_MEMORY || memory * passes > MOST_WORK)
    return `has m=${memory},t=${passes}, more than one sign-in may cost`
  if (memory < LEAST_MEMORY || memory * passes < LEAST_WORK)
    return `has m=${memory},t=${passes}, too weak; m=19456,t=2,p=1 is advised`
  return null
}

export function toPhc(cost: HashCost, salt: Buffer, tag: Buffer): string {
  return `$argon2id$v=19$m=${cost.memory},t=${cost.passes},p=${cost.lanes}$${toBase64(salt)}$${toBase64(tag)}`
}

function toBase64(bytes: Buffer): string {
  return bytes.toString('base64').replace(/=+$/, '')
}

function fromBase64(text: string): Buffer | null {
  const bytes = Buffer.from(text, 'base64')
  return toBase64(bytes) === text ? bytes : null
}
