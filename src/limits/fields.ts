/** The fields by which an answer tells of limits: those of the IETF draft, the older X-RateLimit ones, or none. */
import type { ClaimStates, CounterState } from '../exchange/contracts.ts'
import type { HeaderList } from '../http/headers.ts'
import { wholeSeconds } from './limiter.ts'
import type { Rule } from './rule.ts'

/** Adds the fields for those of the asked rules that the client may know of. A rule that was not asked has no state. */
export type AddFields = (list: HeaderList, asked: readonly Rule[], states: ClaimStates) => void

export type FieldsKind = 'ietf' | 'legacy' | 'none'

export function makeFields(kind: FieldsKind, rules: readonly Rule[]): AddFields {
  const shown = rules.filter((rule) => rule.isShown)
  if (kind === 'none' || shown.length === 0) return addNothing
  if (kind === 'legacy') return addLegacy
  const policy = shown.map((rule) => rule.limiter.policyItem).join(', ')
  return (list, asked, states) => addIetf(list, policy, asked, states)
}

function addNothing(): void {}

/** draft-ietf-httpapi-ratelimit-headers-11. */
function addIetf(list: HeaderList, policy: string, asked: readonly Rule[], states: ClaimStates): void {
  let items = ''
  for (let i = 0; i < asked.length; i++) {
    const state = states[i] ?? null
    if (state === null || !asked[i]!.isShown) continue
    const item = asked[i]!.limiter.stateItem(state)
    if (item !== null) items = items === '' ? item : `${items}, ${item}`
  }
  list.push('ratelimit-policy', policy)
  if (items !== '') list.push('ratelimit', items)
}

/** One limit only can be told: the one that refuses longest, or else the one with the least left. */
function addLegacy(list: HeaderList, asked: readonly Rule[], states: ClaimStates): void {
  let strictest: CounterState | null = null
  let rate = 0
  for (let i = 0; i < asked.length; i++) {
    const state = states[i] ?? null
    const { isShown, limiter } = asked[i]!
    if (state === null || !isShown || !limiter.wasCounted(state)) continue
    if (strictest !== null && !isStricter(state, strictest)) continue
    strictest = state
    rate = limiter.rate
  }
  if (strictest === null) return
  list.push('x-ratelimit-limit', String(rate))
  list.push('x-ratelimit-remaining', String(strictest.remaining))
  list.push('x-ratelimit-reset', String(wholeSeconds(strictest.resetMs)))
}

function isStricter(a: CounterState, b: CounterState): boolean {
  if (a.allowed !== b.allowed) return !a.allowed
  return a.remaining === b.remaining ? a.resetMs > b.resetMs : a.remaining < b.remaining
}
