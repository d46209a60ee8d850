/**
 * Gathers what the requests of one turn of the event loop ask of Redis, sends it as one call of the window script, and
 * hands the answers out. In a Cluster it is one call per key text, which go to their nodes side by side. It knows no policy.
 */
import type { Claim, ClaimStates, ClaimWaiter, CounterState } from '../exchange/contracts.ts'
import type { RedisCounter } from './redis-counter.ts'
import type { RedisLink } from './redis-link.ts'
import { wholePoints } from './window.ts'
import { WINDOW_SCRIPT } from './window-script.ts'

/** A claim of one of the counters that live in Redis. */
export interface RedisClaim extends Claim {
  readonly counter: RedisCounter
}

/** A call holds Redis up for its time, about two microseconds per claim: further ones are calls of their own. */
const MAX_CLAIMS = 256

/** Those who wait for some of the answers of one call. */
interface Part {
  /** Two numbers for each claim of the part, from `at` on. */
  onValues(values: readonly number[], at: number): void
  onFailed(): void
}

export class StepQueue {
  readonly #link: RedisLink
  readonly #isCluster: boolean
  /** What waits for the end of this turn, by key text; one batch under '' where there is no Cluster. */
  readonly #batches = new Map<string, Batch>()
  #isScheduled = false

  constructor(link: RedisLink, isCluster: boolean) {
    this.#link = link
    this.#isCluster = isCluster
  }

  claim(claims: readonly RedisClaim[], waiter: ClaimWaiter, onDown: OnDown): void {
    const ask = new Ask(claims, waiter, onDown)
    if (!this.#isCluster) return this.#add('', new ClaimPart(ask, claims, null), claims)
    const byKey = Map.groupBy(claims.keys(), (index) => claims[index]!.key)
    for (const [key, indices] of byKey) {
      const own = indices.map((index) => claims[index]!)
      this.#add(key, new ClaimPart(ask, own, indices), own)
    }
  }

  /** Resolves to whether Redis did it. */
  write(counter: RedisCounter, key: string, operation: string): Promise<boolean> {
    return new Promise((resolve) => {
      const batch = this.#batchFor(this.#isCluster ? key : '')
      batch.open({ onValues: () => resolve(true), onFailed: () => resolve(false) })
      batch.add(counter, key, operation)
    })
  }

  #add(tag: string, part: ClaimPart, claims: readonly RedisClaim[]): void {
    const batch = this.#batchFor(tag)
    batch.open(part)
    for (const { counter, key, points } of claims) {
      batch.add(counter, key, points === 0 ? '0' : String(wholePoints(points)))
    }
  }

  #batchFor(tag: string): Batch {
    let batch = this.#batches.get(tag)
    if (batch !== undefined && batch.size >= MAX_CLAIMS) {
      this.#batches.delete(tag)
      batch.send()
      batch = undefined
    }
    if (batch === undefined) {
      batch = new Batch(this.#link)
      this.#batches.set(tag, batch)
    }
    if (!this.#isScheduled) {
      this.#isScheduled = true
      setImmediate(this.#flush)
    }
    return batch
  }

  readonly #flush = (): void => {
    this.#isScheduled = false
    const batches = [...this.#batches.values()]
    this.#batches.clear()
    for (const batch of batches) batch.send()
  }
}

/** One call that is being put together, and later hands its answers out. */
class Batch {
  readonly #link: RedisLink
  readonly #keys: string[] = []
  readonly #parts: Part[] = []
  /** Where the answers of each part begin. */
  readonly #starts: number[] = []
  readonly #rules = new Map<string, number>()
  #layout = ''

  constructor(link: RedisLink) {
    this.#link = link
  }

  /** Claims. */
  get size(): number {
    return this.#keys.length
  }

  /** What is added from here on belongs to this part. */
  open(part: Part): void {
    if (this.#parts.length > 0) this.#layout += ';'
    this.#parts.push(part)
    this.#starts.push(2 * this.#keys.length)
  }

  add(counter: RedisCounter, key: string, operation: string): void {
    let rule = this.#rules.get(counter.ruleText)
    if (rule === undefined) {
      rule = this.#rules.size + 1
      this.#rules.set(counter.ruleText, rule)
    }
    this.#layout += `/${rule},${operation}`
    this.#keys.push(counter.redisKey(key))
  }

  send(): void {
    this.#link.call(WINDOW_SCRIPT, this.#keys, [this.#layout, ...this.#rules.keys()], this.#onReply)
  }

  readonly #onReply = (error: Error | null, reply: unknown): void => {
    if (error !== null) {
      this.#link.onFailed(error)
      for (const part of this.#parts) part.onFailed()
      return
    }
    const values = reply as readonly number[]
    for (let i = 0; i < this.#parts.length; i++) this.#parts[i]!.onValues(values, this.#starts[i]!)
  }
}

/** Answers claims that Redis did not. */
export type OnDown = (claims: readonly RedisClaim[]) => readonly CounterState[]

/** One request and the answers it has so far. */
class Ask {
  readonly onDown: OnDown
  readonly #states: (CounterState | null)[]
  readonly #waiter: ClaimWaiter
  #open: number

  constructor(claims: readonly RedisClaim[], waiter: ClaimWaiter, onDown: OnDown) {
    this.onDown = onDown
    this.#states = new Array<CounterState | null>(claims.length).fill(null)
    this.#waiter = waiter
    this.#open = claims.length
  }

  take(index: number, state: CounterState): void {
    this.#states[index] = state
    this.#open--
    if (this.#open === 0) this.#waiter.onStates(this.#states as ClaimStates)
  }
}

class ClaimPart implements Part {
  readonly #ask: Ask
  readonly #claims: readonly RedisClaim[]
  /** Their places in the request; null: it has no others. */
  readonly #indices: readonly number[] | null

  constructor(ask: Ask, claims: readonly RedisClaim[], indices: readonly number[] | null) {
    this.#ask = ask
    this.#claims = claims
    this.#indices = indices
  }

  onValues(values: readonly number[], at: number): void {
    for (let i = 0; i < this.#claims.length; i++) {
      const { counter, key, points } = this.#claims[i]!
      this.#take(i, counter.stateFrom(key, points, values[at + 2 * i]!, values[at + 2 * i + 1]!))
    }
  }

  onFailed(): void {
    const states = this.#ask.onDown(this.#claims)
    for (let i = 0; i < states.length; i++) this.#take(i, states[i]!)
  }

  #take(i: number, state: CounterState): void {
    this.#ask.take(this.#indices === null ? i : this.#indices[i]!, state)
  }
}
