/**
 * Content at rest, sealed in chunks (the STREAM construction over AES-256-GCM): any part can be read without the rest, and
 * nothing cut, exchanged, doubled or altered opens. docs/transcripts.md describes the format. It knows no file.
 */
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import type { ReadAt, StoredContent } from '../exchange/sealed.ts'
import { deriveKey, ID_BYTES, type KeyRing } from './key-ring.ts'

const MAGIC = Buffer.from('PCSEAL\0\x01', 'latin1')
const SALT_BYTES = 32
const SALT_AT = MAGIC.length + ID_BYTES + 4
export const HEADER_BYTES = SALT_AT + SALT_BYTES
/** Plain bytes of every chunk but the last. */
export const CHUNK_BYTES = 65_536
const TAG_BYTES = 16
const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES
const PREFIX_BYTES = 7
/** The index of a chunk has four bytes. */
const MOST_CHUNKS = 2 ** 32
const NOTHING = Buffer.alloc(0)

/** Key and nonce prefix of one file: never those of another, for its salt is random and its name is in them. */
class FileKey {
  readonly #key: Buffer
  readonly #prefix: Buffer

  constructor(purposeKey: Buffer, header: Buffer, name: string) {
    const info = Buffer.concat([Buffer.from('portcullis sealed file v1\0'), header, Buffer.from(name.normalize('NFC'))])
    const both = deriveKey(purposeKey, info, 32 + PREFIX_BYTES, header.subarray(SALT_AT))
    this.#key = both.subarray(0, 32)
    this.#prefix = both.subarray(32)
  }

  seal(plain: Buffer, index: number, isLast: boolean): Buffer {
    const cipher = createCipheriv('aes-256-gcm', this.#key, this.#nonce(index, isLast))
    return Buffer.concat([cipher.update(plain), cipher.final(), cipher.getAuthTag()])
  }

  /** Null for what is not the chunk of this place. */
  open(sealed: Buffer, index: number, isLast: boolean): Buffer | null {
    if (sealed.length < TAG_BYTES) return null
    const decipher = createDecipheriv('aes-256-gcm', this.#key, this.#nonce(index, isLast))
    decipher.setAuthTag(sealed.subarray(-TAG_BYTES))
    const plain = decipher.update(sealed.subarray(0, -TAG_BYTES))
    try {
      decipher.final()
      return plain
    } catch {
      return null
    }
  }

  #nonce(index: number, isLast: boolean): Buffer {
    const nonce = Buffer.alloc(12)
    this.#prefix.copy(nonce)
    nonce.writeUInt32BE(index, PREFIX_BYTES)
    nonce[11] = isLast ? 1 : 0
    return nonce
  }
}

/** Seals a content piece by piece; whoever calls it writes what it returns, in order. */
export class StreamSealer {
  readonly header: Buffer
  readonly #key: FileKey
  #held = NOTHING
  #index = 0

  /** `name` must be given again to open it. */
  constructor(ring: KeyRing, name: string) {
    const { id } = ring.primary
    const header = Buffer.alloc(HEADER_BYTES)
    MAGIC.copy(header)
    header.write(id, MAGIC.length, 'hex')
    header.writeUInt32BE(CHUNK_BYTES, MAGIC.length + ID_BYTES)
    randomBytes(SALT_BYTES).copy(header, SALT_AT)
    this.header = header
    this.#key = new FileKey(ring.keyFor('transcript', id)!, header, name)
  }

