/** Counts and times of the last 60 seconds, second by second, in one block of memory. Knows no request. */

const SECONDS = 60
const CLASSES = ['other', '1xx', '2xx', '3xx', '4xx', '5xx'] as const

export class LastMinute {
  readonly #bounds: readonly number[]
  /** For each second: classes of status, then buckets of time. */
  readonly #counts: Float64Array
  readonly #stamps = new Float64Array(SECONDS).fill(-1)
  readonly #width: number

  /** `bounds` of time in seconds, rising; what takes longer has a bucket of its own. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#width = CLASSES.length + bounds.length + 1
    this.#counts = new Float64Array(SECONDS * this.#width)
  }

  /** `nowMs` of a clock that never goes back; `seconds` negative: not timed. */
  observe(nowMs: number, status: number, seconds: number): void {
    const second = Math.floor(nowMs / 1000)
    const slot = second % SECONDS
    const at = slot * this.#width
    if (this.#stamps[slot] !== second) {
      this.#stamps[slot] = second
      this.#counts.fill(0, at, at + this.#width)
    }
    this.#counts[at + (status >= 100 && status < 600 ? Math.floor(status / 100) : 0)]!++
    if (seconds < 0) return
    let bucket = 0
    while (bucket < this.#bounds.length && seconds > this.#bounds[bucket]!) bucket++
    this.#counts[at + CLASSES.length + bucket]!++
  }

  /** Counts by class of status (those that are not 0), and of the times the bound under which each part of them lies. */
  read(nowMs: number, parts: readonly number[]): { byStatus: Record<string, number>; times: (number | null)[] } {
    const now = Math.floor(nowMs / 1000)
    const sums = new Float64Array(this.#width)
    for (let slot = 0; slot < SECONDS; slot++) {
      const age = now - this.#stamps[slot]!
      if (this.#stamps[slot]! < 0 || age >= SECONDS) continue
      for (let i = 0; i < this.#width; i++) sums[i]! += this.#counts[slot * this.#width + i]!
    }
    const byStatus: Record<string, number> = {}
    for (const [i, name] of CLASSES.entries()) if (sums[i]! > 0) byStatus[name] = sums[i]!
    const buckets = sums.subarray(CLASSES.length)
    return { byStatus, times: parts.map((part) => this.#boundOf(buckets, part)) }
  }

  #boundOf(buckets: Float64Array, part: number): number | null {
    const total = buckets.reduce((sum, each) => sum + each, 0)
    if (total === 0) return null
    let sum = 0
    for (const [i, count] of buckets.entries()) {
      sum += count
      if (sum >= total * part) return this.#bounds[i] ?? Number.POSITIVE_INFINITY
    }
    return Number.POSITIVE_INFINITY
  }
}
