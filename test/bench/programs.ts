/**
 * Starts the programs of a benchmark, pinned to processors, and ends every one of them. It knows no program.
 */
import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { availableParallelism } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'

const START_MS = 30_000
const STOP_MS = 5000
const SAID_BYTES = 1500
/** Two descriptors for each of ten thousand proxied WebSockets, and room. */
const OPEN_FILES = 65_536
// Without the right to raise the hard limit: as far as it goes.
const WITH_FILES = `ulimit -n ${OPEN_FILES} 2>/dev/null || ulimit -n "$(ulimit -H -n)"; exec "$@"`
/** Descriptors of a program that are no sockets of clients or to the upstream. */
const OTHER_FILES = 500

export interface Program {
  readonly pid: number
  readonly child: ChildProcess
  /** The end of what it wrote, for a person who looks for the reason of a failure. */
  said(): string
  /** Resolves when the program is gone. */
  stop(): Promise<void>
}

export interface StartOptions {
  readonly cwd: string
  /** Standard output is added to this file; standard error to the same name with `.err`. */
  readonly outPath: string
  /** Processors as taskset takes them; null: those of this process. */
  readonly cpus: string | null
  readonly env?: Readonly<Record<string, string>>
}

const running = new Set<ChildProcess>()
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL')
})

/** True when the command exists on this system. */
export function has(command: string): boolean {
  return spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command], { stdio: 'ignore' }).status === 0
}

/** A command line that runs with as many open files as there may be. */
export function withFiles(command: string, args: readonly string[]): [shell: string, args: string[]] {
  return ['/bin/sh', ['-c', WITH_FILES, 'sh', command, ...args]]
}

let mostProxied = 0

/** How many connections a program can hold with their connections to the upstream. */
export function proxiedConnections(): number {
  if (mostProxied === 0) {
    const files = Number(execFileSync(...withFiles('sh', ['-c', 'ulimit -n']), { encoding: 'utf8' }))
    mostProxied = Math.floor(((files || OPEN_FILES) - OTHER_FILES) / 2)
  }
  return mostProxied
}

export interface Cores {
  /** Of the proxy. */
  readonly proxy: string
  /** Of everything else. */
  readonly load: string
}

/** One processor for the proxy, the others for load and upstream; null where they cannot be kept apart. */
export function splitCores(): Cores | null {
  if (availableParallelism() < 2 || !has('taskset')) return null
  const list = /:\s*([\d,-]+)/.exec(execFileSync('taskset', ['-cp', String(process.pid)], { encoding: 'utf8' }))?.[1]
  const allowed = (list ?? '').split(',').flatMap((part) => {
    const [first, last = first] = part.split('-').map(Number) as [number, number?]
    return Array.from({ length: last - first + 1 }, (_, i) => first + i)
  })
  if (allowed.length < 2) return null
  const [proxy, ...load] = allowed
  execFileSync('taskset', ['-acp', load.join(','), String(process.pid)], { stdio: 'ignore' })
  return { proxy: String(proxy), load: load.join(',') }
}

/** Starts a program; it is killed at the latest when this process ends. */
export function startProgram(command: string, args: readonly string[], options: StartOptions): Program {
  const pinned = options.cpus === null ? [command, ...args] : ['taskset', '-c', options.cpus, command, ...args]
  const files = [openSync(options.outPath, 'a'), openSync(`${options.outPath}.err`, 'a')]
  const child = spawn(...withFiles(pinned[0]!, pinned.slice(1)), {
    cwd: options.cwd,
    env: { ...process.env, NODE_ENV: 'production', ...options.env },
    stdio: ['ignore', files[0], files[1]],
  })
  for (const file of files) closeSync(file)
  return asProgram(child, [`${options.outPath}.err`, options.outPath])
}

/** `outPaths`: the files that it writes to. */
export function asProgram(child: ChildProcess, outPaths: readonly string[] = []): Program {
  running.add(child)
  const gone = once(child, 'exit').then(() => running.delete(child))
  return {
    pid: child.pid!,
    child,
    said: () => outPaths.map((path) => readFileSync(path, 'utf8').slice(-SAID_BYTES)).join(''),
    stop: async () => {
      child.kill('SIGTERM')
      // Twice: the gateway drains at the first.
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS)
      await gone
      clearTimeout(timer)
    },
  }
}

/** Resolves when the port accepts; rejects with what the program said when it ends or takes too long. */
export async function untilListening(port: number, program: Program): Promise<void> {
  const deadline = Date.now() + START_MS
  while (!(await accepts(port))) {
    if (program.child.exitCode !== null || Date.now() > deadline) {
      await program.stop()
      throw new Error(`did not start:\n${program.said()}`)
    }
    await sleep(20)
  }
}

function accepts(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
