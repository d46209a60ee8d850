/** Runs one scenario: starts its contenders, checks that they do the same work, and measures them in turn. */
import { rmSync, statSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { checkTarget } from './check.ts'
import { type Ground, idleSockets, measure, measureDirect, type Sample, warmUp } from './measure.ts'
import { type Contender, missing, type PeerName, startTarget, type Target } from './peers.ts'
import { has } from './programs.ts'
import { makeRow, median, type ScenarioResult } from './results.ts'
import type { Scenario } from './scenarios.ts'

export interface RoundsOptions {
  readonly rounds: number
  readonly peers: readonly PeerName[]
  /** Processor of the proxy; null where nothing is pinned. */
  readonly proxyCpus: string | null
  readonly say: (text: string) => void
}

const WARM_SECONDS = 5
const MOST_IDLE_ROUNDS = 3
/** Every access log is written by then. */
const LOG_MS = 1500
const LEAST_LINE_BYTES = 20

/** Null where nothing of it could be measured; what is missing was said then. */
export async function runScenario(
  ground: Ground,
  scenario: Scenario,
  options: RoundsOptions,
): Promise<ScenarioResult | null> {
  const notes: string[] = []
  const entrants = scenario.contenders.filter((entrant) => {
    if (!options.peers.includes(entrant.peer)) return false
    const reason = lacking(ground, entrant)
    if (reason !== null) notes.push(`${entrant.label} is left out: ${reason}.`)
    return reason === null
  })
  if (scenario.kind === 'idle' && idleSockets(scenario) < scenario.sockets) {
    notes.push(`${idleSockets(scenario)} sockets of ${scenario.sockets}: more files may not be open here.`)
  }
  for (const line of notes) options.say(`  ${line}`)
  if (scenario.kind === 'http' && !has('h2load')) {
    options.say('  left out: h2load is not installed (nghttp2-client on Debian)')
    return null
  }
  if (entrants.length === 0) return null
  if (scenario.kind === 'http' && scenario.post !== null) {
    writeFileSync(join(ground.place.folder, `${scenario.name}.json`), scenario.post)
  }
  // Each takes long, and memory hardly differs from one to the next.
  const rounds = scenario.kind === 'idle' ? Math.min(options.rounds, MOST_IDLE_ROUNDS) : options.rounds
  const loadBefore = loadavg()[0]!
  const samples =
    scenario.kind === 'idle'
      ? await measureFresh(ground, scenario, entrants, { ...options, rounds })
      : await measureInTurn(ground, scenario, entrants, options)
  const direct = await directLatency(ground, scenario, rounds)
  return {
    at: new Date().toISOString(),
    seconds: ground.seconds,
    rounds,
    loadBefore,
    rows: entrants.map((entrant, i) => makeRow(entrant.label, samples[i]!)),
    notes,
    direct,
  }
}

function lacking(ground: Ground, entrant: Contender): string | null {
  if (entrant.variant.limit === 'redis' && ground.redis === null) return 'redis-server is not installed'
  return missing(entrant)
}

/** All stand at once, and only one of them is under load. */
async function measureInTurn(
  ground: Ground,
  scenario: Scenario,
  entrants: readonly Contender[],
  { rounds, proxyCpus, say }: RoundsOptions,
): Promise<Sample[][]> {
  const targets: Target[] = []
  let current: Target | null = null
  const samples: Sample[][] = entrants.map(() => [])
  try {
    for (const entrant of entrants) {
      const target = await startTarget(ground.place, entrant, proxyCpus)
      targets.push(target)
      await checkTarget(ground.place, scenario, target)
      await warmUp(ground, scenario, target, WARM_SECONDS)
    }
    for (let round = 1; round <= rounds; round++) {
      for (const [i, target] of targets.entries()) {
        current = target
        const before = logBytes(target)
        const sample = await measure(ground, scenario, target)
        samples[i]!.push(sample)
        say(`  ${round}/${rounds} ${target.contender.label}: ${Math.round(sample.value)} (${share(sample)})`)
        if (scenario.kind === 'http') await checkLog(target, logBytes(target) - before, sample, ground.seconds)
      }
    }
  } catch (error) {
    throw targets.length === 0 ? error : withWords(error, current ?? targets.at(-1)!)
  } finally {
    await stopAll(targets)
  }
  return samples
}

/** A process that has held many sockets has grown already: each measurement gets a new one. */
async function measureFresh(
  ground: Ground,
  scenario: Scenario,
  entrants: readonly Contender[],
  { rounds, proxyCpus, say }: RoundsOptions,
): Promise<Sample[][]> {
  const samples: Sample[][] = entrants.map(() => [])
  for (let round = 1; round <= rounds; round++) {
    for (const [i, entrant] of entrants.entries()) {
      const target = await startTarget(ground.place, entrant, proxyCpus)
      try {
        const sample = await measure(ground, scenario, target)
        samples[i]!.push(sample)
        say(`  ${round}/${rounds} ${entrant.label}: ${sample.value.toFixed(1)} KB`)
      } catch (error) {
        throw withWords(error, target)
      } finally {
        await stopAll([target])
      }
    }
  }
  return samples
}

/** The error with what the contender wrote last. */
function withWords(error: unknown, { contender, program }: Target): Error {
  return new Error(`${(error as Error).message}\n${contender.label} said: ${program.said()}`)
}

async function directLatency(ground: Ground, scenario: Scenario, rounds: number): Promise<ScenarioResult['direct']> {
  if (scenario.kind !== 'http' || scenario.rate === 0) return null
  const results = []
  for (let round = 0; round < rounds; round++) results.push(await measureDirect(ground, scenario))
  return { p50: median(results.map(({ p50 }) => p50)), p99: median(results.map(({ p99 }) => p99)) }
}

async function checkLog(target: Target, grown: number, { perSecond }: Sample, seconds: number): Promise<void> {
  const least = perSecond! * seconds * LEAST_LINE_BYTES
  if (grown >= least) return
  // The last lines may wait in a buffer yet.
  const size = logBytes(target)
  await sleep(LOG_MS)
  if (grown + logBytes(target) - size < least) throw new Error(`${target.contender.label} writes no access log`)
}

function logBytes({ accessPath }: Target): number {
  return statSync(accessPath, { throwIfNoEntry: false })?.size ?? 0
}

async function stopAll(targets: readonly Target[]): Promise<void> {
  await Promise.all(targets.map(({ program }) => program.stop()))
  // Gigabytes, after some scenarios.
  for (const { accessPath } of targets) rmSync(accessPath, { force: true })
}

function share({ busy }: Sample): string {
  return `${Math.round((busy ?? 0) * 100)} % of a processor`
}
