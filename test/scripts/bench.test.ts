// What the benchmark says of its measurements, without measuring: options, medians, goals, tables, chart, its page.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { chart } from '../bench/chart.ts'
import { cpuSeconds, residentBytes, treeOf } from '../bench/cpu.ts'
import type { Sample } from '../bench/measure.ts'
import { readOptions } from '../bench/options.ts'
import { sections } from '../bench/report.ts'
import { goalOutcomes, makeRow, type Results } from '../bench/results.ts'
import { GOALS, SCENARIOS } from '../bench/scenarios.ts'

const sample = (value: number, p50: number | null = null): Sample => ({
  ...{ value, perSecond: 10, busy: 0.5, p50, p99: p50, residentBytes: 2 ** 20 },
})

const results: Results = {
  ...{ machine: 'a machine', node: '26', pinned: true, upstream: 'nginx', versions: { nginx: '1' } },
  scenarios: {
    plain: {
      ...{ at: '2026-01-02T03:04:05Z', seconds: 1, rounds: 3, loadBefore: 0, notes: ['Caddy is left out: why.'] },
      rows: [makeRow('portcullis', [sample(70), sample(10), sample(65)]), makeRow('nginx', [sample(100, 1.5)])],
      direct: { p50: 0.1, p99: 0.2 },
    },
  },
}

t.test('options', async (t) => {
  t.match(readOptions([]), { seconds: 4, rounds: 5, last: false })
  t.same(
    readOptions(['--only', 'plain,idle', '--peers', 'nginx'])?.scenarios.map(({ name }) => name),
    ['plain', 'idle'],
  )
  t.equal(readOptions(['--help']), null)
  t.throws(() => readOptions(['--only', 'plane']), /--only does not know "plane": plain/)
  t.throws(() => readOptions(['--seconds', '0']), /--seconds takes a whole number/)
})

t.test('rows are medians, and every figure that is missing stays missing', async (t) => {
  const row = makeRow('x', [sample(3, 9), sample(1), sample(2, 11)])
  t.match(row, { median: { value: 2, p50: 10 }, range: [1, 3] })
  t.equal(makeRow('x', [sample(1)]).median.p50, null)
})

t.test('goals compare rows, and name what they compare', async (t) => {
  const outcomes = goalOutcomes(results)
  t.match(outcomes[0], { found: 0.65, isMet: true, wanted: 'at least 0.6' })
  t.match(outcomes[1], { found: null, isMet: false })
  for (const goal of GOALS) {
    const labels = SCENARIOS.find(({ name }) => name === goal.scenario)?.contenders.map(({ label }) => label) ?? []
    t.ok(labels.includes(goal.row) && (goal.against === null || labels.includes(goal.against)), goal.text)
  }
})

t.test('tables and chart', async (t) => {
  const made = sections(results)
  t.match(made.get('plain'), /\| \*\*portcullis\*\* \| 65\.0 \| 0\.65 \|[^\n]*\n/)
  t.match(made.get('plain'), /Caddy is left out: why\./)
  t.match(made.get('goals'), /GET 1 KB against nginx \| at least 0\.6 \| 0\.65 \| met/)
  t.notMatch(made.get('goals'), /Caddy/, 'what was not measured is not judged')
  const svg = chart(results)
  t.equal(svg.match(/<rect x=/g)?.length, 2, 'a bar for each contender')
  t.match(svg, />0\.65</)
})

t.test('the page has a place for every section', async (t) => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/performance.md'), 'utf8')
  for (const name of ['machine', 'goals', 'messages', ...SCENARIOS.map((each) => each.name)]) {
    const [from, to] = [page.indexOf(`<!-- bench:${name} -->`), page.indexOf(`<!-- /bench:${name} -->`)]
    t.ok(from !== -1 && to > from, name)
  }
})

t.test('processor time and memory are those of all descendants', async (t) => {
  const burn = 'const end = process.cpuUsage().user + 2e5; while (process.cpuUsage().user < end); console.log(1)'
  const child = spawn(
    '/bin/sh',
    ['-c', '"$@"; :', 'sh', process.execPath, '-e', `${burn}; setInterval(() => {}, 1000)`],
    {
      stdio: ['ignore', 'pipe', 'inherit'],
      detached: true,
    },
  )
  t.teardown(() => process.kill(-child.pid!, 'SIGKILL'))
  await once(child.stdout, 'data')
  t.equal(treeOf(child.pid!).length, 2)
  t.ok(cpuSeconds(child.pid!) >= 0.15, 'the shell itself has used none')
  t.ok(residentBytes(child.pid!) > 20 * 2 ** 20)
})
