/** What features see of small values that all gateway processes share: read, write, compare and swap. It knows no store. */

/** Bytes of a value in UTF-8, at most. */
export const MAX_SHARED_VALUE = 65_536

/** Keys are words of the gateway, never a client's: letters, digits and `: . _ -`, so that they are safe in every store. */
const SHARED_KEY = /^[A-Za-z0-9:._-]{1,200}$/

/** `differs`: another value stands there, nothing was done. `failed`: the store is down or full, or the value is too large. */
export type SwapOutcome = 'done' | 'differs' | 'failed'

/**
 * Values with an end, the same in all gateway processes where Redis is configured, in this process where it is not. Nothing
 * waits for a store that is down, and nothing rejects. A failed write may have been done: Redis took it, and its answer was
 * lost. A key that is none throws a TypeError.
 *
 * A lock is a swap: `swap(key, null, owner, life)` takes it, `swap(key, owner, owner, life)` renews it, `swap(key, owner,
 * null, 0)` gives it back, and none of them touches that of another owner. It holds as long as its life, no longer: who holds
 * it must be done, or have renewed it, before.
 */
export interface SharedValues {
  /** False while the store does not answer. */
  readonly isUp: boolean
  /** The value, null for none; undefined where the store does not answer. */
  get(key: string): Promise<string | null | undefined>
  /**
   * Writes `next` where the present value is `expected`, in one step. Null for `expected` is no value there, null for
   * `next` takes it away; `lifeMs` counts from now (at least 1 ms).
   */
  swap(key: string, expected: string | null, next: string | null, lifeMs: number): Promise<SwapOutcome>
  /** Writes, whatever stands there. */
  put(key: string, value: string, lifeMs: number): Promise<boolean>
}

/** May it be stored? Throws for a key that is none. */
export function isStorable(key: string, value: string | null): boolean {
  if (!SHARED_KEY.test(key)) throw new TypeError(`not a key of shared values: ${JSON.stringify(key)}`)
  return value === null || Buffer.byteLength(value) <= MAX_SHARED_VALUE
}
