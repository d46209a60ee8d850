/** Which bytes are no key: too few, or not what a random generator makes. It knows no ring and no file. */

export const KEY_BYTES = 32
/** Of 32 random bytes fewer than this many different ones do not happen (less than once in 10^15 keys). */
const LEAST_DIFFERENT = 20
const RUN = /(.)\1{4}/

/** Why the key must not be used, as the end of a sentence; null where nothing speaks against it. Never holds a byte of it. */
export function weaknessOf(key: Buffer): string | null {
  if (key.length !== KEY_BYTES) return `is weak: ${KEY_BYTES * 8} bits are needed, it has ${key.length * 8}`
  if (RUN.test(key.toString('hex'))) return 'is weak: more than four equal hex digits stand in a row'
  if (new Set(key).size < LEAST_DIFFERENT) return 'is weak: too few different bytes'
  if (hasConstantStep(key)) return 'is weak: it is a sequence'
  if (key.subarray(0, 16).equals(key.subarray(16))) return 'is weak: it repeats itself'
  if (isText(key)) return 'is weak: it is text, not random bytes'
  return null
}

function hasConstantStep(key: Buffer): boolean {
  const step = (key[1]! - key[0]!) & 0xff
  for (let i = 2; i < key.length; i++) if (((key[i]! - key[i - 1]!) & 0xff) !== step) return false
  return true
}

function isText(key: Buffer): boolean {
  return key.every((byte) => byte >= 0x20 && byte < 0x7f)
}
