/**
 * The stage that lets a request through or refuses it by the limits of its route. The order is fixed: denied addresses,
 * exempt ones, what runs at this moment, and then one step of the store, which answers from memory what it knows already.
 */
import { type Claim, DONE, GO, type Stage } from '../exchange/contracts.ts'
import { Admission, type AdmitParts } from './admission.ts'
import { Asking } from './asking.ts'
import type { Rule } from './rule.ts'

/**
 * Every request counts once in each rule that applies to it, in one step of the store; it passes when all let it through. Of
 * several refusals the longest wait is told. A rule that runs dry counts, and refuses nothing.
 */
export function makeAdmit(rules: readonly Rule[], parts: AdmitParts): Stage {
  if (rules.length === 0) return () => GO
  const admission = new Admission(rules, parts)
  return (x) => {
    if (admission.refusesDenied(x)) return DONE
    const claims: Claim[] = []
    const asked: Rule[] = []
    const taken = { claims, asked }
    return admission.take(x, taken) ? new Asking(admission, x, taken, null).send() : DONE
  }
}
