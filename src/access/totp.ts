/** One-time codes by the clock (RFC 6238 over RFC 4226), their secrets, and what an app needs to know. It keeps no state. */
import { createHmac, randomBytes, randomInt } from 'node:crypto'
import { recoveryHash, type SecondFactor } from './second-factor.ts'

/** RFC 6238, 4: thirty seconds. */
export const STEP_MS = 30_000
const DIGITS = 6
const SECRET_BYTES = 20
const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'
const RECOVERY_CODES = 8
/** Nothing that is easily taken for another: 16 of 31 are 79 bits. */
const RECOVERY_ALPHABET = '23456789ABCDEFGHJKMNPQRSTUVWXYZ'

/** The code of a step, six digits. */
export function codeAt(factor: Pick<SecondFactor, 'secret' | 'algorithm'>, step: number): string {
  const counter = Buffer.alloc(8)
  counter.writeBigUInt64BE(BigInt(step))
  const mac = createHmac(factor.algorithm, fromBase32(factor.secret)).update(counter).digest()
  const offset = mac.at(-1)! & 15
  const number = (mac.readUInt32BE(offset) & 0x7fffffff) % 10 ** DIGITS
  return String(number).padStart(DIGITS, '0')
}

export interface Enrolment {
  readonly factor: SecondFactor
  /** Shown once, to who enrols. */
  readonly recoveryCodes: readonly string[]
}

/** A new secret and codes for the day the phone is lost. */
export function enrol(): Enrolment {
  const recoveryCodes = Array.from({ length: RECOVERY_CODES }, makeRecoveryCode)
  const secret = toBase32(randomBytes(SECRET_BYTES))
  return { factor: { secret, algorithm: 'sha1', recovery: recoveryCodes.map(recoveryHash) }, recoveryCodes }
}

/** What apps read (Key URI Format): also as a QR code. */
export function otpauthUri(factor: SecondFactor, issuer: string, name: string): string {
  const label = `${encodeURIComponent(issuer)}:${encodeURIComponent(name)}`
  const algorithm = factor.algorithm.toUpperCase()
  return `otpauth://totp/${label}?secret=${factor.secret}&issuer=${encodeURIComponent(issuer)}&algorithm=${algorithm}&digits=${DIGITS}&period=${STEP_MS / 1000}`
}

function makeRecoveryCode(): string {
  const draw = (): string => RECOVERY_ALPHABET[randomInt(RECOVERY_ALPHABET.length)]!
  return Array.from({ length: 16 }, draw)
    .join('')
    .replace(/(.{4})(?=.)/g, '$1-')
}

function toBase32(bytes: Buffer): string {
  let text = ''
  let bits = 0
  let value = 0
  for (const byte of bytes) {
    value = (value << 8) | byte
    for (bits += 8; bits >= 5; bits -= 5) text += ALPHABET[(value >>> (bits - 5)) & 31]
    value &= 255
  }
  return bits === 0 ? text : text + ALPHABET[(value << (5 - bits)) & 31]
}

/** RFC 4648, 6, without padding. The text is of the alphabet: that was checked where it was read. */
function fromBase32(text: string): Buffer {
  const bytes: number[] = []
  let bits = 0
  let value = 0
  for (const each of text) {
    value = ((value << 5) | ALPHABET.indexOf(each)) & 0xfff
    bits += 5
    if (bits >= 8) {
      bits -= 8
      bytes.push((value >>> bits) & 255)
    }
  }
  return Buffer.from(bytes)
}
