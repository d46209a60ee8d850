/**
 * The key of session tickets (RFC 5077, 4; RFC 8446, 4.6.1): random, in memory only, and exchanged when its time has come, so
 * that one that leaks opens the traffic of hours, not of months. It knows no server.
 */
import { randomBytes } from 'node:crypto'

/** Name, HMAC key and AES key, 16 bytes each, as Node wants them. */
const KEY_BYTES = 48

export class TicketKeys {
  #key: Buffer = randomBytes(KEY_BYTES)
  #rotateMs: number
  #madeAt = performance.now()
  #timer: NodeJS.Timeout | null = null
  readonly #onKey: (key: Buffer) => void

  /** `onKey` gets each key that takes the place of another; the first one is `current`. */
  constructor(rotateMs: number, onKey: (key: Buffer) => void) {
    this.#rotateMs = rotateMs
    this.#onKey = onKey
    this.#schedule()
  }

  get current(): Buffer {
    return this.#key
  }

  /** Milliseconds that a key lives; the present one too, counted from when it was made. */
  rotateEvery(rotateMs: number): void {
    if (rotateMs === this.#rotateMs) return
    this.#rotateMs = rotateMs
    this.#schedule()
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #schedule(): void {
    this.close()
    const leftMs = Math.max(0, this.#madeAt + this.#rotateMs - performance.now())
    this.#timer = setTimeout(() => this.#rotate(), leftMs)
    this.#timer.unref()
  }

  #rotate(): void {
    const before = this.#key
    this.#key = randomBytes(KEY_BYTES)
    this.#madeAt = performance.now()
    this.#onKey(this.#key)
    before.fill(0)
    this.#schedule()
  }
}
