/**
 * `npm run bench`: the gateway beside nginx, HAProxy, Caddy, `@fastify/http-proxy` and `http-proxy`, equally configured, in
 * work per second of processor time. Everything stays on loopback and ends with the run.
 */
import { cpus, totalmem } from 'node:os'
import { type RedisProcess, startRedis } from '../kit/redis.ts'
import { writeChart, writeDocument } from './document.ts'
import { type Options, readOptions, USAGE } from './options.ts'
import { PEER_NAMES, TITLES, versions } from './peers.ts'
import { makeFolder, type Place, removeFolder, securityHeaders } from './place.ts'
import { has, splitCores } from './programs.ts'
import { markdown } from './report.ts'
import { keep, type Results, readLatest, type ScenarioResult } from './results.ts'
import { runScenario } from './rounds.ts'
import { startUpstream } from './upstream.ts'

const GB = 1024 ** 3
const say = (text: string): void => console.error(text)

async function measureAll({ seconds, rounds, scenarios, peers }: Options): Promise<Results> {
  const cores = splitCores()
  if (cores === null) say('Nothing is pinned to a processor: that needs taskset and two processors.')
  const files = await makeFolder()
  process.on('exit', () => removeFolder(files.folder))
  const needsRedis = scenarios.some(({ contenders }) => contenders.some(({ variant }) => variant.limit === 'redis'))
  const redis: RedisProcess | null = needsRedis && has('redis-server') ? await startRedis() : null
  const upstream = await startUpstream(files.folder)
  const { sitePort, socketPort, isNginx } = upstream
  const place: Place = { ...files, sitePort, socketPort, redisPort: redis?.port ?? 0, headers: securityHeaders() }
  const found: Record<string, ScenarioResult> = {}
  try {
    for (const scenario of scenarios) {
      say(scenario.title)
      const options = { rounds, peers, proxyCpus: cores?.proxy ?? null, say }
      try {
        const result = await runScenario({ place, redis, seconds }, scenario, options)
        if (result !== null) found[scenario.name] = result
      } catch (error) {
        // What the other scenarios found stays good.
        say(`  not measured: ${(error as Error).message}`)
        process.exitCode = 1
      }
    }
  } finally {
    await upstream.stop()
    await redis?.kill()
  }
  const [cpu] = cpus()
  return {
    machine: `${cpus().length} × ${cpu?.model.trim()}, ${Math.round(totalmem() / GB)} GB`,
    node: process.versions.node,
    pinned: cores !== null,
    upstream: isNginx ? 'nginx, plain HTTP/1.1' : 'Node, plain HTTP/1.1',
    versions: Object.fromEntries(
      Object.entries(versions()).map(([peer, version]) => [TITLES[peer as 'nginx'], version]),
    ),
    scenarios: found,
  }
}

async function main(): Promise<number> {
  let options: Options | null
  try {
    options = readOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`)
    return 2
  }
  if (options === null) {
    console.log(USAGE)
    return 0
  }
  let results: Results | null
  if (options.last) {
    results = readLatest()
    if (results === null) {
      console.error('Nothing was measured yet: run it without --last first.')
      return 1
    }
  } else {
    const measured = await measureAll(options)
    results = keep(measured, markdown(measured), options.peers.length === PEER_NAMES.length)
    if (!options.markdown) console.log(markdown(measured))
  }
  if (options.markdown) console.log(markdown(results))
  if (options.document) writeDocument(results)
  else if (options.chart) writeChart(results)
  return 0
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
// Sockets of ended clients must not hold the command back.
process.exit((await main()) || process.exitCode)
