/**
 * The stage that lets a request through or refuses it by the limits of its route. Knows the exchange and its rules, and no
 * store. The order is fixed: denied addresses, exempt ones, what runs at this moment, and then one step of the store, which
 * answers from memory what it knows already.
 */
import {
  type Claim,
  type ClaimStates,
  type ClaimWaiter,
  type CounterStore,
  DONE,
  GO,
  type Metrics,
  type Stage,
  type Step,
  WAIT,
} from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { MAX_COUNTED_BODY, readBodyField } from './body-field.ts'
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

/**
 * Every request counts once in each rule that applies to it, in one step of the store; it passes when all let it through. Of
 * several refusals the longest wait is told. A rule that runs dry counts, and refuses nothing.
 */
export function makeAdmit(rules: readonly Rule[], parts: AdmitParts): Stage {
  if (rules.length === 0) return () => GO
  const admit = new Admit(rules, parts)
  return (x) => admit.run(x)
}

class Admit {
  readonly #rules: readonly Rule[]
  readonly #parts: AdmitParts
  readonly #addFields: AddFields

  constructor(rules: readonly Rule[], parts: AdmitParts) {
    this.#rules = rules
    this.#parts = parts
    this.#addFields = makeFields(parts.fields, rules)
  }

  run(x: Exchange): Step {
    if (this.#isDenied(x)) return this.#refuse(x, 'denied', 'address-denied')
    const claims: Claim[] = []
    const asked: Rule[] = []
    for (const rule of this.#rules) {
      if (rule.isExempt?.(x.clientAddress)) continue
      const key = rule.key.of(x)
      if (key === null) continue
      if (rule.running !== null && !this.#takeSlot(x, rule, key)) {
        x.answerHeaders.push('retry-after', '1')
        return this.#refuse(x, 'limited', 'too-many-in-flight')
      }
      claims.push(rule.limiter.claim(key))
      asked.push(rule)
    }
    if (claims.length === 0) return this.#pass(x, claims, asked)
    const states = this.#parts.store.claim(claims, new Decision(this, x, claims, asked))
    return states === null ? WAIT : this.conclude(x, claims, asked, states)
  }

  /** Adds the fields and refuses where a rule did. A rule that was not asked has no state. */
  conclude(x: Exchange, claims: readonly Claim[], asked: readonly Rule[], states: ClaimStates, isKnown = false): Step {
    if (!isKnown && isForStrangers(asked, states)) return this.#lookWhetherKnown(x, claims, asked, states)
    return this.#decide(x, claims, asked, states)
  }

  #decide(x: Exchange, claims: readonly Claim[], asked: readonly Rule[], states: ClaimStates): Step {
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
      this.#parts.events.onRefusal(x, rule, 'limited', state.resetMs)
      if (rule.isDry || state.resetMs <= waitMs) continue
      waitMs = state.resetMs
      strictest = rule
    }
    this.#addFields(x.answerHeaders, asked, states)
    if (strictest !== null) {
      x.answerHeaders.push('retry-after', String(wholeSeconds(waitMs)))
      const isHeld = strictest.tarpit?.hold(x, () => this.#refuse(x, 'limited', 'rate-limited')) ?? false
      return isHeld ? WAIT : this.#refuse(x, 'limited', 'rate-limited')
    }
    if (isStoreDown) return this.#refuse(x, 'store-down', 'limit-store-down')
    return this.#pass(x, claims, asked)
  }

