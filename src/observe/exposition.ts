/** Counters, gauges and histograms, and their text form for Prometheus (exposition format 0.0.4). Knows no gateway. */

/** Values of one label that are kept apart; further ones are counted together as `other`. */
const MAX_LABELS = 500
const OTHER = 'other'
const MAX_LABEL_LENGTH = 128

export interface Family {
  write(): string
}

/** Counts by one label, or by two. */
export class Counter implements Family {
  readonly #name: string
  readonly #help: string
  readonly #label: string
  readonly #second: string | null
  /** By the first label; where there are two, by both with a line break between them. */
  readonly #values = new Map<string, number>()

  constructor(name: string, help: string, label: string, second: string | null = null) {
    this.#name = name
    this.#help = help
    this.#label = label
    this.#second = second
  }

  add(label: string, amount = 1, second = ''): void {
    const key = this.#second === null ? label : `${label}\n${second}`
    const value = this.#values.get(key)
    if (value !== undefined) this.#values.set(key, value + amount)
    else this.#addNew(key, amount)
  }

  #addNew(key: string, amount: number): void {
    const other = this.#second === null ? OTHER : `${OTHER}\n${OTHER}`
    const bounded =
      this.#values.size >= MAX_LABELS ? other : this.#second === null ? key.slice(0, MAX_LABEL_LENGTH) : key
    this.#values.set(bounded, (this.#values.get(bounded) ?? 0) + amount)
  }

  /** What was counted, by the values of its labels. */
  counted(): LabelledValue[] {
    return [...this.#values].map(([key, value]) => ({ labels: key.split('\n'), value }))
  }

  write(): string {
    let text = head(this.#name, this.#help, 'counter')
    for (const [key, value] of this.#values) text += `${this.#name}{${this.#labels(key)}} ${value}\n`
    return text
  }

  #labels(key: string): string {
    if (this.#second === null) return pair(this.#label, key)
    const at = key.lastIndexOf('\n')
    return `${pair(this.#label, key.slice(0, at))},${pair(this.#second, key.slice(at + 1))}`
  }
}

/** Counts by fixed upper bounds, and by one label. */
export class Histogram implements Family {
  readonly #name: string
  readonly #help: string
  readonly #label: string
  readonly #bounds: readonly number[]
  readonly #rows = new Map<string, HistogramRow>()

  /** `bounds` rise; the last bucket (+Inf) is added here. */
  constructor(name: string, help: string, label: string, bounds: readonly number[]) {
    this.#name = name
    this.#help = help
    this.#label = label
    this.#bounds = bounds
  }

  observe(label: string, value: number): void {
    const row = this.#rows.get(label) ?? this.#addRow(label)
    let bucket = 0
    while (bucket < this.#bounds.length && value > this.#bounds[bucket]!) bucket++
    row.counts[bucket]!++
    row.sum += value
  }

  #addRow(label: string): HistogramRow {
    const bounded = this.#rows.size < MAX_LABELS ? label.slice(0, MAX_LABEL_LENGTH) : OTHER
    const known = this.#rows.get(bounded)
    if (known !== undefined) return known
    const row = { counts: new Float64Array(this.#bounds.length + 1), sum: 0 }
    this.#rows.set(bounded, row)
    return row
  }

  write(): string {
    const name = this.#name
    let text = head(name, this.#help, 'histogram')
    for (const [label, row] of this.#rows) {
      const labels = pair(this.#label, label)
      let total = 0
      for (let i = 0; i < this.#bounds.length; i++) {
        total += row.counts[i]!
        text += `${name}_bucket{${labels},le="${this.#bounds[i]}"} ${total}\n`
      }
      total += row.counts[this.#bounds.length]!
      text += `${name}_bucket{${labels},le="+Inf"} ${total}\n${name}_sum{${labels}} ${row.sum}\n${name}_count{${labels}} ${total}\n`
    }
    return text
  }
}

interface HistogramRow {
  readonly counts: Float64Array
  sum: number
}

/** One number that is read when it is asked for. A reader that throws is left out of that text. */
export class Reading implements Family {
  readonly #name: string
  readonly #help: string
  readonly #type: 'gauge' | 'counter'
  readonly #read: () => number

  constructor(name: string, help: string, type: 'gauge' | 'counter', read: () => number) {
    this.#name = name
    this.#help = help
    this.#type = type
    this.#read = read
  }

  write(): string {
    try {
      return `${head(this.#name, this.#help, this.#type)}${this.#name} ${number(this.#read())}\n`
    } catch {
      return ''
    }
  }
}

/** One value of a family with labels, in the order of their names. */
export interface LabelledValue {
  readonly labels: readonly string[]
  readonly value: number
}

/** Numbers that are read at every scrape, one for each set of labels. */
export class Readings implements Family {
  readonly #name: string
  readonly #help: string
  readonly #labels: readonly string[]
  readonly #read: () => Iterable<LabelledValue>

  constructor(name: string, help: string, labels: readonly string[], read: () => Iterable<LabelledValue>) {
    this.#name = name
    this.#help = help
    this.#labels = labels
    this.#read = read
  }

  write(): string {
    let text = head(this.#name, this.#help, 'gauge')
    for (const { labels, value } of this.#read()) {
      text += `${this.#name}{${labels.map((each, at) => pair(this.#labels[at]!, each)).join(',')}} ${number(value)}\n`
    }
    return text
  }
}

export function head(name: string, help: string, type: 'counter' | 'gauge' | 'histogram'): string {
  return `# HELP ${name} ${help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')}\n# TYPE ${name} ${type}\n`
}

export function pair(name: string, value: string): string {
  const isPlain = /^[^\\"\n]*$/.test(value)
  const escaped = isPlain ? value : value.replaceAll('\\', '\\\\').replaceAll('"', '\\"').replaceAll('\n', '\\n')
  return `${name}="${escaped}"`
}

function number(value: number): string {
  if (Number.isNaN(value)) return 'NaN'
  return Number.isFinite(value) ? String(value) : value > 0 ? '+Inf' : '-Inf'
}
