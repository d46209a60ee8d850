/** The result of the load scenarios as a table that fits a terminal. Pure: numbers in, text out. */

export interface Row {
  readonly title: string
  readonly about: string
  readonly perSecond: number
  /** Milliseconds. */
  readonly latency: { readonly p50: number; readonly p97_5: number; readonly p99: number; readonly max: number }
  readonly statusCounts: Readonly<Record<string, number>>
  /** Connections that broke, and requests without an answer in time. */
  readonly errors: number
}

const HEADS = ['scenario', 'req/s', 'p50 ms', 'p97.5', 'p99', 'max', '2xx', '3xx', '4xx', '5xx', '429', 'errors']

function sumOf(row: Row, first: string): number {
  return Object.entries(row.statusCounts).reduce((sum, [code, count]) => sum + (code[0] === first ? count : 0), 0)
}

function cells(row: Row): string[] {
  const total = Object.values(row.statusCounts).reduce((sum, count) => sum + count, 0)
  const limited = row.statusCounts['429'] ?? 0
  const { p50, p97_5, p99, max } = row.latency
  return [
    row.title,
    Math.round(row.perSecond).toString(),
    ...[p50, p97_5, p99, max].map((value) => (value < 1 ? '<1' : Math.round(value).toString())),
    ...['2', '3', '4', '5'].map((first) => sumOf(row, first).toString()),
    total === 0 ? '-' : `${((100 * limited) / total).toFixed(1)}%`,
    row.errors.toString(),
  ]
}

export function formatTable(rows: readonly Row[]): string {
  const lines = [HEADS, ...rows.map(cells)]
  const widths = HEADS.map((_, column) => Math.max(...lines.map((line) => line[column]!.length)))
  const text = lines.map((line) =>
    line.map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!))).join('  '),
  )
  text.splice(1, 0, widths.map((width) => '-'.repeat(width)).join('  '))
  const notes = rows.map((row) => `${row.title}: ${row.about}`)
  return [...text, '', ...notes].join('\n')
}
