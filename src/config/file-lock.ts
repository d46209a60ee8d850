/**
 * One writer at a time, by a lock file that outlives no crash: it names its process, and that of a dead one is taken over.
 * It knows nothing of what is written under it.
 */
import { randomBytes } from 'node:crypto'
import { linkSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'

/** A lock that another host left behind (a shared folder): nobody can ask whether its process lives. */
const FOREIGN_STALE_MS = 600_000

const held = new Set<string>()

export class FileLock {
  readonly #path: string

  private constructor(path: string) {
    this.#path = path
  }

  /** Null where another process, or another part of this one, holds it. Throws the system's error where it cannot be made. */
  static take(path: string): FileLock | null {
    if (held.has(path)) return null
    if (!make(path) && !(isStale(path) && remove(path) && make(path))) return null
    held.add(path)
    return new FileLock(path)
  }

  /** Says that the work goes on: at least once in some minutes. */
  touch(): void {
    const now = new Date()
    try {
      utimesSync(this.#path, now, now)
    } catch {
      // Removed by hand: whoever did that has taken the risk of two writers.
    }
  }

  release(): void {
    held.delete(this.#path)
    try {
      unlinkSync(this.#path)
    } catch {
      // Somebody removed it by hand: it is gone, which is all that is wanted.
    }
  }
}

/** The mark is whole before the lock stands: a process that is killed in between leaves a draft, and holds nobody up. */
function make(path: string): boolean {
  const draft = `${path}.${randomBytes(6).toString('hex')}`
  writeFileSync(draft, ownMark(), { flag: 'wx', mode: 0o600 })
  try {
    linkSync(draft, path)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  } finally {
    unlinkSync(draft)
  }
}

function isStale(path: string): boolean {
  try {
    const mark = readFileSync(path, 'utf8')
    // No process leaves it so; a machine that lost its power may.
    if (mark === '') return true
    const [host, pid, started] = mark.split('\n')
    if (host === hostname() && pid !== undefined && /^\d+$/.test(pid)) return started !== startOf(Number(pid))
    return Date.now() - statSync(path).mtimeMs > FOREIGN_STALE_MS
  } catch {
    // It went away meanwhile: making it will show who is first.
    return true
  }
}

/** Another one may have taken over the stale lock at the same moment: what was moved away is looked at again. */
function remove(path: string): boolean {
  const aside = `${path}.${randomBytes(6).toString('hex')}`
  try {
    renameSync(path, aside)
  } catch {
    return true
  }
  const wasStale = isStale(aside)
  try {
    if (!wasStale) linkSync(aside, path)
  } finally {
    unlinkSync(aside)
  }
  return wasStale
}

function ownMark(): string {
  return `${hostname()}\n${process.pid}\n${startOf(process.pid)}\n`
}

/** When a process began, in the system's own count: a number that was given to another process since is not the same. */
function startOf(pid: number): string {
  try {
    const line = readFileSync(`/proc/${pid}/stat`, 'latin1')
    return line.slice(line.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return isAlive(pid) ? 'running' : ''
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0)
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
