/**
 * Locks an account, and an address, after failed sign-ins: for a while the first time, twice as long the next, at most
 * an hour. It counts in the shared store and knows no password, no account list and no request.
 */
import { createHash } from 'node:crypto'
import type { Counter, CounterStore } from '../exchange/contracts.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** When to try again where the count is full of attempts that still run. */
const FULL_MS = 1000

export interface LockoutOptions {
  readonly store: Pick<CounterStore, 'counter'>
  /** Failures in a row, within `lockForMs`, that lock an account. */
  readonly lockAfter: number
  /** Milliseconds of the first lock; each further one within a day is twice as long, at most an hour (or this, where longer). */
  readonly lockForMs: number
  /** Failures from one address, over all accounts, that lock the address; default five times `lockAfter`. */
  readonly lockAddressAfter?: number
}

/** An attempt that was let through: tell it how it ended, once. */
export interface Attempt {
  /** Milliseconds for which the account or the address is locked now; 0 where neither is. */
  onFailure(): Promise<number>
  onSuccess(): Promise<void>
  /** Nothing was checked after all, or the check broke: the attempt stays counted, its place is given back. */
  onAbandon(): void
}

export interface Lockout {
  /** Milliseconds for which attempts are refused; 0 where they are not. Counts nothing. */
  lockedForMs(account: string, address: string): Promise<number>
  /**
   * Takes one attempt before the password is looked at, so that many at once cannot outrun the count; a number is a
   * refusal: milliseconds to wait.
   */
  begin(account: string, address: string): Promise<Attempt | number>
}

export function makeLockout(options: LockoutOptions): Lockout {
  const { store, lockAfter, lockForMs } = options
  const addressAfter = options.lockAddressAfter ?? lockAfter * 5
  const accounts = makeLock(store, 'account', lockAfter, lockForMs)
  const addresses = makeLock(store, 'address', addressAfter, lockForMs)
  /** Attempts of an address that run now: they may all fail, so they count against it already. */
  const inFlight = new Map<string, number>()

  async function lockedForMs(account: string, address: string): Promise<number> {
    const [byAccount, byAddress] = await Promise.all([
      lockedMs(accounts.locks, keyOf(account)),
      lockedMs(addresses.locks, keyOf(address)),
    ])
    return Math.max(byAccount, byAddress)
  }

  async function begin(account: string, address: string): Promise<Attempt | number> {
    const accountKey = keyOf(account)
    const addressKey = keyOf(address)
    const running = (inFlight.get(addressKey) ?? 0) + 1
    inFlight.set(addressKey, running)
    const leave = () => release(inFlight, addressKey)
    let refusedMs: number
    try {
      refusedMs = await lockedForMs(account, address)
      if (refusedMs === 0) refusedMs = await addressFullMs(addressKey, running)
      if (refusedMs === 0) {
        const taken = await accounts.failures.add(accountKey)
        refusedMs = await lockedMs(accounts.locks, accountKey)
        if (refusedMs > 0) {
          // Locked between the two looks: who locks sets the lock first and clears the count then, so a count that starts
          // after the clearing sees the lock, and is not left for the time after it.
          await accounts.failures.clear(accountKey)
        } else if (!taken.allowed || taken.used > lockAfter) {
          // As many attempts as there may be run elsewhere just now.
          refusedMs = FULL_MS
        } else {
          return makeAttempt(accountKey, addressKey, taken.used, leave)
        }
      }
    } catch (error) {
      leave()
      throw error
    }
    leave()
    return refusedMs
  }

  async function addressFullMs(addressKey: string, running: number): Promise<number> {
    const failed = await addresses.failures.get(addressKey)
    return (failed?.used ?? 0) + running > addressAfter ? FULL_MS : 0
  }

  function makeAttempt(accountKey: string, addressKey: string, used: number, leave: () => void): Attempt {
    return {
      async onFailure() {
        try {
          const address = await addresses.failures.add(addressKey)
          const [byAccount, byAddress] = await Promise.all([
            used >= lockAfter ? accounts.lock(accountKey) : 0,
            !address.allowed || address.used >= addressAfter ? addresses.lock(addressKey) : 0,
          ])
          return Math.max(byAccount, byAddress)
        } finally {
          leave()
        }
      },
      async onSuccess() {
        // The address keeps its failures: an account of one's own must not buy guesses at others.
        leave()
        await accounts.failures.clear(accountKey)
      },
      onAbandon: leave,
    }
  }

  return { lockedForMs, begin }
}

interface Lock {
  readonly failures: Counter
  readonly locks: Counter
  /** Locks the key and tells for how many milliseconds. */
  lock(key: string): Promise<number>
}

function makeLock(store: Pick<CounterStore, 'counter'>, kind: string, lockAfter: number, lockForMs: number): Lock {
  const options = { blocks: [], onOutage: 'local' } as const
  // As long as a lock: attempts that were counted and never concluded (a node that died) hold an account no longer.
  const windowMs = lockForMs
  const failures = store.counter({ ...options, windowMs, name: `sign-in-${kind}-failures`, points: lockAfter })
  const locks = store.counter({ ...options, windowMs: DAY_MS, name: `sign-in-${kind}-locks`, points: 1 })
  const lockouts = store.counter({ ...options, windowMs: DAY_MS, name: `sign-in-${kind}-lockouts`, points: 1_000_000 })
  const mostMs = Math.max(HOUR_MS, lockForMs)
  return {
    failures,
    locks,
    async lock(key) {
      const { used } = await lockouts.add(key)
      const durationMs = Math.min(mostMs, lockForMs * 2 ** Math.min(used - 1, 20))
      await locks.block(key, durationMs)
      await failures.clear(key)
      return durationMs
    },
  }
}

async function lockedMs(locks: Counter, key: string): Promise<number> {
  const state = await locks.get(key)
  return state === null || state.allowed ? 0 : Math.max(state.resetMs, 1)
}

function release(inFlight: Map<string, number>, key: string): void {
  const running = inFlight.get(key)
  if (running === undefined || running <= 1) inFlight.delete(key)
  else inFlight.set(key, running - 1)
}

// What stands in the user field may be a password typed in the wrong place: the store never sees it as it is.
function keyOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url').slice(0, 22)
}
