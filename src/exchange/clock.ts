/** One coarse timer for every deadline of every connection, and the Date field. Knows no protocol. */

export interface Ticking {
  /** Called five times a second with `performance.now()`. */
  onTick(now: number): void
}

export const TICK_MS = 200

const members = new Set<Ticking>()
let timer: NodeJS.Timeout | null = null
/** The time of the last tick: at most TICK_MS old while the clock runs. */
let lastTick = 0

/** Joins the shared timer, which runs only while it has members and keeps no process alive. */
export function joinClock(member: Ticking): void {
  members.add(member)
  if (timer === null) {
    lastTick = performance.now()
    timer = setInterval(tick, TICK_MS)
    timer.unref()
  }
}

export function leaveClock(member: Ticking): void {
  members.delete(member)
  if (members.size === 0 && timer !== null) {
    clearInterval(timer)
    timer = null
  }
}

/**
 * A deadline for members of the clock, without asking the system for the time: every request sets several. It is never
 * early, and noticed at most two ticks late.
 */
export function deadlineIn(ms: number): number {
  return lastTick + TICK_MS + ms
}

function tick(): void {
  lastTick = performance.now()
  for (const member of members) member.onTick(lastTick)
}

let dateText = ''
let dateSecond = 0

/** The Date field's value (RFC 9110, 5.6.7), made once a second. */
export function httpDate(): string {
  const second = Math.floor(Date.now() / 1000)
  if (second !== dateSecond) {
    dateSecond = second
    dateText = new Date(second * 1000).toUTCString()
  }
  return dateText
}
