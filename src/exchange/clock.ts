/** One coarse timer for every deadline of every connection, and the Date field. Knows no protocol. */

export interface Ticking {
  /** Called about twice a second with `performance.now()`. */
  onTick(now: number): void
}

export const TICK_MS = 500

const members = new Set<Ticking>()
let timer: NodeJS.Timeout | null = null

/** Joins the shared timer, which runs only while it has members and keeps no process alive. */
export function joinClock(member: Ticking): void {
  members.add(member)
  if (timer === null) {
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

function tick(): void {
  const now = performance.now()
  for (const member of members) member.onTick(now)
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
