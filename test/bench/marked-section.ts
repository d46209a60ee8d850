/** Writes the figures of a benchmark into a document, between two markers, and nothing else of it. */
import { readFileSync, writeFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { join } from 'node:path'

const ROOT = join(import.meta.dirname, '../..')

/** Replaces what stands between `<!-- name -->` and `<!-- /name -->`. Throws where the markers are missing. */
export function writeSection(document: string, name: string, text: string): void {
  const path = join(ROOT, document)
  const before = readFileSync(path, 'utf8')
  const from = before.indexOf(`<!-- ${name} -->`)
  const to = before.indexOf(`<!-- /${name} -->`)
  if (from === -1 || to < from) throw new Error(`${document} has no place for ${name}`)
  writeFileSync(path, `${before.slice(0, from)}<!-- ${name} -->\n\n${text.trim()}\n\n${before.slice(to)}`)
}

/** A Markdown table. */
export function table(heads: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(heads), line(heads.map(() => '---')), ...rows.map(line)].join('\n')
}

/** What it was measured on, one sentence. */
export function machine(): string {
  const processors = cpus()
  const gigabytes = Math.round(totalmem() / 2 ** 30)
  return `${processors.length} processors (${processors[0]?.model ?? 'unknown'}), ${gigabytes} GB, Node ${process.version}`
}
