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

/** Each named limit once, in the order of the names. They lead somewhere: that was checked. */
export function compileRules(names: readonly string[], config: Configuration, standing: Standing): Rule[] {
  const { store, fields: _fields, bans: _bans, ...limits } = config.limits
  const caps = (name: string, max: number) => capsOf(standing, name, max)
  return [...new Set(names)].map((name) =>
    compileRule(name, (limits as Record<string, LimitConfig>)[name]!, standing.store, store, caps),
  )
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
