/** Results as Markdown: one section for each scenario, one for the goals, one for what it ran on. */
import { goalOutcomes, type Results, type Row, type ScenarioResult } from './results.ts'
import { SCENARIOS, type Scenario } from './scenarios.ts'

const MB = 1024 * 1024

/** Section name to text; names stand in the markers of the document. */
export function sections(results: Results): Map<string, string> {
  const made = new Map<string, string>([
    ['machine', machine(results)],
    ['goals', goals(results)],
  ])
  for (const scenario of SCENARIOS) {
    const result = results.scenarios[scenario.name]
    if (result !== undefined) made.set(scenario.name, section(scenario, result))
  }
  return made
}

function machine({ machine: name, node, pinned, upstream, versions }: Results): string {
  const peers = Object.entries(versions).map(([peer, version]) => `${peer} ${version}`)
  return [
    `${name}; Node ${node}; ${peers.join(', ')}.`,
    `Upstream: ${upstream}. ${pinned ? 'The proxy has a processor to itself.' : 'Nothing was pinned to a processor.'}`,
  ].join('\n')
}

function goals(results: Results): string {
  const measured = goalOutcomes(results).filter(({ found }) => found !== null)
  const rows = measured.map(({ text, wanted, found, isMet }) => [
    text,
    wanted,
    found!.toFixed(2),
    isMet ? 'met' : '**missed**',
  ])
  return table(['goal', 'wanted', 'measured', ''], rows)
}

function section(scenario: Scenario, result: ScenarioResult): string {
  const base = result.rows.find((row) => row.label === scenario.base)?.median.value ?? null
  const hasLatency = result.rows.some(({ median }) => median.p50 !== null)
  const isIdle = scenario.kind === 'idle'
  const head = [
    '',
    isIdle ? 'KB for each' : `${scenario.unit} per CPU second`,
    `${scenario.base} = 1`,
    'range',
    ...(isIdle ? [] : ['CPU']),
    ...(hasLatency ? ['p50', 'p99'] : []),
    'RSS',
  ]
  const cells = ({ label, median, range }: Row): string[] => [
    label.startsWith('portcullis') ? `**${label}**` : label,
    figure(median.value),
    base === null ? '-' : (median.value / base).toFixed(2),
    `${figure(range[0])} to ${figure(range[1])}`,
    ...(isIdle ? [] : [`${Math.round((median.busy ?? 0) * 100)} %`]),
    ...(hasLatency ? [ms(median.p50), ms(median.p99)] : []),
    `${Math.round(median.residentBytes / MB)} MB`,
  ]
  const rows = result.rows.toSorted((a, b) => (b.median.value - a.median.value) * (isIdle ? -1 : 1)).map(cells)
  const { direct } = result
  if (direct !== null) rows.push(['(no proxy)', '', '', '', '', ms(direct.p50), ms(direct.p99), ''])
  const paced = scenario.kind === 'http' && hasLatency ? ` Latency at ${scenario.rate} requests a second.` : ''
  const when = `Medians of ${result.rounds} rounds of ${result.seconds} s, ${result.at.slice(0, 10)}.`
  const busy =
    result.loadBefore > BUSY_LOAD ? ` Other work ran on the machine (load ${result.loadBefore.toFixed(1)}).` : ''
  return [`${scenario.about}${paced}`, table(head, rows), [when + busy, ...result.notes].join(' ')].join('\n\n')
}

/** Load average above which figures are not to be trusted: said beside them. */
const BUSY_LOAD = 1

function figure(value: number): string {
  return value < 100 ? value.toFixed(1) : Math.round(value).toLocaleString('en')
}

function ms(value: number | null): string {
  return value === null ? '' : `${value.toFixed(2)} ms`
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(head), line(head.map((_, i) => (i === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n')
}

/** All sections one after the other, for reading. */
export function markdown(results: Results): string {
  const titles = new Map<string, string>(SCENARIOS.map(({ name, title }) => [name, title]))
  return [...sections(results)]
    .map(([name, text]) => `## ${titles.get(name) ?? name[0]!.toUpperCase() + name.slice(1)}\n\n${text}\n`)
    .join('\n')
}
