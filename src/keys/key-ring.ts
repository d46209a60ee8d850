/**
 * The keys of a gateway: one primary that seals, older ones that only open, and a key of its own for each purpose. It knows
 * no file.
 */
import { hkdfSync } from 'node:crypto'

/** What keys are derived for. A name is never given to another purpose: what was sealed would open as something else. */
export type KeyPurpose = 'url token' | 'transcript' | 'audit chain'

export interface RingKey {
  /** Eight hex digits, made from the key. */
  readonly id: string
  readonly created: string
  readonly key: Buffer
}

export const ID_BYTES = 4
const NO_SALT = Buffer.alloc(0)

export class KeyRing {
  readonly primary: RingKey
  /** The primary among them. */
  readonly keys: readonly RingKey[]
  readonly #byId: ReadonlyMap<string, RingKey>
  readonly #derived = new Map<string, Buffer>()

  constructor(keys: readonly RingKey[], primary: RingKey) {
    this.keys = keys
    this.primary = primary
    this.#byId = new Map(keys.map((each) => [each.id, each]))
  }

  /** The key of a purpose; null where the ring has no key of that id. */
  keyFor(purpose: KeyPurpose, id: string): Buffer | null {
    const name = `${id} ${purpose}`
    const known = this.#derived.get(name)
    if (known !== undefined) return known
    const entry = this.#byId.get(id)
    if (entry === undefined) return null
    const key = deriveKey(entry.key, `portcullis ${purpose} v1`, 32)
    this.#derived.set(name, key)
    return key
  }
}

/** HKDF-SHA-256 (RFC 5869). */
export function deriveKey(key: Buffer, info: string | Buffer, length: number, salt: Buffer = NO_SALT): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, length))
}

/** 128 bits that tell one key from another and nothing about it. */
export function fingerprintOf(key: Buffer): Buffer {
  return deriveKey(key, 'portcullis fingerprint v1', 16)
}

/** The id is the beginning of the fingerprint: a key that was exchanged in the file does not fit its id. */
export function idOf(key: Buffer): string {
  return fingerprintOf(key).toString('hex', 0, ID_BYTES)
}
