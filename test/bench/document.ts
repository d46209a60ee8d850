/** Puts results into docs/performance.md, between the markers of their sections, and draws its chart. */
import { writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { chart } from './chart.ts'
import { writeSection } from './marked-section.ts'
import { sections } from './report.ts'
import type { Results } from './results.ts'

const DOCUMENT = 'docs/performance.md'
const CHART = resolve(import.meta.dirname, '../../docs/performance.svg')

/** Throws where the document has no place for a section: `<!-- bench:NAME -->` to `<!-- /bench:NAME -->`. */
export function writeDocument(results: Results): void {
  for (const [name, text] of sections(results)) writeSection(DOCUMENT, `bench:${name}`, text)
  writeChart(results)
}

export function writeChart(results: Results): void {
  writeFileSync(CHART, chart(results))
}