  #pass(x: Exchange, claims: readonly Claim[], asked: readonly Rule[]): Step {
    const { metrics, store, events } = this.#parts
    metrics.count('limit_decisions_total', claims.length === 0 ? 'exempt' : 'allowed')
    for (let i = 0; i < claims.length; i++) {
      const rule = asked[i]!
      const claim = claims[i]!
      if (rule.penalties !== null) chargeLater(x, rule, claim, store, events)
      if (rule.known !== null) rule.known.rememberLater(x, rule.known.keyOf(rule.key.of(x) ?? '', x), store)
    }
    return GO
  }

  /** Only those who go over ask the store a second time, and only where the limit knows clients. */
  #lookWhetherKnown(x: Exchange, claims: readonly Claim[], asked: readonly Rule[], states: ClaimStates): Step {
    const own = claims.slice()
    const looks: Claim[] = []
    for (let i = 0; i < asked.length; i++) {
      const { known, limiter } = asked[i]!
      const state = states[i] ?? null
      if (known === null || state === null || state.allowed) continue
      const key = known.keyOf(claims[i]!.key, x)
      looks.push(known.look(key))
      own[i] = limiter.claim(key)
    }
    const look = new KnownLook(this, x, { claims, own, asked, states })
    const found = this.#parts.store.claim(looks, look)
    return found === null ? WAIT : this.concludeLook(x, look.step, found)
  }

  /** A stranger is refused as before; a known client is counted for itself. */
  concludeLook(x: Exchange, { claims, own, asked, states }: KnownStep, found: ClaimStates): Step {
    const isKnown = found.every((state) => state !== null && state.used > 0 && !state.degraded)
    if (!isKnown) return this.#decide(x, claims, asked, states)
    const counted = this.#parts.store.claim(own, new Decision(this, x, own, asked, true))
    return counted === null ? WAIT : this.#decide(x, own, asked, counted)
  }

  #isDenied(x: Exchange): boolean {
    let isDenied = false
    for (const rule of this.#rules) {
      if (rule.isDenied === null || !rule.isDenied(x.clientAddress)) continue
      this.#parts.events.onRefusal(x, rule, 'denied', 0)
      if (!rule.isDry) isDenied = true
    }
    return isDenied
  }

  /** One slot of what may run under the key, until the exchange ends. */
  #takeSlot(x: Exchange, rule: Rule, key: string): boolean {
    const running = rule.running!
    if (!running.take(key)) {
      this.#parts.events.onRefusal(x, rule, 'running', 0)
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
    this.#parts.metrics.count('limit_decisions_total', label)
    x.refuse(code)
    return DONE
  }
}

/** The wait of one exchange for its answers. */
class Decision implements ClaimWaiter {
  readonly #admit: Admit
  readonly #x: Exchange
  readonly #claims: readonly Claim[]
  readonly #asked: readonly Rule[]
  readonly #isKnown: boolean

  constructor(admit: Admit, x: Exchange, claims: readonly Claim[], asked: readonly Rule[], isKnown = false) {
    this.#admit = admit
    this.#x = x
    this.#claims = claims
    this.#asked = asked
    this.#isKnown = isKnown
  }

  onStates(states: ClaimStates): void {
    if (this.#x.finished) return
    const step = this.#admit.conclude(this.#x, this.#claims, this.#asked, states, this.#isKnown)
    if (step === GO) this.#x.resume()
  }
}

/** True where somebody is refused, and only by limits that know clients. */
function isForStrangers(asked: readonly Rule[], states: ClaimStates): boolean {
  let isRefused = false
  for (let i = 0; i < states.length; i++) {
    const state = states[i] ?? null
    const rule = asked[i]!
    if (state === null || state.allowed || rule.isDry) continue
    if (rule.known === null || !rule.limiter.wasCounted(state)) return false
    isRefused = true
  }
  return isRefused
}

interface KnownStep {
  /** As they were refused. */
  readonly claims: readonly Claim[]
  readonly states: ClaimStates
  /** The same for a known client. */
  readonly own: readonly Claim[]
  readonly asked: readonly Rule[]
}

/** The wait of one exchange for whether its client is known. */
class KnownLook implements ClaimWaiter {
  readonly step: KnownStep
  readonly #admit: Admit
  readonly #x: Exchange

  constructor(admit: Admit, x: Exchange, step: KnownStep) {
    this.#admit = admit
    this.#x = x
    this.step = step
  }

  onStates(states: ClaimStates): void {
    if (this.#x.finished) return
    if (this.#admit.concludeLook(this.#x, this.step, states) === GO) this.#x.resume()
  }
}

/** The same for rules that count by a field of the body, which is collected for them. */
export function makeBodyAdmit(rules: readonly Rule[], parts: AdmitParts): Stage {
  const admit = makeAdmit(rules, parts)
  const fields = [...new Set(rules.flatMap((rule) => rule.key.fields))]
  return (x) => {
    if (x.head.bodyLength === 0) return admit(x)
    x.collectBody(Math.min(MAX_COUNTED_BODY, x.route!.maxBodyBytes), () => {
      if (fields.some((name) => readBodyField(x, name) === 'repeated')) {
        x.refuse('message-unreadable', 'a field that a limit counts by stands there twice')
      } else if (admit(x) === GO) x.resume()
    })
    return WAIT
  }
}
