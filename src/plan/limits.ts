/** Builds the rules that a route or a listener names, and the stages that count by them. */
import type { Configuration, LimitConfig } from '../config/shape.ts'
import type { Stage } from '../exchange/contracts.ts'
import { makeAdmit } from '../limits/admit.ts'
import { makeLateAdmit } from '../limits/late-admit.ts'
import { compileRule, type Rule } from '../limits/rule.ts'
import { makeStrayPenalties } from '../limits/stray-penalties.ts'
import { capsOf, type Standing } from './standing.ts'

/** The stages that count. Null: nothing to do there. */
export interface AdmitStages {
  /** Where there is neither user nor body to count by: all other limits, in one step. */
  readonly alone: Stage | null
  /** Before sign-in and body: the same, or where limits wait for these only what is known already. */
  readonly before: Stage | null
  /** Where limits wait for the user and for no body: all, as soon as it is known who that is. */
  readonly after: Stage | null
  /** Where limits wait for the body: all, when it is there. */
  readonly body: Stage | null
}

/** A limit is one rule wherever a plan names it: its bounds on what waits are those of the limit. */
const compiled = new WeakMap<Standing, Map<string, Rule>>()

/** Each named limit once, in the order of the names. They lead somewhere: that was checked. */
export function compileRules(names: readonly string[], config: Configuration, standing: Standing): Rule[] {
  const rules = compiled.get(standing) ?? new Map<string, Rule>()
  compiled.set(standing, rules)
  return [...new Set(names)].map((name) => {
    const rule = rules.get(name) ?? compile(name, config, standing)
    rules.set(name, rule)
    return rule
  })
}

function compile(name: string, config: Configuration, standing: Standing): Rule {
  const { store, fields: _fields, bans: _bans, ...limits } = config.limits
  const caps = (counted: string, max: number) => capsOf(standing, counted, max)
  const rule = compileRule(name, (limits as Record<string, LimitConfig>)[name]!, standing.store, store, caps)
  standing.log.gateway.debug('Limit', { limit: name, rule: rule.text })
  return rule
}

/** What a listener charges for what is refused before its limits are asked; null: nothing. */
export function strayPenalties(names: readonly string[], config: Configuration, standing: Standing) {
  const { store, metrics, limitEvents: events } = standing
  const parts = { store, metrics, events, fields: config.limits.fields }
  return makeStrayPenalties(compileRules(names, config, standing), parts)
}

export function admitStages(names: readonly string[], config: Configuration, standing: Standing): AdmitStages {
  const rules = compileRules(names, config, standing)
  const { store, metrics, limitEvents: events } = standing
  const parts = { store, metrics, events, fields: config.limits.fields }
  const { early = [], late = [] } = Object.groupBy(rules, ({ key }) =>
    key.isByUser || key.fields.length > 0 ? 'late' : 'early',
  )
  const alone = early.length === 0 ? null : makeAdmit(early, parts)
  if (late.length === 0) return { alone, before: alone, after: null, body: null }
  const { look, ask } = makeLateAdmit(early, late, parts)
  const needsBody = late.some(({ key }) => key.fields.length > 0)
  return { alone, before: look, after: needsBody ? null : ask, body: needsBody ? ask : null }
}
