/**
 * Lets the threads that help the event loop step back where they share a processor with it. It knows no gateway.
 *
 * What they do can wait: the collector marks and sweeps beside the loop, compilers make better code of what runs already, the
 * pool hashes passwords and compresses. At the same priority the kernel gives each of them whole slices of milliseconds, and
 * with one processor every request waits for them; with a processor of their own nothing changes.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { getPriority, setPriority } from 'node:os'

/** As Node names them (`comm` in /proc/self/task): V8's workers and those of libuv's pool. */
const HELPERS: ReadonlySet<string> = new Set(['node-V8Worker', 'libuv-worker'])
/** A tenth of the loop's weight: enough that nobody starves who waits for a password while the loop is never idle. */
const STEPS_BACK = 10
const LOWEST = 19

/**
 * Gives the helper threads that run by now a lower priority than the caller's; later ones inherit from whoever starts them.
 *
 * @returns How many there are; 0 where the system has no such threads to be found (other than Linux) or lets none be changed.
 */
export function holdBackHelpers(): number {
  let count = 0
  try {
    const priority = Math.min(LOWEST, getPriority(process.pid) + STEPS_BACK)
    for (const thread of readdirSync('/proc/self/task')) {
      if (!HELPERS.has(readFileSync(`/proc/self/task/${thread}/comm`, 'latin1').trimEnd())) continue
      setPriority(Number(thread), priority)
      count++
    }
  } catch {
    // Nothing depends on it but waiting times.
  }
  return count
}
