/**
 * The key of session tickets (RFC 5077, 4; RFC 8446, 4.6.1), exchanged when its time has come, so that one that leaks opens the
 * traffic of hours, not of months. Random and in memory only; or made of a secret and the time, the same on every node that
 * has both. It knows no server.
 */
import { hkdfSync, randomBytes } from 'node:crypto'

/** Name, HMAC key and AES key, 16 bytes each, as Node wants them. */
const KEY_BYTES = 48
/** Clocks are set now and then: no timer runs longer where they decide. */
const LOOK_MS = 30_000

export class TicketKeys {
  #key: Buffer
  #rotateMs: number
  /** Null: keys are random. */
  #seed: Buffer | null
  /** What the present key was made for: the period of the clock, 0 for a random one. */
  #period = 0
  #madeAt = performance.now()
  #timer: NodeJS.Timeout | null = null
  readonly #onKey: (key: Buffer) => void

  /** `onKey` gets each key that takes the place of another; the first one is `current`. */
  constructor(rotateMs: number, seed: Buffer | null, onKey: (key: Buffer) => void) {
    this.#rotateMs = rotateMs
    this.#seed = seed
    this.#onKey = onKey
    this.#key = this.#make()
    this.#schedule()
  }

  get current(): Buffer {
    return this.#key
  }

  /** Milliseconds that a key lives (a random one that is there too, counted from when it was made), and what it is made of. */
  change(rotateMs: number, seed: Buffer | null): void {
    const isSameSeed = seed === null ? this.#seed === null : this.#seed !== null && seed.equals(this.#seed)
    if (isSameSeed && rotateMs === this.#rotateMs) return
    this.#rotateMs = rotateMs
    this.#seed = seed
    if (!isSameSeed || seed !== null) this.#exchange()
    this.#schedule()
  }

  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
  }

  #schedule(): void {
    this.close()
    const leftMs =
      this.#seed === null
        ? this.#madeAt + this.#rotateMs - performance.now()
        : Math.min(LOOK_MS, (this.#period + 1) * this.#rotateMs - Date.now())
    this.#timer = setTimeout(() => this.#onTime(), Math.max(1, leftMs))
    this.#timer.unref()
  }

  #onTime(): void {
    if (this.#seed === null || this.#period !== this.#periodNow()) this.#exchange()
    this.#schedule()
  }

  #exchange(): void {
    const before = this.#key
    this.#key = this.#make()
    this.#onKey(this.#key)
    before.fill(0)
  }

  #make(): Buffer {
    this.#madeAt = performance.now()
    if (this.#seed === null) return randomBytes(KEY_BYTES)
    this.#period = this.#periodNow()
    const info = `portcullis ticket key 1 ${this.#rotateMs} ${this.#period}`
    return Buffer.from(hkdfSync('sha256', this.#seed, '', info, KEY_BYTES))
  }

  #periodNow(): number {
    return Math.floor(Date.now() / this.#rotateMs)
  }
}

/** What a listener's keys are made of: the secret and the listener's name, so that no session goes from one to another. */
export function ticketSeed(secret: string, listener: string): Buffer {
  return Buffer.from(hkdfSync('sha256', secret, '', `portcullis ticket seed 1 ${listener}`, 32))
}
