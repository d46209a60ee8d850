/** One measurement of one contender: work done, processor time that its processes took for it, memory, latency. */
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { RedisProcess } from '../kit/redis.ts'
import { startClient } from './client.ts'
import { cpuSeconds, residentBytes } from './cpu.ts'
import { type HttpResult, runHttpLoad } from './load.ts'
import type { Target } from './peers.ts'
import type { Place } from './place.ts'
import { proxiedConnections } from './programs.ts'
import type { HttpScenario, IdleScenario, Scenario } from './scenarios.ts'

/** Null: not measured in this scenario. */
export interface Sample {
  /** The figure of the scenario: units per second of processor time; KB per socket for `idle`. */
  readonly value: number
  /** Units per second of the clock. */
  readonly perSecond: number | null
  /** Share of one processor that the proxy used. */
  readonly busy: number | null
  /** Milliseconds at the fixed rate. */
  readonly p50: number | null
  readonly p99: number | null
  /** Resident bytes after the load. */
  readonly residentBytes: number
}

export interface Ground {
  readonly place: Place
  readonly redis: RedisProcess | null
  readonly seconds: number
}

const PACED_CONNECTIONS = 10
const LANES = 8
/** Buffers of the opening are given back, timers of the opening have run. */
const SETTLE_SECONDS = 3
const KB = 1024

interface Done {
  readonly done: number
  readonly seconds: number
}

export async function measure(ground: Ground, scenario: Scenario, target: Target): Promise<Sample> {
  switch (scenario.kind) {
    case 'http':
      return measureHttp(ground, scenario, target)
    case 'idle':
      return measureIdle(idleSockets(scenario), target)
    case 'relay':
      return measureClient('socket-client.ts', target, ground.seconds, scenario.sockets, 'relay')
    case 'handshakes':
      return measureClient('handshake-client.ts', target, ground.seconds, LANES, scenario.mode)
  }
}

/** A short run that nobody counts: compilers and pools get warm. */
export async function warmUp(ground: Ground, scenario: Scenario, target: Target, seconds: number): Promise<void> {
  if (scenario.kind === 'idle') return
  if (scenario.kind === 'http') await runHttpLoad(httpLoad(ground, scenario, target, seconds, 0))
  else await measure({ ...ground, seconds }, scenario, target)
}

/** Latency of the upstream itself, without TLS and proxy. */
export function measureDirect(ground: Ground, scenario: HttpScenario): Promise<HttpResult> {
  const { sitePort } = ground.place
  const url = `http://127.0.0.1:${sitePort}${scenario.path(scenario.contenders[0]!)}`
  const load = httpLoad(ground, { ...scenario, streams: 0 }, null, pacedSeconds(ground), scenario.rate)
  return runHttpLoad({ ...load, url, otherUrl: null })
}

function pacedSeconds({ seconds }: Ground): number {
  return Math.max(2, Math.round(seconds / 2))
}

function httpLoad(ground: Ground, scenario: HttpScenario, target: Target | null, seconds: number, rate: number) {
  const { folder } = ground.place
  const path = target === null ? '' : scenario.path(target.contender)
  const url = `https://localhost:${target?.port}${path}`
  return {
    url,
    otherUrl: scenario.alternates ? `${url}?other` : null,
    seconds,
    connections: rate > 0 ? PACED_CONNECTIONS : scenario.connections,
    streams: scenario.streams,
    bodyPath: scenario.post === null ? null : join(folder, `${scenario.name}.json`),
    rate,
    scratchPath: join(folder, 'latency.log'),
  }
}

async function measureHttp(ground: Ground, scenario: HttpScenario, target: Target): Promise<Sample> {
  const { pid } = target.program
  const counts = target.contender.variant.limit === 'redis' ? ground.redis : null
  const countedBefore = counts === null ? 0 : await countedBy(counts)
  const cpuBefore = cpuSeconds(pid)
  const startedAt = performance.now()
  const result = await runHttpLoad(httpLoad(ground, scenario, target, ground.seconds, 0))
  const elapsed = (performance.now() - startedAt) / 1000
  const cpu = cpuSeconds(pid) - cpuBefore
  if (counts !== null) {
    const counted = (await countedBy(counts)) - countedBefore
    if (counted < result.requests) {
      throw new Error(`${target.contender.label} had ${counted} of ${result.requests} requests counted in Redis`)
    }
  }
  const resident = residentBytes(pid)
  const paced =
    scenario.rate === 0
      ? null
      : await runHttpLoad(httpLoad(ground, scenario, target, pacedSeconds(ground), scenario.rate))
  return {
    value: result.requests / cpu,
    perSecond: result.perSecond,
    busy: cpu / elapsed,
    p50: paced?.p50 ?? null,
    p99: paced?.p99 ?? null,
    residentBytes: resident,
  }
}

/** Counts that Redis has written: one for each counted request, however many of them share a call. */
async function countedBy(redis: RedisProcess): Promise<number> {
  const text = await redis.command('INFO commandstats')
  return [...text.matchAll(/cmdstat_(?:set|incr|incrby):calls=(\d+)/g)].reduce(
    (sum, found) => sum + Number(found[1]),
    0,
  )
}

async function measureClient(
  file: string,
  { port, program }: Target,
  seconds: number,
  count: number,
  mode: string,
): Promise<Sample> {
  const client = await startClient<Done>(file, { port, seconds, count, mode })
  try {
    const cpuBefore = cpuSeconds(program.pid)
    const result = await client.work()
    const cpu = cpuSeconds(program.pid) - cpuBefore
    return {
      value: result.done / cpu,
      perSecond: result.done / result.seconds,
      busy: cpu / result.seconds,
      p50: null,
      p99: null,
      residentBytes: residentBytes(program.pid),
    }
  } finally {
    await client.stop()
  }
}

/** As many as asked for, or as the system's limit on open files lets a proxy hold. */
export function idleSockets({ sockets }: IdleScenario): number {
  return Math.min(sockets, proxiedConnections())
}

async function measureIdle(sockets: number, { port, program }: Target): Promise<Sample> {
  await sleep(SETTLE_SECONDS * 1000)
  const before = residentBytes(program.pid)
  const client = await startClient('socket-client.ts', { port, seconds: SETTLE_SECONDS, count: sockets, mode: 'idle' })
  try {
    // Told only where every socket is still open.
    await client.work()
    const after = residentBytes(program.pid)
    const value = (after - before) / sockets / KB
    return { value, perSecond: null, busy: null, p50: null, p99: null, residentBytes: after }
  } finally {
    await client.stop()
  }
}
