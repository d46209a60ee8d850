/**
 * Opaque tokens that stand in URLs for identifiers: authenticated, expiring, of the same length for all values of a size
 * class. docs/keys.md describes the format. It knows no route and no request.
 */
import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import { ID_BYTES, type KeyRing } from './key-ring.ts'

const VERSION = 1
/** Half of it chooses a key of the token's own, half is its nonce: random ones never meet, however many processes seal. */
const NONCE_BYTES = 24
const TAG_BYTES = 16
/** Expiry in seconds (5), length of the value (2). */
const HEAD_BYTES = 7
/** Plain bytes of the size classes; with the rest of a token they fill whole groups of base64url. */
const CLASSES = [33, 96, 240, 1536] as const
const FRAME_BYTES = 1 + ID_BYTES + NONCE_BYTES + TAG_BYTES
const LENGTHS: ReadonlySet<number> = new Set(CLASSES.map((plain) => ((FRAME_BYTES + plain) / 3) * 4))
const ALPHABET = /^[A-Za-z0-9_-]+$/
export const MOST_VALUE_BYTES = CLASSES[3] - HEAD_BYTES

const CONTROLS = /[\0-\x1f\x7f-\x9f\u2028\u2029]/

/** What a token leads to. Everything that is not authentic is `invalid`, for one reason as for another. */
export type TokenReading =
  | { readonly kind: 'valid' | 'expired'; readonly value: string; readonly expiresAt: number }
  | { readonly kind: 'invalid' }

const INVALID: TokenReading = { kind: 'invalid' }

/** True for what may be a token by its length and letters: anything else in its place may be an identifier in the clear. */
export function looksLikeToken(text: string): boolean {
  return LENGTHS.has(text.length) && ALPHABET.test(text)
}

/** Why a value cannot be sealed; null where it can. */
export function problemOfValue(value: string): string | null {
  if (value === '') return 'is empty'
  if (!value.isWellFormed() || CONTROLS.test(value)) return 'has control characters'
  return Buffer.byteLength(value) > MOST_VALUE_BYTES ? `is longer than ${MOST_VALUE_BYTES} bytes` : null
}

export class UrlTokens {
  readonly #ring: KeyRing
  readonly #now: () => number
  /** Does the work of opening where there is no key to do it with. */
  readonly #nobodysKey = randomBytes(32)

  constructor(ring: KeyRing, now: () => number = Date.now) {
    this.#ring = ring
    this.#now = now
  }

  /** `kind` is bound in: a token of one kind opens as no other. The value must have no problem by `problemOfValue`. */
  seal(kind: string, value: string, lifeMs: number): string {
    const bytes = Buffer.from(value)
    const size = CLASSES.find((plain) => plain >= bytes.length + HEAD_BYTES)
    if (size === undefined) throw new Error('a value that cannot be sealed')
    const plain = Buffer.alloc(size)
    plain.writeUIntBE(Math.ceil((this.#now() + lifeMs) / 1000), 0, 5)
    plain.writeUInt16BE(bytes.length, 5)
    bytes.copy(plain, HEAD_BYTES)
    const head = Buffer.alloc(1 + ID_BYTES)
    head[0] = VERSION
    head.write(this.#ring.primary.id, 1, 'hex')
    const nonce = randomBytes(NONCE_BYTES)
    const key = this.#ring.keyFor('url token', this.#ring.primary.id)!
    const cipher = createCipheriv('aes-256-gcm', ownKey(key, nonce), nonce.subarray(12))
    cipher.setAAD(boundData(head, kind))
    return Buffer.concat([head, nonce, cipher.update(plain), cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  /** An unknown key and a false token cost the same work and get the same answer. */
  open(kind: string, token: string): TokenReading {
    if (!looksLikeToken(token)) return INVALID
    const bytes = Buffer.from(token, 'base64url')
    const head = bytes.subarray(0, 1 + ID_BYTES)
    const known = head[0] === VERSION ? this.#ring.keyFor('url token', head.toString('hex', 1)) : null
    const nonce = bytes.subarray(head.length, head.length + NONCE_BYTES)
    const sealed = bytes.subarray(head.length + NONCE_BYTES, -TAG_BYTES)
    const decipher = createDecipheriv('aes-256-gcm', ownKey(known ?? this.#nobodysKey, nonce), nonce.subarray(12))
    decipher.setAAD(boundData(head, kind)).setAuthTag(bytes.subarray(-TAG_BYTES))
    const plain = decipher.update(sealed)
    try {
      decipher.final()
    } catch {
      return INVALID
    }
    return this.#read(plain)
  }

  #read(plain: Buffer): TokenReading {
    const expiresAt = plain.readUIntBE(0, 5) * 1000
    const value = plain.toString('utf8', HEAD_BYTES, HEAD_BYTES + plain.readUInt16BE(5))
    return { kind: this.#now() < expiresAt ? 'valid' : 'expired', value, expiresAt }
  }
}

function ownKey(key: Buffer, nonce: Buffer): Buffer {
  return createHmac('sha256', key).update('portcullis url token key v1').update(nonce.subarray(0, 12)).digest()
}

function boundData(head: Buffer, kind: string): Buffer {
  return Buffer.concat([head, Buffer.from(kind)])
}
