/**
 * What attacks cost everybody else: a well-behaved client's p99 quiet and during, the proxy's memory, and whether the
 * attackers are cut. `node test/bench/attacks.ts [--only NAME] [--rounds N] [--peers portcullis,nginx] [--write]`. Loopback
 * only; the proxy has one processor for itself, all else has the other. Ends with 1 where the gateway passed a bound.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type { AttackOutcome } from './attacks/attacker.ts'
import { type Contender, type Services, startNginx, startPortcullis } from './attacks/contenders.ts'
import { FLOODS } from './attacks/floods.ts'
import { SLOW_ATTACKS } from './attacks/slow.ts'
import type { Visit } from './attacks/visitor.ts'
import { cpuSeconds, residentBytes } from './cpu.ts'
import { machine, table, writeSection } from './marked-section.ts'
import { has, splitCores } from './programs.ts'

const MB = 2 ** 20
const MOST_GROWTH = 200 * MB
const MOST_FACTOR = 3
/** Below this a p99 says nothing of the proxy: it is the scheduler's. */
const LEAST_QUIET_MS = 2
const REST_MS = 500
const QUIET_MS = 1500
const SLOW_MS = 4000
const FLOOD_MS = 2000
const SLOW_CONNECTIONS = 2000
const FLOOD_CONNECTIONS = 20
/** What the first moments of a process cost is not what is measured. */
const WARM_MS = 4000

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    peers: { type: 'string', default: 'portcullis,nginx' },
    write: { type: 'boolean', default: false },
  },
})
const ROUNDS = Number(values.rounds)

const cores = splitCores()
/**
 * Before other work on the machine, where the user may: that is not what is measured. Not by real-time priority, which the kernel
 * takes away for a twentieth of each second.
 */
function putAhead(of: number): boolean {
  try {
    // Threads keep the distance that they have from one another.
    for (const thread of readdirSync(`/proc/${of}/task`)) setPriority(Number(thread), getPriority(Number(thread)) - 10)
    return true
  } catch {
    return false
  }
}

const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})

interface Helper {
  readonly child: ChildProcess
  readonly line: () => Promise<string>
}

function start(file: string, args: readonly string[], nice: number): Helper {
  const command = ['-n', String(nice), process.execPath, join(import.meta.dirname, 'attacks', file), ...args]
  const child = spawn('nice', command, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  const lines = createInterface({ input: child.stdout! })
  return { child, line: async () => String((await once(lines, 'line'))[0]) }
}

async function startService(): Promise<number> {
  const service = start('service.ts', [], 0)
  const port = Number(await service.line())
  putAhead(service.child.pid!)
  return port
}

async function visit(visitor: Helper): Promise<Visit> {
  const line = visitor.line()
  visitor.child.stdin!.write('\n')
  return JSON.parse(await line) as Visit
}

interface Run {
  readonly quiet: Visit
  readonly during: Visit
  readonly growth: number
  readonly processor: number
  readonly outcome: AttackOutcome
}

async function run(name: string, contender: Contender, visitor: Helper): Promise<Run> {
  const isSlow = name in SLOW_ATTACKS
  const attackMs = isSlow ? SLOW_MS : FLOOD_MS
  await sleep(REST_MS)
  await visit(visitor)
  await sleep(QUIET_MS)
  const quiet = await visit(visitor)
  const before = residentBytes(contender.pid)
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(contender.pid))
  }, 50)
  const count = isSlow ? SLOW_CONNECTIONS : FLOOD_CONNECTIONS
  const cpuBefore = cpuSeconds(contender.pid)
  // The attacker steps back where both want the same processor: what is measured is the proxy.
  const attacker = start('attacker.ts', [name, String(contender.port), String(attackMs / 1000), String(count)], 15)
  const end = attacker.line()
  await sleep(attackMs)
  const during = await visit(visitor)
  const processor = (cpuSeconds(contender.pid) - cpuBefore) / (attackMs / 1000)
  const outcome = JSON.parse(await end) as AttackOutcome
  clearInterval(watch)
  return { quiet, during, growth: most - before, processor, outcome }
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!
const ms = (value: number): string => value.toFixed(1)

