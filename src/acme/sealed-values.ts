/**
 * Shared values that nobody reads or changes who has the store but not the secret: AES-256-GCM under a key made of the secret,
 * bound to the place where they stand. It knows no meaning of them.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto'
import type { SharedValues, SwapOutcome } from '../exchange/shared-values.ts'

const NONCE_BYTES = 12
const TAG_BYTES = 16

export class SealedValues {
  readonly #values: SharedValues
  readonly #key: Buffer
  readonly #onRefused: () => void

  /** `onRefused` is told of every value that does not open. */
  constructor(values: SharedValues, secret: string, onRefused: () => void) {
    this.#values = values
    this.#onRefused = onRefused
    this.#key = Buffer.from(hkdfSync('sha256', secret, '', 'portcullis acme values 1', 32))
  }

  get isUp(): boolean {
    return this.#values.isUp
  }

  /** Null for none, and for what was sealed with another secret; undefined where the store does not answer. */
  async get(key: string): Promise<string | null | undefined> {
    const sealed = await this.#values.get(key)
    if (typeof sealed !== 'string') return sealed
    const opened = this.#open(key, sealed)
    if (opened === null) this.#onRefused()
    return opened
  }

  /** What stands there now, sealed; null where it could not be written. */
  async put(key: string, value: string, lifeMs: number): Promise<string | null> {
    const sealed = this.#seal(key, value)
    return (await this.#values.put(key, sealed, lifeMs)) ? sealed : null
  }

  /** As it stands in the store: a lock, whose random owner is no secret, or what `put` told. */
  swapPlain(key: string, expected: string | null, next: string | null, lifeMs: number): Promise<SwapOutcome> {
    return this.#values.swap(key, expected, next, lifeMs)
  }

  #seal(key: string, value: string): string {
    const nonce = randomBytes(NONCE_BYTES)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(key))
    const sealed = [nonce, cipher.update(value, 'utf8'), cipher.final()]
    return Buffer.concat([...sealed, cipher.getAuthTag()]).toString('base64')
  }

  #open(key: string, text: string): string | null {
    const sealed = Buffer.from(text, 'base64')
    if (sealed.length < NONCE_BYTES + TAG_BYTES) return null
    const end = sealed.length - TAG_BYTES
    try {
      const cipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, NONCE_BYTES), {
        authTagLength: TAG_BYTES,
      })
      cipher.setAAD(Buffer.from(key)).setAuthTag(sealed.subarray(end))
      return Buffer.concat([cipher.update(sealed.subarray(NONCE_BYTES, end)), cipher.final()]).toString('utf8')
    } catch {
      return null
    }
  }
}
