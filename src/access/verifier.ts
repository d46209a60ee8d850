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
  /** Milliseconds that one may wait; then `run` says 'busy'. */
  readonly maxWaitMs?: number
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
  readonly #maxWaitMs: number
  readonly #waiting = new Set<(hasSlot: boolean) => void>()
  readonly #key = randomBytes(32)
  // Insertion order is age: the first entry is the oldest.
  readonly #remembered = new Map<string, number>()

  constructor(options: VerifierOptions) {
    this.#maxConcurrent = options.maxConcurrent
    this.#maxWaiting = options.maxWaiting
    this.#maxWaitMs = options.maxWaitMs ?? 5000
    this.#cacheEntries = options.cacheEntries ?? 1024
    this.#cacheMs = options.cacheMs ?? 300_000
    this.#verify = options.verify ?? verifyPassword
    this.#now = options.now ?? monotonicMs
  }

  /** Checks that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size
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

  /** Runs `attempt` when a slot is free; 'busy' where too many wait already, or for too long. */
  async run<T>(attempt: () => Promise<T>): Promise<T | 'busy'> {
    if (this.running < this.#maxConcurrent) this.running++
    else if (this.#waiting.size >= this.#maxWaiting || !(await this.#slot())) return 'busy'
    try {
      return await attempt()
    } finally {
      // The slot of the one that ends is handed over: `running` stays as it is.
      const [next] = this.#waiting
      if (next === undefined) this.running--
      else next(true)
    }
  }

  #slot(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>()
    const end = (hasSlot: boolean): void => {
      clearTimeout(timer)
      this.#waiting.delete(end)
      resolve(hasSlot)
    }
    const timer = setTimeout(end, this.#maxWaitMs, false)
    this.#waiting.add(end)
    return promise
  }

  /** A check whose answer is not remembered. */
  isRight(hash: string, password: string): Promise<boolean> {
    return this.#verify(hash, password)
  }

  /** One password check; what is right is remembered under `key`, what is wrong never is. */
  async verify(key: string, hash: string, password: string): Promise<boolean> {
    const isRight = await this.#verify(hash, password)
    if (isRight) this.#remember(key)
    return isRight
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
