/** A log and metrics that remember, for the tests of the limits. */
import type { Metrics } from '../../src/exchange/contracts.ts'
import type { StoreLog } from '../../src/limits/redis-link.ts'

export interface Counting {
  readonly lines: [string, string][]
  readonly log: StoreLog
  readonly metrics: Metrics
  /** Counts by label. */
  labels(name: string): Map<string, number>
}

export function makeCounting(): Counting {
  const lines: [string, string][] = []
  const counts = new Map<string, Map<string, number>>()
  const labels = (name: string): Map<string, number> => {
    const known = counts.get(name) ?? new Map<string, number>()
    counts.set(name, known)
    return known
  }
  return {
    lines,
    labels,
    log: (level, message) => lines.push([level, message]),
    metrics: { count: (name, label) => labels(name).set(label, (labels(name).get(label) ?? 0) + 1) },
  }
}
