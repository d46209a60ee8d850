/**
 * Bounds what password checks may cost: few run at once, few wait, the rest is refused; a right answer is remembered for
 * minutes under a key that only this process has. It knows no accounts and no request.
 */
import { createHmac, randomBytes } from 'node:crypto'
import { verifyPassword } from './passwords.ts'

export interface VerifierOptions {
  /** Checks that run at once. */
  readonly maxConcurrent: number
  /** Checks that may wait for their turn; over it `run` says 'busy'. */
  readonly maxWaiting: number
  /** Right answers that are remembered; 0 is none. */
  readonly cacheEntries?: number
  /** Milliseconds that a right answer is remembered. */
  readonly cacheMs?: number
  readonly verify?: (hash: string, password: string) => Promise<boolean>
  /** Milliseconds that only grow. */
  readonly now?: () => number
}

export class Verifier {
  /** Slots taken now. */
  running = 0
  readonly #maxConcurrent: number
  readonly #maxWaiting: number
  readonly #cacheEntries: number
  readonly #cacheMs: number
  readonly #verify: (hash: string, password: string) => Promise<boolean>
  readonly #now: () => number
  readonly #waiting: (() => void)[] = []
  #key = randomBytes(32)
  // Insertion order is age: the first entry is the oldest.
  readonly #remembered = new Map<string, number>()

  constructor(options: VerifierOptions) {
    this.#maxConcurrent = options.maxConcurrent
    this.#maxWaiting = options.maxWaiting
    this.#cacheEntries = options.cacheEntries ?? 1024
    this.#cacheMs = options.cacheMs ?? 300_000
    this.#verify = options.verify ?? verifyPassword
    this.#now = options.now ?? monotonicMs
  }

  /** Checks that wait for their turn. */
  get waiting(): number {
    return this.#waiting.length
  }

  /** A name for these credentials that tells nothing outside this process and its life. */
  keyOf(user: string, password: string, hash: string): string {
    const hmac = createHmac('sha256', this.#key)
    // Lengths first: no two triples give the same bytes.
    hmac.update(`${user.length}:${password.length}:${hash.length}:`).update(user).update(password).update(hash)
    return hmac.digest('base64')
  }

  /** True where these credentials were right a short while ago. */
  remembers(key: string): boolean {
    const endsAt = this.#remembered.get(key)
    if (endsAt === undefined) return false
    if (endsAt > this.#now()) return true
    this.#remembered.delete(key)
    return false
  }

  /** Runs `attempt` when a slot is free; 'busy' where too many wait already. `attempt` may call `verify` and only it. */
  async run<T>(attempt: () => Promise<T>): Promise<T | 'busy'> {
    if (this.running >= this.#maxConcurrent) {
      if (this.#waiting.length >= this.#maxWaiting) return 'busy'
      // The slot of the one that ends is handed over: `running` stays as it is.
      await new Promise<void>((resolve) => this.#waiting.push(resolve))
    } else {
      this.running++
    }
    try {
      return await attempt()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.running--
      else next()
    }
  }

  /** One password check; what is right is remembered under `key`, what is wrong never is. */
  async verify(key: string, hash: string, password: string): Promise<boolean> {
    const isRight = await this.#verify(hash, password)
    if (isRight) this.#remember(key)
    return isRight
  }

  /** Forgets every right answer: the accounts have changed. Answers of checks that still run are not remembered either. */
  forget(): void {
    this.#remembered.clear()
    this.#key = randomBytes(32)
  }

  #remember(key: string): void {
    if (this.#cacheEntries === 0) return
    this.#remembered.delete(key)
    if (this.#remembered.size >= this.#cacheEntries) {
      for (const oldest of this.#remembered.keys()) {
        this.#remembered.delete(oldest)
        break
      }
    }
    this.#remembered.set(key, this.#now() + this.#cacheMs)
  }
}

function monotonicMs(): number {
  return performance.now()
}
