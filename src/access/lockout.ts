/**
 * Locks an account, and an address, after failed sign-ins: for a while the first time, twice as long the next, at most an
 * hour. An address from which the account signed in lately has a budget of its own, so that strangers cannot lock its owner
 * out. It counts in the shared store and knows no password, no account list and no request.
 */
import { createHmac } from 'node:crypto'
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import { KnownAddresses } from './known-addresses.ts'

const DAY_MS = 86_400_000
const HOUR_MS = 3_600_000
/** When to try again where the count is full of attempts that still run. */
const FULL_MS = 1000

export interface LockoutOptions {
  readonly store: Pick<CounterStore, 'counter'>
  /** For the names of what is counted: neither users nor addresses stand in the store. */
  readonly key: () => Buffer
  /** Failures in a row, within `lockForMs`, that lock an account. */
  readonly lockAfter: number
  /** Milliseconds of the first lock; each further one within a day is twice as long, at most an hour (or this, where longer). */
  readonly lockForMs: number
  /** Milliseconds for which an address is known after a success; 0: no address is. */
  readonly knownForMs: number
  /** Failures from one address, over all accounts, that lock the address; default five times `lockAfter`. */
  readonly lockAddressAfter?: number
}

/** Who tries, and from where. With another revision all that was counted for the account is over. */
export interface Subject {
  readonly name: string
  readonly revision: number
  readonly address: string
}

/** What is locked: the account, the address, or the account for this known address; `full`: too many attempts run. */
export type LockedBy = 'account' | 'address' | 'known-address' | 'full'

export interface Refusal {
  readonly waitMs: number
  readonly by: LockedBy
}

/** An attempt that was let through: tell it how it ended, once. */
export interface Attempt {
  /** What is locked now for it; null where nothing is. */
  onFailure(): Promise<Refusal | null>
  onSuccess(): Promise<void>
  /** Nothing was checked after all, or the check broke: the attempt stays counted, its place is given back. */
  onAbandon(): void
}

export interface Lockout {
  /** Null where attempts are let through. Counts nothing. */
  look(subject: Subject): Promise<Refusal | null>
  /** Takes one attempt before the password is looked at, so that many at once cannot outrun the count. */
  begin(subject: Subject): Promise<Attempt | Refusal>
}

export function isRefusal(begun: Attempt | Refusal): begun is Refusal {
  return 'waitMs' in begun
}

/** The names under which one subject is counted. */
interface Keys {
  readonly account: string
  readonly address: string
  readonly pair: string
}

export function makeLockout(options: LockoutOptions): Lockout {
  const { store, lockAfter, lockForMs } = options
  const addressAfter = options.lockAddressAfter ?? lockAfter * 5
  const accounts = makeLock(store, 'account', lockAfter, lockForMs)
  const addresses = makeLock(store, 'address', addressAfter, lockForMs)
  const pairs = makeLock(store, 'known', lockAfter, lockForMs)
  const known = new KnownAddresses(store, options.knownForMs)
  /** Attempts of an address that run now: they may all fail, so they count against it already. */
  const inFlight = new Map<string, number>()

  function keysOf({ name, revision, address }: Subject): Keys {
    const keyOf = (...parts: string[]): string =>
      createHmac('sha256', options.key()).update(JSON.stringify(parts)).digest('base64url').slice(0, 22)
    return {
      account: keyOf('account', name, String(revision)),
      address: keyOf('address', address),
      pair: keyOf('pair', name, String(revision), address),
    }
  }

  async function look(subject: Subject): Promise<Refusal | null> {
    const keys = keysOf(subject)
    return refusalOf(keys, await known.has(knownKeyOf(subject)))
  }

  async function refusalOf(keys: Keys, isKnown: boolean): Promise<Refusal | null> {
    if (isKnown) return asRefusal(await lockedMs(pairs.locks, keys.pair), 'known-address')
    const [byAccount, byAddress] = await Promise.all([
      lockedMs(accounts.locks, keys.account),
      lockedMs(addresses.locks, keys.address),
    ])
    return byAddress > byAccount ? asRefusal(byAddress, 'address') : asRefusal(byAccount, 'account')
  }

  async function begin(subject: Subject): Promise<Attempt | Refusal> {
    const keys = keysOf(subject)
    const running = (inFlight.get(keys.address) ?? 0) + 1
    inFlight.set(keys.address, running)
    let attempt: Attempt | null = null
    try {
      const isKnown = await known.has(knownKeyOf(subject))
      const refusal = (await refusalOf(keys, isKnown)) ?? (isKnown ? null : await addressFull(keys.address, running))
      if (refusal !== null) return refusal
      const counted = isKnown ? pairs : accounts
      const key = isKnown ? keys.pair : keys.account
      const taken = await counted.failures.add(key)
      const locked = await refusalOf(keys, isKnown)
      if (locked !== null) {
        // Locked between the two looks: who locks sets the lock first and clears the count then, so a count that starts
        // after the clearing sees the lock, and is not left for the time after it.
        await counted.failures.clear(key)
        return locked
      }
      // As many attempts as there may be run elsewhere just now.
      if (!taken.allowed || taken.used > lockAfter) return { waitMs: FULL_MS, by: 'full' }
      attempt = makeAttempt(subject, keys, isKnown, taken.used)
      return attempt
    } finally {
      if (attempt === null) release(inFlight, keys.address)
    }
  }

  async function addressFull(key: string, running: number): Promise<Refusal | null> {
    const failed = await addresses.failures.get(key)
    return (failed?.used ?? 0) + running > addressAfter ? { waitMs: FULL_MS, by: 'full' } : null
  }

  function makeAttempt(subject: Subject, keys: Keys, isKnown: boolean, used: number): Attempt {
    const leave = (): void => release(inFlight, keys.address)
    return {
      async onFailure() {
        try {
          const address = await addresses.failures.add(keys.address)
          const isOver = used >= lockAfter
          const isAddressOver = !address.allowed || address.used >= addressAfter
          const [byAccount, byAddress, byPair] = await Promise.all([
            // Also where it was the known address that failed: elsewhere the account has no more guesses then.
            isOver ? accounts.lock(keys.account) : 0,
            isAddressOver ? addresses.lock(keys.address) : 0,
            isOver && isKnown ? pairs.lock(keys.pair) : 0,
          ])
          if (isKnown) return asRefusal(byPair, 'known-address')
          return byAddress > byAccount ? asRefusal(byAddress, 'address') : asRefusal(byAccount, 'account')
        } finally {
          leave()
        }
      },
      async onSuccess() {
        // The address keeps its failures: an account of one's own must not buy guesses at others. And an account keeps
        // what strangers failed while its owner signs in where he is known: they must not get new guesses by that.
        leave()
        await Promise.all([
          isKnown ? pairs.failures.clear(keys.pair) : accounts.failures.clear(keys.account),
          known.remember(knownKeyOf(subject), keys.account),
        ])
      },
      onAbandon: leave,
    }
  }

  function knownKeyOf({ name, address }: Subject): string {
    return createHmac('sha256', options.key())
      .update(JSON.stringify(['known', name, address]))
      .digest('base64url')
      .slice(0, 22)
  }

  return { look, begin }
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

function asRefusal(waitMs: number, by: LockedBy): Refusal | null {
  return waitMs === 0 ? null : { waitMs, by }
}

function release(inFlight: Map<string, number>, key: string): void {
  const running = inFlight.get(key)
  if (running === undefined || running <= 1) inFlight.delete(key)
  else inFlight.set(key, running - 1)
}
