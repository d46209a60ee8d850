/**
 * Looks at connections more often than the clock does, for what must not wait that long. The work of one look is bounded,
 * however many there are: with more of them each has its turn later. It knows no protocol.
 */

export interface Glanced {
  /** Called every 20 ms, later where there are many; must cost next to nothing where nothing happened. */
  onGlance(): void
}

const GLANCE_MS = 20
/** Members looked at in one turn. */
const AT_ONCE = 256

/** Whose turn is next first. */
const members = new Set<Glanced>()
let timer: NodeJS.Timeout | null = null

/** Once for each member. The timer runs only while there are any, and keeps no process alive. */
export function joinGlance(member: Glanced): void {
  members.add(member)
  if (timer !== null) return
  timer = setInterval(glance, GLANCE_MS)
  timer.unref()
}

export function leaveGlance(member: Glanced): void {
  members.delete(member)
  if (members.size > 0 || timer === null) return
  clearInterval(timer)
  timer = null
}

function glance(): void {
  let left = Math.min(AT_ONCE, members.size)
  for (const member of members) {
    if (left-- === 0) return
    members.delete(member)
    members.add(member)
    member.onGlance()
  }
}
