/** Limits as a configuration gives them, and what an admission needs around it, for the tests of the limits. */
import type { LimitConfig, StoreConfig } from '../../src/config/shape.ts'
import type { CounterStore, Metrics } from '../../src/exchange/contracts.ts'
import type { AdmitParts } from '../../src/limits/admission.ts'
import { compileRule, type Rule } from '../../src/limits/rule.ts'

export const STORE = { onOutage: 'local', ipv6Prefix: 64 } as StoreConfig

export function limit(points: number, more: Partial<LimitConfig> = {}): LimitConfig {
  return {
    by: ['address'],
    missing: 'together',
    ipv6Prefix: undefined,
    rate: { points, windowMs: 60_000 },
    burst: 0,
    block: [0],
    forgive: 86_400_000,
    penalties: {},
    concurrent: undefined,
    known: undefined,
    exempt: [],
    deny: [],
    dryRun: false,
    dryRunShown: false,
    onOutage: undefined,
    ...more,
  }
}

export function rule(name: string, config: LimitConfig, store: CounterStore, storeConfig = STORE): Rule {
  return compileRule(name, config, store, storeConfig)
}

export interface Told {
  readonly rule: string
  readonly kind: string
  readonly waitMs: number
}

/** `told`: what the admission says of its refusals. */
export function admitParts(
  store: CounterStore,
  metrics: Metrics,
  more: Partial<AdmitParts> = {},
): AdmitParts & { readonly told: Told[] } {
  const told: Told[] = []
  return {
    ...{ store, metrics, fields: 'ietf', told },
    events: { onRefusal: (_x, { name }, kind, waitMs) => told.push({ rule: name, kind, waitMs }) },
    ...more,
  }
}
