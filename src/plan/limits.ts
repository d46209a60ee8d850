/** Builds the rules that a route or a listener names, and the stages that count by them. */
import type { Configuration, LimitConfig } from '../config/shape.ts'
import type { Stage } from '../exchange/contracts.ts'
import { makeAdmit, makeBodyAdmit } from '../limits/admit.ts'
import { compileRule, type Rule } from '../limits/rule.ts'
import { capsOf, type Standing } from './standing.ts'

/** The stages that count: before it is known who the user is, after that, and when the body is there. Null: nothing to count. */
export interface AdmitStages {
  readonly before: Stage | null
  readonly after: Stage | null
  /** By fields of the body. */
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

export function admitStages(names: readonly string[], config: Configuration, standing: Standing): AdmitStages {
  const rules = compileRules(names, config, standing)
  const { store, metrics, limitEvents: events } = standing
  const parts = { store, metrics, events, fields: config.limits.fields }
  const byBody = rules.filter(({ key }) => key.fields.length > 0)
  const stage = (some: readonly Rule[]): Stage | null => (some.length === 0 ? null : makeAdmit(some, parts))
  return {
    before: stage(rules.filter(({ key }) => !key.isByUser && key.fields.length === 0)),
    after: stage(rules.filter(({ key }) => key.isByUser && key.fields.length === 0)),
    body: byBody.length === 0 ? null : makeBodyAdmit(byBody, parts),
  }
}
