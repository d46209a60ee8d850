/** One coarse timer for every deadline of every connection, and the Date field. Knows no protocol. */

export interface Ticking {
  /** Called five times a second with `performance.now()`. */
  onTick(now: number): void
}

export const TICK_MS = 200

/** Members tick in groups, one after the other: thousands at once would be noticed by those whose requests wait. */
const GROUPS = 8

const groups: readonly Set<Ticking>[] = Array.from({ length: GROUPS }, () => new Set())
let members = 0
let joining = 0
let ticking = 0
let timer: NodeJS.Timeout | null = null
/** The time of the last tick: at most TICK_MS old while the clock runs. */
let lastTick = 0

/** Joins the shared timer, which runs only while it has members and keeps no process alive. Once for each member. */
export function joinClock(member: Ticking): void {
  joining = (joining + 1) % GROUPS
  groups[joining]!.add(member)
  members++
  if (timer === null) {
    lastTick = performance.now()
    timer = setInterval(tick, TICK_MS / GROUPS)
    timer.unref()
  }
}

export function leaveClock(member: Ticking): void {
  for (const group of groups) {
    if (!group.delete(member)) continue
    members--
    break
  }
  if (members === 0 && timer !== null) {
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
  ticking = (ticking + 1) % GROUPS
  for (const member of groups[ticking]!) member.onTick(lastTick)
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
