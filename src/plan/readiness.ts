/** Whether new requests should come to this gateway, and why not. Only what counts for it. */
import type { Configuration } from '../config/shape.ts'
import type { ServiceBook } from '../exchange/service-book.ts'
import { isCutOff } from '../upstream/service-view.ts'
import type { Plan } from './plan.ts'

interface Readiness {
  readonly ready: boolean
  /** Sentences without internal addresses. */
  readonly reasons: readonly string[]
}

/** The gateway as it stands now. */
export interface StandingFacts {
  readonly isDraining: boolean
  /** Null before the first one. */
  readonly plan: Plan | null
  readonly configuration: Configuration | null
  readonly isStoreUp: boolean
  readonly certificateTroubles: readonly string[]
  readonly services: ServiceBook
}

export function readinessOf(facts: StandingFacts): Readiness {
  const reasons: string[] = []
  if (facts.isDraining) reasons.push('draining')
  if (facts.configuration?.limits.store.onOutage === 'deny' && !facts.isStoreUp)
    reasons.push('the limit store does not answer, and limits are set to deny')
  reasons.push(...facts.certificateTroubles)
  if (isCutOff(facts.services)) reasons.push('no endpoint of any service is up')
  return { ready: reasons.length === 0, reasons }
}
