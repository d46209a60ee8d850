/**
 * Bounds TLS handshakes before any of their work is done: how many are under way, and how many begin, for one address and
 * for all. It knows no socket.
 */
import { TokenBucket } from '../exchange/token-bucket.ts'

export interface HandshakeBounds {
  /** Under way at the same time. */
  readonly max: number
  /** Under way at the same time from one address. */
  readonly perAddress: number
  /** Begun in a second, all addresses together; so many may begin at once. */
  readonly perSecond: number
  /** Begun in a minute by one address; so many may begin at once. */
  readonly perAddressPerMinute: number
}

/** What a full handshake counts; a resumed one, which signs nothing, counts one. */
const FULL = 4
const RESUMED = 1
/** Addresses that are remembered; beyond them the one that was quiet for longest is forgotten. */
const MAX_ADDRESSES = 20_000

interface Address {
  readonly bucket: TokenBucket
  underWay: number
}

export class HandshakeGate {
  #bounds: HandshakeBounds
  #all: TokenBucket
  #underWay = 0
  /** By client key, the one that was quiet for longest first. */
  readonly #addresses = new Map<string, Address>()

  constructor(bounds: HandshakeBounds, now: number) {
    this.#bounds = bounds
    this.#all = new TokenBucket(bounds.perSecond * FULL, 1000, now)
  }

  /** Other bounds, for handshakes that begin from now on. */
  change(bounds: HandshakeBounds, now: number): void {
    const before = this.#bounds
    this.#bounds = bounds
    if (before.perSecond !== bounds.perSecond) this.#all = new TokenBucket(bounds.perSecond * FULL, 1000, now)
    if (before.perAddressPerMinute !== bounds.perAddressPerMinute) this.#addresses.clear()
  }

  /** Whether one has to end before another may begin. */
  get isFull(): boolean {
    return this.#underWay >= this.#bounds.max
  }

  /** Whether a handshake may begin. It counts as a full one until `end` says otherwise. */
  begin(key: string, now: number): boolean {
    const { perAddress } = this.#bounds
    const address = this.#addressOf(key, now)
    if (this.isFull || address.underWay >= perAddress) return false
    if (!this.#all.hasAny(now) || !address.bucket.hasAny(now)) return false
    this.#all.take(FULL)
    address.bucket.take(FULL)
    address.underWay++
    this.#underWay++
    return true
  }

  /** Once for each `begin` that was true: it succeeded, or its connection is gone. */
  end(key: string, wasResumed: boolean): void {
    this.#underWay--
    const address = this.#addresses.get(key)
    if (wasResumed) this.#all.take(RESUMED - FULL)
    if (address === undefined) return
    if (address.underWay > 0) address.underWay--
    if (wasResumed) address.bucket.take(RESUMED - FULL)
  }

  #addressOf(key: string, now: number): Address {
    const known = this.#addresses.get(key)
    if (known !== undefined) {
      this.#addresses.delete(key)
      this.#addresses.set(key, known)
      return known
    }
    const bucket = new TokenBucket(this.#bounds.perAddressPerMinute * FULL, 60_000, now)
    const address = { bucket, underWay: 0 }
    this.#addresses.set(key, address)
    if (this.#addresses.size > MAX_ADDRESSES) this.#addresses.delete(this.#addresses.keys().next().value!)
    return address
  }
}
