/** Waiting for what another process or another turn of the loop will do, with a deadline instead of a guess. */
import { setTimeout as sleep } from 'node:timers/promises'

const DEADLINE_MS = 60_000
const POLL_MS = 10

/** Polls until the condition holds, and gives its value. Rejects with `what` when it never does. */
export async function until<T>(
  condition: () => T | Promise<T>,
  what = 'the condition',
  deadlineMs = DEADLINE_MS,
): Promise<NonNullable<Exclude<T, false>>> {
  const end = performance.now() + deadlineMs
  for (;;) {
    const value = await condition()
    if (value) return value as NonNullable<Exclude<T, false>>
    if (performance.now() > end) throw new Error(`${what} did not happen within ${deadlineMs} ms`)
    await sleep(POLL_MS)
  }
}

/** The value of the promise, or a rejection that says what was waited for. */
export async function within<T>(promise: Promise<T>, what: string, deadlineMs = DEADLINE_MS): Promise<T> {
  const stop = new AbortController()
  const late = sleep(deadlineMs, undefined, { signal: stop.signal }).then(() => {
    throw new Error(`${what} did not happen within ${deadlineMs} ms`)
  })
  late.catch(() => {})
  try {
    return await Promise.race([promise, late])
  } finally {
    stop.abort()
  }
}
