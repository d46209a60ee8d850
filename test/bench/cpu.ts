/** Processor time and memory of a process and all its descendants, from /proc. */
import { readdirSync, readFileSync } from 'node:fs'

/** USER_HZ: the unit of /proc/PID/stat, 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100
const KB = 1024

/** The process and its descendants. */
export function treeOf(pid: number): number[] {
  const pids = [pid]
  for (let i = 0; i < pids.length; i++) {
    for (const task of tasksOf(pids[i]!)) {
      const children = read(`/proc/${pids[i]}/task/${task}/children`)
      pids.push(...children.split(' ').filter(Boolean).map(Number))
    }
  }
  return pids
}

/** Seconds of processor time, user and system, all threads, that the tree has used. */
export function cpuSeconds(pid: number): number {
  let ticks = 0
  for (const each of treeOf(pid)) {
    const stat = read(`/proc/${each}/stat`)
    // The name in parentheses may hold anything; behind it stand state (field 3), ..., utime (14), stime (15).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    ticks += Number(fields[11] ?? 0) + Number(fields[12] ?? 0)
  }
  return ticks / TICKS_PER_SECOND
}

/** Resident bytes of the tree; pages that processes share count in each. */
export function residentBytes(pid: number): number {
  let bytes = 0
  for (const each of treeOf(pid)) {
    const found = /^VmRSS:\s+(\d+) kB/m.exec(read(`/proc/${each}/status`))
    bytes += Number(found?.[1] ?? 0) * KB
  }
  return bytes
}

function tasksOf(pid: number): string[] {
  try {
    return readdirSync(`/proc/${pid}/task`)
  } catch {
    return []
  }
}

/** '' for a process that has ended in between. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
