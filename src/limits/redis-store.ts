/**
 * The store in Redis: what is known is answered from memory, what is not goes into the step of this turn, and what Redis
 * does not answer is decided by the policy of each counter. Knows no requests.
 */
import type {
  Claim,
  ClaimStates,
  ClaimWaiter,
  CounterOptions,
  CounterState,
  CounterStore,
  Metrics,
} from '../exchange/contracts.ts'
import { KnownCounters } from './known-counters.ts'
import { RedisBans } from './redis-bans.ts'
import { RedisCounter, type SharedSteps } from './redis-counter.ts'
import type { RedisLink } from './redis-link.ts'
import { RedisValues } from './redis-values.ts'
import { type RedisClaim, StepQueue } from './step-queue.ts'
import { windowRule } from './window.ts'

export class RedisStore implements CounterStore, SharedSteps {
  readonly bans: RedisBans
  readonly values: RedisValues
  readonly #link: RedisLink
  readonly #queue: StepQueue
  readonly #prefix: string
  readonly #metrics: Metrics
  readonly #counters = new KnownCounters<RedisCounter>()

  /** `open` makes the link, and is told what to call each time that Redis is back. */
  constructor(open: (onRecovered: () => void) => RedisLink, isCluster: boolean, prefix: string, metrics: Metrics) {
    this.#prefix = prefix
    this.#metrics = metrics
    this.#link = open(this.#onRecovered)
    this.#queue = new StepQueue(this.#link, isCluster, metrics)
    this.bans = new RedisBans(this.#link, prefix)
    this.values = new RedisValues(this.#link, prefix)
  }

  get isUp(): boolean {
    return this.#link.isUp
  }

  /** With other options than before it goes on with the same keys. */
  counter(options: CounterOptions): RedisCounter {
    const prefix = `${this.#prefix}:${options.name}`
    return this.#counters.take(
      options,
      () => new RedisCounter(this, prefix, windowRule(options), options.onOutage, this.#metrics),
    )
  }

  claim(claims: readonly Claim[], waiter: ClaimWaiter): ClaimStates | null {
    const own = claims as readonly RedisClaim[]
    const known = knownRefusals(own)
    if (known !== null) return known
    if (!this.#link.isUp) return statesWhileDown(own)
    this.#queue.claim(own, waiter, statesWhileDown)
    return null
  }

  refusal(claims: readonly Claim[]): ClaimStates | null {
    const own = claims as readonly RedisClaim[]
    const known = knownRefusals(own)
    if (known !== null || this.#link.isUp) return known
    return own.some(isRefusedWhileDown) ? statesWhileDown(own) : null
  }

  write(counter: RedisCounter, key: string, operation: string): Promise<boolean> {
    return this.#queue.write(counter, key, operation)
  }

  whenSettled(): Promise<void> {
    return this.#link.settled
  }

  close(): Promise<void> {
    this.bans.stop()
    return this.#link.close()
  }

  readonly #onRecovered = (): void => {
    for (const counter of this.#counters.all()) counter.replay()
    this.bans.onRecovered()
  }
}

/** Null where none is known: Redis must be asked. What a dry counter would refuse must be counted by the others. */
function knownRefusals(claims: readonly RedisClaim[]): ClaimStates | null {
  const now = performance.now()
  let states: (CounterState | null)[] | null = null
  for (let i = 0; i < claims.length; i++) {
    const { counter, key, own } = claims[i]!
    const refusal = counter.rule.isDry ? null : counter.knownRefusal(own === null ? key : own.key, now)
    if (refusal === null) continue
    states ??= new Array<CounterState | null>(claims.length).fill(null)
    states[i] = refusal
  }
  return states
}

function isRefusedWhileDown({ counter, key, points }: RedisClaim): boolean {
  return !counter.rule.isDry && counter.refusesDegraded(key, points)
}

/** All or nothing here too. */
function statesWhileDown(claims: readonly RedisClaim[]): readonly CounterState[] {
  const isRefused = claims.length > 1 && claims.some(isRefusedWhileDown)
  return claims.map(({ counter, key, points }) =>
    counter.degraded(key, points, !isRefused || counter.refusesDegraded(key, points)),
  )
}