const names = [...Object.keys(SLOW_ATTACKS), ...Object.keys(FLOODS)].filter(
  (name) => values.only === undefined || name === values.only,
)
const peers = values.peers.split(',').filter((peer) => peer === 'portcullis' || (peer === 'nginx' && has('nginx')))
const runs = new Map<string, Run[]>()

async function attackAll(peer: string, services: Services, rounds: number): Promise<void> {
  const contender = await (peer === 'nginx' ? startNginx : startPortcullis)(services, cores)
  if (!putAhead(contender.pid)) console.log('without the right to put it first: other work is measured too')
  const visitor = start('visitor.ts', [String(contender.port), String(services.small)], 0)
  putAhead(visitor.child.pid!)
  try {
    await sleep(WARM_MS)
    for (let round = 0; round < rounds; round++) {
      for (const name of names) {
        const result = await run(name, contender, visitor)
        const key = `${peer} ${name}`
        runs.set(key, [...(runs.get(key) ?? []), result])
        const { quiet, during, growth, outcome } = result
        console.log(
          `${key}: p99 ${ms(quiet.p99)} -> ${ms(during.p99)} ms (straight ${ms(quiet.straightP99)} -> ${ms(during.straightP99)}, new ${ms(quiet.newMost)} -> ${ms(during.newMost)}), failures ${during.failures}/${during.requests}, +${Math.round(growth / MB)} MB, ${JSON.stringify(outcome)}`,
        )
      }
    }
  } catch (error) {
    console.error(contender.log().slice(-2000))
    throw error
  } finally {
    visitor.child.kill('SIGKILL')
    await contender.close()
  }
}

try {
  const services = { small: await startService(), large: await startService(), attacked: await startService() }
  // One round shows what the machine does to a peer; the bounds are the gateway's.
  for (const peer of peers) await attackAll(peer, services, peer === 'portcullis' ? ROUNDS : 1)
} finally {
  for (const child of children) child.kill('SIGKILL')
}

let failed = false
const rows = names.flatMap((name) =>
  peers.map((peer) => {
    const list = runs.get(`${peer} ${name}`)!
    const quiet = median(list.map((each) => each.quiet.p99))
    const during = median(list.map((each) => each.during.p99))
    const growth = Math.max(...list.map((each) => each.growth))
    const failures = list.reduce((sum, each) => sum + each.during.failures, 0)
    const begun = list.reduce((sum, each) => sum + each.outcome.begun, 0)
    const cut = list.reduce((sum, each) => sum + each.outcome.cut, 0)
    const straight = median(list.map((each) => each.during.straightP99))
    const isWithin = during <= MOST_FACTOR * Math.max(quiet, LEAST_QUIET_MS)
    // Who waits as long without a proxy waits for the other processor, which attackers and services fill.
    const isMachine = during <= straight + MOST_FACTOR * LEAST_QUIET_MS
    const isBounded = growth < MOST_GROWTH && cut === begun && failures === 0
    const holds = !isBounded || !(isWithin || isMachine) ? 'no' : isWithin ? 'yes' : 'as without a proxy'
    if (peer === 'portcullis') failed ||= holds === 'no'
    return [
      name,
      peer === 'portcullis' ? '**portcullis**' : peer,
      `${Math.max(...list.map((each) => each.outcome.most))}`,
      `${ms(quiet)} ms`,
      `${ms(during)} ms`,
      `${ms(straight)} ms`,
      `${failures}`,
      `${Math.round(growth / MB)} MB`,
      `${Math.round(median(list.map((each) => each.processor)) * 100)} %`,
      `${cut} of ${begun}`,
      holds,
    ]
  }),
)
const columns = ['at once', 'p99 quiet', 'p99 during', 'straight', 'failed', 'memory', 'processor', 'cut', 'holds']
const text = table(['attack', 'of', ...columns], rows)
console.log(`\n${text}`)
if (values.write) {
  const said = `Measured on ${machine()}; the proxy had one processor, attackers, clients and services shared the other. p99: median of ${ROUNDS} rounds of the gateway and of one of nginx, quiet and attacked in turn. "straight": what the same client saw at the same time of a service without a proxy between: what the crowded other processor costs by itself; where the way by the proxy takes no more than ${MOST_FACTOR * LEAST_QUIET_MS} ms longer, the last column says "as without a proxy".`
  writeSection('docs/threat-model.md', 'attacks', `${text}\n\n${said}`)
}
process.exitCode = failed ? 1 : 0
