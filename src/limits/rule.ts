/**
 * One limit of the configuration, ready for the data path: whom it counts under which key, its counter, and what happens
 * to those who go over. It knows the exchange and no store.
 */
import type { LimitConfig, StoreConfig } from '../config/shape.ts'
import { AddressCaps } from '../exchange/address-caps.ts'
import type { Counter, CounterStore } from '../exchange/contracts.ts'
import { makeCidrMatcher } from '../http/address.ts'
import { Key } from './key.ts'
import { Known } from './known.ts'
import { compileLimit, type Limiter } from './limiter.ts'
import { ruleText } from './rule-text.ts'
import { Tarpit } from './tarpit.ts'

type IsMember = (address: string) => boolean

export interface BanAfter {
  readonly after: number
  readonly forMs: number
  /** Refusals of all processes, and the store that it belongs to. */
  readonly refusals: Counter
  readonly store: CounterStore
}

export interface Rule {
  readonly name: string
  /** In one line, for people. */
  readonly text: string
  readonly key: Key
  readonly limiter: Limiter
  /** Addresses that are refused without a count; null: none. */
  readonly isDenied: IsMember | null
  /** Addresses that are neither counted nor refused; null: none. */
  readonly isExempt: IsMember | null
  /** What runs at this moment under one key; null: no bound. */
  readonly running: AddressCaps | null
  /** Points by status of the answer; null: none. */
  readonly penalties: ReadonlyMap<number, number> | null
  readonly tarpit: Tarpit | null
  /** Clients that have a count of their own; null: nobody has. */
  readonly known: Known | null
  readonly ban: BanAfter | null
  /** Counted and logged, never refused. */
  readonly isDry: boolean
  /** False where the client is not told of the rule. */
  readonly isShown: boolean
}

/** Builds a rule at load. Throws nothing: the shape has checked the values. `caps` keeps counts of what runs over reloads. */
export function compileRule(
  name: string,
  config: LimitConfig,
  store: CounterStore,
  storeConfig: StoreConfig,
  caps: (name: string, max: number) => AddressCaps = (_name, max) => new AddressCaps(max),
): Rule {
  const { exempt, deny, concurrent, tarpit, known, ban, dryRun } = config
  const statuses = Object.entries(config.penalties).map(([status, points]): [number, number] => [
    Number(status),
    points,
  ])
  return Object.freeze<Rule>({
    name,
    text: ruleText(config),
    key: new Key(config.by, config.missing === 'skip', config.ipv6Prefix ?? null),
    limiter: compileLimit(name, config, store, storeConfig),
    isDenied: deny.length === 0 ? null : makeCidrMatcher(deny),
    isExempt: exempt.length === 0 ? null : makeCidrMatcher(exempt),
    running: concurrent === undefined ? null : caps(`limit ${name}`, concurrent),
    penalties: statuses.length === 0 ? null : new Map(statuses),
    known: known === undefined ? null : new Known(name, store, known.for, known.statuses),
    tarpit: tarpit === undefined ? null : new Tarpit(tarpit.delay, tarpit.max),
    ban: ban === undefined ? null : banAfter(name, ban, store),
    isDry: dryRun,
    isShown: !dryRun || config.dryRunShown,
  })
}

function banAfter(
  name: string,
  { after, within, for: forMs }: NonNullable<LimitConfig['ban']>,
  store: CounterStore,
): BanAfter {
  // No limit's name has a dot.
  const counted = { name: `${name}.refusals`, points: after, windowMs: within, blocks: [], onOutage: 'local' } as const
  return { after, forMs, refusals: store.counter(counted), store }
}