  /** What can be written now. The last chunk is known to be so only at the end: one is always held back. */
  push(piece: Buffer): Buffer {
    const all = this.#held.length === 0 ? piece : Buffer.concat([this.#held, piece])
    const out: Buffer[] = []
    let at = 0
    for (; all.length - at > CHUNK_BYTES; at += CHUNK_BYTES) {
      out.push(this.#key.seal(all.subarray(at, at + CHUNK_BYTES), this.#index++, false))
      if (this.#index === MOST_CHUNKS) throw new Error('a content of more than 2^32 chunks')
    }
    this.#held = Buffer.from(all.subarray(at))
    return Buffer.concat(out)
  }

  end(): Buffer {
    return this.#key.seal(this.#held, this.#index, true)
  }
}

/** The id of the key that sealed it; null for what is not sealed. */
export function keyIdOf(header: Buffer): string | null {
  if (header.length < HEADER_BYTES || !header.subarray(0, MAGIC.length).equals(MAGIC)) return null
  if (header.readUInt32BE(MAGIC.length + ID_BYTES) !== CHUNK_BYTES) return null
  return header.toString('hex', MAGIC.length, MAGIC.length + ID_BYTES)
}

const KEPT_CHUNKS = 3

/** A sealed content of which any part can be read. Chunks that were opened last are kept, a few. */
export class SealedContent implements StoredContent {
  /** Plain bytes. Vouched for: the last chunk was opened in its place. */
  readonly size: number
  readonly #key: FileKey
  readonly #readAt: ReadAt
  readonly #chunks: number
  readonly #kept = new Map<number, Buffer>()

  private constructor(key: FileKey, readAt: ReadAt, size: number, chunks: number) {
    this.#key = key
    this.#readAt = readAt
    this.size = size
    this.#chunks = chunks
  }

  /** Null where it is not sealed, not under this ring, not of this name, cut or altered at its end. */
  static async open(ring: KeyRing, name: string, storedBytes: number, readAt: ReadAt): Promise<SealedContent | null> {
    const header = Buffer.alloc(HEADER_BYTES)
    if ((await readAt(header, 0)) < HEADER_BYTES) return null
    const id = keyIdOf(header)
    const purposeKey = id === null ? null : ring.keyFor('transcript', id)
    const body = storedBytes - HEADER_BYTES
    const chunks = Math.ceil(body / SEALED_CHUNK_BYTES)
    const size = body - chunks * TAG_BYTES
    // One chunk at least, and none without a byte but in an empty content.
    const lastBytes = body - (chunks - 1) * SEALED_CHUNK_BYTES - TAG_BYTES
    if (purposeKey === null || chunks < 1 || chunks > MOST_CHUNKS || lastBytes < (chunks === 1 ? 0 : 1)) return null
    const content = new SealedContent(new FileKey(purposeKey, header, name), readAt, size, chunks)
    return (await content.#chunk(chunks - 1)) === null ? null : content
  }

  /** So many bytes from there; null where what stands there is not genuine. */
  async read(position: number, length: number): Promise<Buffer | null> {
    const end = Math.min(position + length, this.size)
    const parts: Buffer[] = []
    for (let at = position; at < end; ) {
      const index = Math.floor(at / CHUNK_BYTES)
      const chunk = await this.#chunk(index)
      if (chunk === null) return null
      const from = at - index * CHUNK_BYTES
      const part = chunk.subarray(from, Math.min(chunk.length, from + end - at))
      if (part.length === 0) return null
      parts.push(part)
      at += part.length
    }
    return parts.length === 1 ? parts[0]! : Buffer.concat(parts)
  }

  async #chunk(index: number): Promise<Buffer | null> {
    const kept = this.#kept.get(index)
    if (kept !== undefined) return kept
    const isLast = index === this.#chunks - 1
    const plainBytes = isLast ? this.size - index * CHUNK_BYTES : CHUNK_BYTES
    const sealed = Buffer.allocUnsafe(plainBytes + TAG_BYTES)
    if ((await this.#readAt(sealed, HEADER_BYTES + index * SEALED_CHUNK_BYTES)) < sealed.length) return null
    const plain = this.#key.open(sealed, index, isLast)
    if (plain === null) return null
    if (this.#kept.size === KEPT_CHUNKS) this.#kept.delete(this.#kept.keys().next().value!)
    this.#kept.set(index, plain)
    return plain
  }
}
