/** The results of a benchmark: their shape, their medians, and the folder where they stay, outside version control. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import type { Sample } from './measure.ts'
import { GOALS } from './scenarios.ts'

const FOLDER = resolve(import.meta.dirname, '../../bench-results')
const LATEST = join(FOLDER, 'latest.json')

export interface Row {
  readonly label: string
  /** Median of each figure over the rounds. */
  readonly median: Sample
  /** Least and greatest value. */
  readonly range: readonly [number, number]
  readonly samples: readonly Sample[]
}

export interface ScenarioResult {
  /** ISO time of the end. */
  readonly at: string
  readonly seconds: number
  readonly rounds: number
  /** Load average of the machine before it began: what else ran. */
  readonly loadBefore: number
  readonly rows: readonly Row[]
  /** What else is to be known: who did not take part, and why. */
  readonly notes: readonly string[]
  /** Milliseconds at the fixed rate straight to the upstream. */
  readonly direct: { readonly p50: number; readonly p99: number } | null
}

export interface Results {
  readonly machine: string
  readonly node: string
  readonly pinned: boolean
  readonly upstream: string
  readonly versions: Readonly<Record<string, string>>
  readonly scenarios: Readonly<Record<string, ScenarioResult>>
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2
}

function medianOf(samples: readonly Sample[], figure: keyof Sample): number | null {
  const values = samples.map((sample) => sample[figure]).filter((value) => value !== null)
  return values.length === 0 ? null : median(values)
}

export function makeRow(label: string, samples: readonly Sample[]): Row {
  const values = samples.map(({ value }) => value)
  return {
    label,
    median: {
      value: median(values),
      perSecond: medianOf(samples, 'perSecond'),
      busy: medianOf(samples, 'busy'),
      p50: medianOf(samples, 'p50'),
      p99: medianOf(samples, 'p99'),
      residentBytes: medianOf(samples, 'residentBytes')!,
    },
    range: [Math.min(...values), Math.max(...values)],
    samples,
  }
}

export interface GoalOutcome {
  readonly text: string
  readonly wanted: string
  /** Null: not measured. */
  readonly found: number | null
  readonly isMet: boolean
}

export function goalOutcomes(results: Results): GoalOutcome[] {
  return GOALS.map((goal) => {
    const rows = results.scenarios[goal.scenario]?.rows ?? []
    const valueIn = (label: string) => rows.find((row) => row.label === label)?.median.value ?? null
    const own = valueIn(goal.row)
    const other = goal.against === null ? 1 : valueIn(goal.against)
    const found = own === null || other === null ? null : own / other
    const isMet = found !== null && found >= (goal.least ?? -Infinity) && found <= (goal.most ?? Infinity)
    const wanted = goal.least === undefined ? `at most ${goal.most}` : `at least ${goal.least}`
    return { text: goal.text, wanted, found, isMet }
  })
}

/** The newest result of each scenario; null where nothing was measured yet. */
export function readLatest(): Results | null {
  return existsSync(LATEST) ? (JSON.parse(readFileSync(LATEST, 'utf8')) as Results) : null
}

/**
 * Keeps a run by its time. Where all contenders took part (`isWhole`), also in `latest.json`, beside the scenarios that it
 * did not measure. Returns what `latest.json` would then hold.
 */
export function keep(results: Results, tables: string, isWhole: boolean): Results {
  const merged = { ...results, scenarios: { ...readLatest()?.scenarios, ...results.scenarios } }
  mkdirSync(FOLDER, { recursive: true })
  const name = new Date().toISOString().replace(/[:.]/g, '-')
  writeFileSync(join(FOLDER, `${name}.json`), JSON.stringify(results, null, 2))
  writeFileSync(join(FOLDER, `${name}.md`), tables)
  if (isWhole) writeFileSync(LATEST, JSON.stringify(merged, null, 2))
  return merged
}
