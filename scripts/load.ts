/**
 * `npm run load`: puts load on a running gateway and prints what it did with it. It starts nothing and judges nothing;
 * the exit code says only whether the measurement could be made.
 */
import autocannon from 'autocannon'
import { type LoadArguments, readArguments, USAGE } from './load/arguments.ts'
import { examineTarget } from './load/preflight.ts'
import { SCENARIOS, type Scenario } from './load/scenarios.ts'
import { formatTable, type Row } from './load/table.ts'

async function measure(scenario: Scenario, asked: LoadArguments): Promise<Row> {
  const result = await autocannon({
    url: new URL(scenario.path, asked.url).href,
    connections: asked.connections,
    duration: asked.seconds,
    method: scenario.method,
    headers: scenario.headers,
    ...(scenario.body === null ? {} : { body: scenario.body }),
    ...(scenario.isPaced && asked.rate > 0 ? { overallRate: asked.rate } : {}),
  })
  const statusCounts: Record<string, number> = {}
  for (const [code, { count }] of Object.entries(result.statusCodeStats)) statusCounts[code] = count
  return {
    title: scenario.title,
    about: scenario.about,
    perSecond: result.requests.average,
    latency: result.latency,
    statusCounts,
    // autocannon counts a timeout among the errors already.
    errors: result.errors,
  }
}

async function main(): Promise<number> {
  let asked: LoadArguments | null
  try {
    asked = readArguments(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    return 2
  }
  if (asked === null) {
    console.log(USAGE)
    return 0
  }
  const problem = await examineTarget(asked.url, asked.isLoopback)
  if (problem !== null) {
    console.error(problem)
    return 1
  }
  const rows: Row[] = []
  for (const name of asked.scenarios) {
    const scenario: Scenario = SCENARIOS[name]
    console.error(`${scenario.title}: ${scenario.method} ${scenario.path}, ${asked.seconds} s ...`)
    rows.push(await measure(scenario, asked))
  }
  console.log(`\n${asked.url.origin}, ${asked.connections} connections\n\n${formatTable(rows)}`)
  return 0
}

process.exitCode = await main()
