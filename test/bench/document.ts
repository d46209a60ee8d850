/** Puts results into docs/performance.md, between the markers of their sections, and draws its chart. */
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { chart } from './chart.ts'
import { sections } from './report.ts'
import type { Results } from './results.ts'

const DOCS = resolve(import.meta.dirname, '../../docs')
const DOCUMENT = resolve(DOCS, 'performance.md')
const CHART = resolve(DOCS, 'performance.svg')

/** Replaces what stands between `<!-- bench:NAME -->` and `<!-- /bench:NAME -->`. Throws where a marker is missing. */
export function fillDocument(text: string, made: ReadonlyMap<string, string>): string {
  let filled = text
  for (const [name, section] of made) {
    const [begin, end] = [`<!-- bench:${name} -->`, `<!-- /bench:${name} -->`]
    const [from, to] = [filled.indexOf(begin), filled.indexOf(end)]
    if (from === -1 || to < from) throw new Error(`docs/performance.md has no place for "${name}": ${begin} ... ${end}`)
    filled = `${filled.slice(0, from + begin.length)}\n${section}\n${filled.slice(to)}`
  }
  return filled
}

export function writeDocument(results: Results): void {
  writeFileSync(DOCUMENT, fillDocument(readFileSync(DOCUMENT, 'utf8'), sections(results)))
  writeChart(results)
}

export function writeChart(results: Results): void {
  writeFileSync(CHART, chart(results))
}
