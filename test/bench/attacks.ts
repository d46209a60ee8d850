/**
 * What attacks cost everybody else: a well-behaved client's p99 quiet and during, the gateway's memory, and whether the
 * attackers are cut. `node test/bench/attacks.ts [--only NAME] [--rounds N] [--write]`. Loopback only; the gateway has one
 * processor for itself. Ends with 1 where a bound was passed.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import type { AttackOutcome } from './attacks/attacker.ts'
import { FLOODS } from './attacks/floods.ts'
import { SLOW_ATTACKS } from './attacks/slow.ts'
import type { Visit } from './attacks/visitor.ts'
import { cpuSeconds, residentBytes } from './cpu.ts'
import { machine, table, writeSection } from './marked-section.ts'
import { splitCores } from './programs.ts'

const MB = 2 ** 20
const MOST_GROWTH = 200 * MB
const MOST_FACTOR = 3
/** Below this a p99 says nothing of the gateway: it is the scheduler's. */
const LEAST_QUIET_MS = 2
const QUIET_SECONDS = 5
const SLOW_SECONDS = 12
const FLOOD_SECONDS = 6
const SLOW_CONNECTIONS = 2000
const FLOOD_CONNECTIONS = 20
const LARGE_BYTES = 16 * MB

const { values } = parseArgs({
  options: {
    only: { type: 'string' },
    rounds: { type: 'string', default: '3' },
    write: { type: 'boolean', default: false },
  },
})

const cores = splitCores()
const LARGE = Buffer.alloc(LARGE_BYTES, 'x')
const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.resume().once('end', () => response.end('ok'))
    request.on('error', () => {})
    return
  }
  response.end(request.url === '/large' ? LARGE : 'small')
}).listen(0, '127.0.0.1', 1024)
await once(server, 'listening')
const service = { endpoints: [`http://127.0.0.1:${(server.address() as AddressInfo).port}`], maxConnections: 8192 }
const gateway = await startGateway(
  testConfig('', {
    listeners: {
      // Shorter than the defaults, so that a run ends: the deadline is what cuts, whatever its length.
      public: publicListener({
        timeouts: { handshake: '4 s', headers: '4 s', bodyGrace: '4 s', idle: '6 s', send: '4 s' },
      }),
      admin: { address: '127.0.0.1:0' },
    },
    services: { chat: service },
  }),
)
const pid = gateway.child.pid!
if (cores !== null) execFileSync('taskset', ['-acp', cores.proxy, String(pid)], { stdio: 'ignore' })
/** Before everything else on the machine, where the user may: other programs' work is not what is measured. */
function putAhead(of: number): void {
  const done = spawnSync('chrt', ['--reset-on-fork', '-a', '-r', '-p', '1', String(of)], { stdio: 'ignore' })
  if (done.status !== 0) console.log('without the right to real-time priority: other work is measured too')
}
putAhead(pid)
// The service is in the way of every request.
putAhead(process.pid)

const children = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL')
})
function start(
  file: string,
  args: readonly string[],
  nice: number,
): { child: ChildProcess; line: () => Promise<string> } {
  const command = ['-n', String(nice), process.execPath, join(import.meta.dirname, 'attacks', file), ...args]
  const child = spawn('nice', command, { stdio: ['pipe', 'pipe', 'inherit'] })
  children.add(child)
  child.once('exit', () => children.delete(child))
  const lines = createInterface({ input: child.stdout! })
  return { child, line: async () => String((await once(lines, 'line'))[0]) }
}

const visitor = start('visitor.ts', [String(gateway.publicPort)], 0)
putAhead(visitor.child.pid!)
async function visit(): Promise<Visit> {
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

async function run(name: string): Promise<Run> {
  const isSlow = name in SLOW_ATTACKS
  const seconds = isSlow ? SLOW_SECONDS : FLOOD_SECONDS
  await sleep(1000)
  await visit()
  await sleep(QUIET_SECONDS * 1000)
  const quiet = await visit()
  const before = residentBytes(pid)
  let most = before
  const watch = setInterval(() => {
    most = Math.max(most, residentBytes(pid))
  }, 50)
  const count = isSlow ? SLOW_CONNECTIONS : FLOOD_CONNECTIONS
  const cpuBefore = cpuSeconds(pid)
  // The attacker steps back where both want the same processor: what is measured is the gateway.
  const attacker = start('attacker.ts', [name, String(gateway.publicPort), String(seconds), String(count)], 15)
  const end = attacker.line()
  await sleep(seconds * 1000)
  const during = await visit()
  const processor = (cpuSeconds(pid) - cpuBefore) / seconds
  const outcome = JSON.parse(await end) as AttackOutcome
  clearInterval(watch)
  return { quiet, during, growth: most - before, processor, outcome }
}

const median = (list: readonly number[]): number => list.toSorted((a, b) => a - b)[list.length >> 1]!
const ms = (value: number): string => value.toFixed(1)

const names = [...Object.keys(SLOW_ATTACKS), ...Object.keys(FLOODS)].filter(
  (name) => values.only === undefined || name === values.only,
)
const runs = new Map<string, Run[]>(names.map((name) => [name, []]))
try {
  // What the first minute of a process costs is not what is measured.
  await sleep(5000)
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const name of names) {
      const result = await run(name)
      runs.get(name)!.push(result)
      const { quiet, during, growth, outcome } = result
      console.log(
        `${name}: p99 ${ms(quiet.p99)} -> ${ms(during.p99)} ms (new ${ms(quiet.newMost)} -> ${ms(during.newMost)}), failures ${during.failures}/${during.requests}, +${Math.round(growth / MB)} MB, ${JSON.stringify(outcome)}`,
      )
    }
  }
} catch (error) {
  console.error(gateway.log().slice(-2000))
  throw error
} finally {
  for (const child of children) child.kill('SIGKILL')
  await gateway.close()
  server.closeAllConnections()
  server.close()
}

let failed = false
const rows = names.map((name) => {
  const list = runs.get(name)!
  const quiet = median(list.map((each) => each.quiet.p99))
  const during = median(list.map((each) => each.during.p99))
  const growth = Math.max(...list.map((each) => each.growth))
  const failures = list.reduce((sum, each) => sum + each.during.failures, 0)
  const begun = list.reduce((sum, each) => sum + each.outcome.begun, 0)
  const cut = list.reduce((sum, each) => sum + each.outcome.cut, 0)
  const holds =
    during <= MOST_FACTOR * Math.max(quiet, LEAST_QUIET_MS) && growth < MOST_GROWTH && cut === begun && failures === 0
  failed ||= !holds
  return [
    name,
    `${Math.max(...list.map((each) => each.outcome.most))}`,
    `${ms(quiet)} ms`,
    `${ms(during)} ms`,
    `${failures}`,
    `${Math.round(growth / MB)} MB`,
    `${Math.round(median(list.map((each) => each.processor)) * 100)} %`,
    `${cut} of ${begun}`,
    holds ? 'yes' : 'no',
  ]
})
const text = table(
  ['attack', 'at once', 'p99 quiet', 'p99 during', 'failed', 'memory', 'processor', 'cut', 'holds'],
  rows,
)
console.log(`\n${text}`)
if (values.write) {
  const said = `Measured on ${machine()}; the gateway had one processor, attackers, client and service shared the other, and other work ran on the machine. p99: median of ${values.rounds} rounds, quiet and attacked in turn.`
  writeSection('docs/threat-model.md', 'attacks', `${text}\n\n${said}`)
}
process.exitCode = failed ? 1 : 0
