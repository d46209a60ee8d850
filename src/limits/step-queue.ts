/**
 * Gathers what the requests of one turn of the event loop ask of Redis, sends it as one call of the window script, and
 * hands the answers out. In a Cluster it is one call per key text, which go to their nodes side by side. It knows no policy.
 */
import type { Claim, ClaimStates, ClaimWaiter, CounterState, Metrics } from '../exchange/contracts.ts'
import { OWN } from '../exchange/own-count.ts'
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

/** What a queue needs of the way to Redis. */
export type StepLink = Pick<RedisLink, 'isUp' | 'call' | 'onFailed'>

/** Those who wait for some of the answers of one call. */
interface Part {
  /** Two numbers for each claim of the part, from `at` on. */
  onValues(values: readonly number[], at: number): void
  onFailed(): void
}

export class StepQueue {
  readonly #link: StepLink
  readonly #metrics: Metrics
  readonly #isCluster: boolean
  /**
   * What waits for the end of this turn, by key text; one batch under '' where there is no Cluster. A Map that is cleared leads to
   * what it held before, for the collector; so each turn has its own.
   */
  #batches = new Map<string, Batch>()
  #isScheduled = false

  constructor(link: StepLink, isCluster: boolean, metrics: Metrics) {
    this.#link = link
    this.#metrics = metrics
    this.#isCluster = isCluster
  }

  claim(claims: readonly RedisClaim[], waiter: ClaimWaiter, onDown: OnDown): void {
    const ask = new Ask(claims, waiter, onDown, this.#metrics)
    if (!this.#isCluster) return this.#add('', ask, claims)
    const byKey = Map.groupBy(claims.keys(), (index) => placeOf(claims[index]!.key))
    for (const [key, indices] of byKey) {
      const own = indices.map((index) => claims[index]!)
      this.#add(key, new ClaimPart(ask, own, indices), own)
    }
  }

  /** Resolves to whether Redis did it. */
  write(counter: RedisCounter, key: string, operation: string): Promise<boolean> {
    return new Promise((resolve) => {
      const batch = this.#batchFor(this.#isCluster ? placeOf(key) : '')
      batch.open({ onValues: () => resolve(true), onFailed: () => resolve(false) })
      batch.add(counter, key, operation)
    })
  }

  #add(tag: string, part: Part, claims: readonly RedisClaim[]): void {
    const batch = this.#batchFor(tag)
    batch.open(part)
    for (const { counter, key, points, own } of claims) {
      const operation = points === 0 ? '0' : String(wholePoints(points))
      batch.add(counter, key, operation)
      if (own === null) continue
      batch.add(own.known as RedisCounter, own.key, '0k')
      batch.add(counter, own.key, `${operation}o`)
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
    const batches = this.#batches
    this.#batches = new Map()
    for (const batch of batches.values()) batch.send()
  }
}

/** One call that is being put together, and later hands its answers out. */
class Batch {
  readonly #link: StepLink
  readonly #keys: string[] = []
  readonly #parts: Part[] = []
  /** Where the answers of each part begin. */
  readonly #starts: number[] = []
  readonly #rules = new Map<string, number>()
  #layout = ''

  constructor(link: StepLink) {
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
    // Gone within this turn: nobody is sent after it to wait.
    if (!this.#link.isUp) return this.#fail()
    this.#link.call('step', WINDOW_SCRIPT, this.#keys, [this.#layout, ...this.#rules.keys()], this.#onReply)
  }

  readonly #onReply = (error: Error | null, reply: unknown): void => {
    if (error !== null) {
      this.#link.onFailed(error)
      return this.#fail()
    }
    const values = readNumbers(String(reply), 2 * this.#keys.length)
    for (let i = 0; i < this.#parts.length; i++) this.#parts[i]!.onValues(values, this.#starts[i]!)
  }

  #fail(): void {
    for (const part of this.#parts) part.onFailed()
  }
}

/** Whole numbers with a space between them. */
function readNumbers(text: string, count: number): number[] {
  const numbers: number[] = []
  let at = 0
  while (numbers.length < count) {
    const isNegative = text.charCodeAt(at) === 45
    if (isNegative) at++
    let value = 0
    // What is no digit, or the end, ends a number.
    for (let digit = text.charCodeAt(at) - 48; digit >= 0 && digit <= 9; digit = text.charCodeAt(++at) - 48) {
      value = value * 10 + digit
    }
    numbers.push(isNegative ? -value : value)
    at++
  }
  return numbers
}

/** Keys with the same text are at the same place in a Cluster, those of single clients with the common one. */
function placeOf(key: string): string {
  const at = key.indexOf(OWN)
  return at === -1 ? key : key.slice(0, at)
}

/** Answers claims that Redis did not. */
export type OnDown = (claims: readonly RedisClaim[]) => readonly CounterState[]

/** One request and the answers it has so far; where all its claims go in one call, the part of that call. */
class Ask implements Part {
  readonly #claims: readonly RedisClaim[]
  readonly #onDown: OnDown
  readonly #metrics: Metrics
  readonly #states: (CounterState | null)[] = []
  readonly #waiter: ClaimWaiter
  #open: number
  #isGivenUp = false

  constructor(claims: readonly RedisClaim[], waiter: ClaimWaiter, onDown: OnDown, metrics: Metrics) {
    this.#claims = claims
    this.#onDown = onDown
    this.#metrics = metrics
    this.#waiter = waiter
    this.#open = claims.length
    for (let i = 0; i < claims.length; i++) this.#states.push(null)
  }

  onValues(values: readonly number[], at: number): void {
    this.read(this.#claims, null, values, at)
  }

  onFailed(): void {
    this.giveUp(this.#claims, null)
  }

  /** Some of its claims were answered. `indices`: their places in the request; null: as they come. */
  read(claims: readonly RedisClaim[], indices: readonly number[] | null, values: readonly number[], at: number): void {
    let next = at
    for (let i = 0; i < claims.length; i++) {
      const { counter, key, points, own } = claims[i]!
      // Behind a common count the known one and the client's own: `used` and milliseconds of each.
      const isOwn = own !== null && values[next]! > counter.rule.capacity && values[next + 2]! > 0
      const from = isOwn ? next + 4 : next
      const state = counter.stateFrom(isOwn ? own.key : key, points, own, values[from]!, values[from + 1]!)
      this.#take(indices === null ? i : indices[i]!, state)
      next += own === null ? 2 : 6
    }
  }

  /** It waited, and the store is down: some of its claims, decided without. */
  giveUp(claims: readonly RedisClaim[], indices: readonly number[] | null): void {
    if (!this.#isGivenUp) this.#metrics.count('limit_store_total', 'gave-up')
    this.#isGivenUp = true
    const states = this.#onDown(claims)
    for (let i = 0; i < states.length; i++) this.#take(indices === null ? i : indices[i]!, states[i]!)
  }

  #take(index: number, state: CounterState): void {
    this.#states[index] = state
    this.#open--
    if (this.#open === 0) this.#waiter.onStates(this.#states as ClaimStates)
  }
}

/** Some of the claims of a request, by their places in it. */
class ClaimPart implements Part {
  readonly #ask: Ask
  readonly #claims: readonly RedisClaim[]
  readonly #indices: readonly number[]

  constructor(ask: Ask, claims: readonly RedisClaim[], indices: readonly number[]) {
    this.#ask = ask
    this.#claims = claims
    this.#indices = indices
  }

  onValues(values: readonly number[], at: number): void {
    this.#ask.read(this.#claims, this.#indices, values, at)
  }

  onFailed(): void {
    this.#ask.giveUp(this.#claims, this.#indices)
  }
}
