/** Seals a value into the text of a cookie (AES-256-GCM), so that only who has the key can read or make one. It knows no cookie. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'

const CIPHER = 'aes-256-gcm'
const NONCE_BYTES = 12
const TAG_BYTES = 16

export class CookieSeal {
  readonly #secret: () => Buffer
  readonly #purpose: string

  /** `purpose`: what is sealed for one, is nothing for another. */
  constructor(secret: () => Buffer, purpose: string) {
    this.#secret = secret
    this.#purpose = purpose
  }

  seal(value: unknown): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv(CIPHER, this.#key(), nonce)
    const text = cipher.update(JSON.stringify(value))
    return Buffer.concat([nonce, text, cipher.final(), cipher.getAuthTag()]).toString('base64url')
  }

  /** What was sealed; null where the text is not of our making. */
  open(seal: string | null): unknown {
    if (seal === null) return null
    const sealed = Buffer.from(seal, 'base64url')
    if (sealed.length < NONCE_BYTES + TAG_BYTES || sealed.toString('base64url') !== seal) return null
    const nonce = sealed.subarray(0, NONCE_BYTES)
    const decipher = createDecipheriv(CIPHER, this.#key(), nonce, { authTagLength: TAG_BYTES })
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    try {
      const text = Buffer.concat([decipher.update(sealed.subarray(NONCE_BYTES, -TAG_BYTES)), decipher.final()])
      return JSON.parse(text.toString())
    } catch {
      return null
    }
  }

  #key(): Buffer {
    return Buffer.from(hkdfSync('sha256', this.#secret(), '', this.#purpose, 32))
  }
}
