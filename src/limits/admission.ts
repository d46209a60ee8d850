/**
 * Some limits of one route: whom they deny, what a request takes from them, and what becomes of it by their states. Knows
 * the exchange and its rules, and asks no store.
 */
import {
  type Claim,
  type ClaimStates,
  type CounterStore,
  DONE,
  GO,
  type Metrics,
  type Step,
  WAIT,
} from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { type AddFields, type FieldsKind, makeFields } from './fields.ts'
import type { LimitEvents } from './limit-events.ts'
import { wholeSeconds } from './limiter.ts'
import { chargeLater } from './penalties.ts'
import type { Rule } from './rule.ts'

type Code = 'rate-limited' | 'limit-store-down' | 'address-denied' | 'too-many-in-flight'

/** What an admission needs of its surroundings. */
export interface AdmitParts {
  readonly store: CounterStore
  readonly fields: FieldsKind
  readonly metrics: Metrics
  readonly events: LimitEvents
}

/** What one request asks, and of which rules: two lists of the same length. */
export interface Taken {
  readonly claims: Claim[]
  readonly asked: Rule[]
}

export class Admission {
  readonly rules: readonly Rule[]
  readonly parts: AdmitParts
  readonly #addFields: AddFields

  constructor(rules: readonly Rule[], parts: AdmitParts) {
    this.rules = rules
    this.parts = parts
    this.#addFields = makeFields(parts.fields, rules)
  }

  /** Refuses those whom one of the rules names. */
  refusesDenied(x: Exchange): boolean {
    let isDenied = false
    for (const rule of this.rules) {
      if (rule.isDenied === null || !rule.isDenied(x.clientAddress)) continue
      this.parts.events.onRefusal(x, rule, 'denied', 0)
      if (!rule.isDry) isDenied = true
    }
    if (isDenied) this.#refuse(x, 'denied', 'address-denied')
    return isDenied
  }

  /** Adds what the request takes from each rule that applies to it. False: too much runs already, it is refused. */
  take(x: Exchange, { claims, asked }: Taken): boolean {
    x.isCounted = true
    for (const rule of this.rules) {
      if (rule.isExempt?.(x.clientAddress)) continue
      const key = rule.key.of(x)
      if (key === null) continue
      if (rule.running !== null && !this.#takeSlot(x, rule, key)) {
        x.owed?.drop(x)
        x.answerHeaders.push('retry-after', '1')
        this.#refuse(x, 'limited', 'too-many-in-flight')
        return false
      }
      claims.push(rule.limiter.claim(key, rule.known === null ? null : rule.known.ownCount(key, x)))
      asked.push(rule)
    }
    return true
  }

  /** Adds the fields and refuses where a rule did. A rule that was not asked has no state. */
  decide(x: Exchange, { claims, asked }: Taken, states: ClaimStates): Step {
    let waitMs = 0
    let strictest: Rule | null = null
    let isStoreDown = false
    for (let i = 0; i < states.length; i++) {
      const state = states[i] ?? null
      if (state === null || state.allowed) continue
      const rule = asked[i]!
      if (!rule.limiter.wasCounted(state)) {
        if (!rule.isDry) isStoreDown = true
        continue
      }
      this.parts.events.onRefusal(x, rule, 'limited', state.resetMs)
      if (rule.isDry || state.resetMs <= waitMs) continue
      waitMs = state.resetMs
      strictest = rule
    }
    if (strictest !== null || isStoreDown) x.owed?.drop(x)
    this.#addFields(x.answerHeaders, asked, states)
    if (strictest !== null) {
      x.answerHeaders.push('retry-after', String(wholeSeconds(waitMs)))
      const isHeld = strictest.tarpit?.hold(x, () => this.#refuse(x, 'limited', 'rate-limited')) ?? false
      return isHeld ? WAIT : this.#refuse(x, 'limited', 'rate-limited')
    }
    if (isStoreDown) return this.#refuse(x, 'store-down', 'limit-store-down')
    return this.pass(x, claims, asked)
  }

  /** Lets the request go on; what its answer costs is charged then. */
  pass(x: Exchange, claims: readonly Claim[], asked: readonly Rule[]): Step {
    this.parts.metrics.count('limit_decisions_total', claims.length === 0 ? 'exempt' : 'allowed')
    for (let i = 0; i < claims.length; i++) {
      const rule = asked[i]!
      const claim = claims[i]!
      if (rule.penalties !== null) chargeLater(x, rule, claim, this.parts)
      if (claim.own !== null) rule.known!.rememberLater(x, claim.own, this.parts.store)
    }
    return GO
  }

  /** One slot of what may run under the key, until the exchange ends. */
  #takeSlot(x: Exchange, rule: Rule, key: string): boolean {
    const running = rule.running!
    if (!running.take(key)) {
      this.parts.events.onRefusal(x, rule, 'running', 0)
      return rule.isDry
    }
    const release = x.onRelease
    x.onRelease = () => {
      running.release(key)
      release?.()
    }
    return true
  }

  #refuse(x: Exchange, label: string, code: Code): Step {
    this.parts.metrics.count('limit_decisions_total', label)
    x.refuse(code)
    return DONE
  }
}
