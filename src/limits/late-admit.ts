/**
 * The same in two stages, where some limits count by what is not known at first: who the user is, what stands in the body.
 * The first one refuses what is known to be refused, without the store; the second one asks all limits in one step. What is
 * answered in between is counted by the limits that need neither before the answer goes out. Knows no sign-in.
 */
import {
  type Claim,
  type ClaimStates,
  type ClaimWaiter,
  DONE,
  GO,
  type Stage,
  type Step,
  WAIT,
} from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { OwedCount } from '../exchange/owed-count.ts'
import { Admission, type AdmitParts, type Taken } from './admission.ts'
import { Asking } from './asking.ts'
import { MAX_COUNTED_BODY, readBodyField } from './body-field.ts'
import type { LimitEvents } from './limit-events.ts'
import { chargeLater } from './penalties.ts'
import type { Rule } from './rule.ts'

export interface LateAdmit {
  /** Before anything that costs: sign-in, body. */
  readonly look: Stage
  /** When everything is known. */
  readonly ask: Stage
}

/** `early`: rules that need neither user nor body; `late`: at least one that does. */
export function makeLateAdmit(early: readonly Rule[], late: readonly Rule[], parts: AdmitParts): LateAdmit {
  const limits = new LateLimits(early, late, parts)
  return { look: (x) => limits.look(x), ask: limits.needsBody ? (x) => limits.askWithBody(x) : (x) => limits.ask(x) }
}

class LateLimits {
  readonly all: Admission
  readonly early: Admission
  readonly late: Admission
  readonly #fields: readonly string[]

  constructor(early: readonly Rule[], late: readonly Rule[], parts: AdmitParts) {
    this.all = new Admission([...early, ...late], parts)
    this.early = new Admission(early, parts)
    this.late = new Admission(late, parts)
    this.#fields = [...new Set(late.flatMap((rule) => rule.key.fields))]
  }

  get needsBody(): boolean {
    return this.#fields.length > 0
  }

  look(x: Exchange): Step {
    if (this.all.refusesDenied(x)) return DONE
    const claims: Claim[] = []
    const asked: Rule[] = []
    const taken = { claims, asked }
    if (!this.early.take(x, taken)) return DONE
    if (claims.length === 0) return GO
    const refusal = this.all.parts.store.refusal(claims)
    if (refusal !== null) return this.all.decide(x, taken, refusal)
    x.owed = new OwedLimits(x, this, taken)
    return GO
  }

  ask(x: Exchange): Step {
    const owed = x.owed as OwedLimits | null
    const isSplit = owed === null || !owed.isOpen
    const taken = isSplit ? { claims: [], asked: [] } : owed.close()
    if (!this.late.take(x, taken)) return DONE
    return new Asking(isSplit ? this.late : this.all, x, taken, null).send()
  }

  askWithBody(x: Exchange): Step {
    if (x.head.bodyLength === 0) return this.ask(x)
    x.collectBody(Math.min(MAX_COUNTED_BODY, x.route!.maxBodyBytes), () => {
      if (this.#fields.some((name) => readBodyField(x, name) === 'repeated')) {
        x.refuse('message-unreadable', 'a field that a limit counts by stands there twice')
      } else if (this.ask(x) === GO) x.resume()
    })
    return WAIT
  }
}

/** What the early rules of a request wait for. */
class OwedLimits extends OwedCount {
  readonly #limits: LateLimits
  readonly #taken: Taken

  constructor(x: Exchange, limits: LateLimits, taken: Taken) {
    super(x)
    this.#limits = limits
    this.#taken = taken
  }

  /** From now on it is counted by who calls this. */
  close(): Taken {
    this.isOpen = false
    return this.#taken
  }

  settle(x: Exchange, next: () => void): void {
    const asking = new Asking(this.#limits.early, x, this.close(), next)
    asking.goOn(asking.send())
  }

  onLeft(x: Exchange): void {
    const { claims, asked } = this.close()
    const { parts } = this.#limits.all
    for (let i = 0; i < claims.length; i++) {
      if (asked[i]!.penalties !== null) chargeLater(x, asked[i]!, claims[i]!, parts)
    }
    const waiter = new Unanswered(x, asked, parts.events)
    const states = parts.store.claim(claims, waiter)
    if (states !== null) waiter.onStates(states)
  }
}

/** The client has left: what the limits say of it is told of all the same. */
class Unanswered implements ClaimWaiter {
  readonly #x: Exchange
  readonly #asked: readonly Rule[]
  readonly #events: LimitEvents

  constructor(x: Exchange, asked: readonly Rule[], events: LimitEvents) {
    this.#x = x
    this.#asked = asked
    this.#events = events
  }

  onStates(states: ClaimStates): void {
    for (let i = 0; i < states.length; i++) {
      const state = states[i] ?? null
      const rule = this.#asked[i]!
      if (state === null || state.allowed || !rule.limiter.wasCounted(state)) continue
      this.#events.onRefusal(this.#x, rule, 'limited', state.resetMs)
    }
  }
}
