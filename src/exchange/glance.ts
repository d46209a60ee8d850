/**
 * Looks at connections more often than the clock does, for what must not wait that long, and at new ones more often still: a
 * crowd may come to flood. The work of one look is bounded, however many there are: with more of them each has its turn later.
 * It knows no protocol.
 */

export interface Glanced {
  /** Called every 20 ms, later where there are many; must cost next to nothing where nothing happened. */
  onGlance(): void
}

const GLANCE_MS = 20
/** Members looked at in one turn. */
const AT_ONCE = 256
/** New ones are looked at this often for so long, and after each of so many turns of the loop since the last one came. */
const NEW_GLANCE_MS = 2
const NEW_MS = 250
const NEW_TURNS = 4

interface Newcomer {
  readonly member: Glanced
  readonly until: number
}

/** Whose turn is next first. */
const members = new Set<Glanced>()
let timer: NodeJS.Timeout | null = null
/** Some may have left since. */
let newcomers: Newcomer[] = []
let newTimer: NodeJS.Timeout | null = null
let turnsLeft = 0

/** Once for each member. The timers run only while there are any, and keep no process alive. */
export function joinGlance(member: Glanced): void {
  members.add(member)
  timer ??= setInterval(glance, GLANCE_MS).unref()
  if (newcomers.length === AT_ONCE) return
  newcomers.push({ member, until: performance.now() + NEW_MS })
  newTimer ??= setInterval(glanceAtNew, NEW_GLANCE_MS).unref()
  if (turnsLeft === 0) setImmediate(glanceInTurn)
  turnsLeft = NEW_TURNS
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

function glanceInTurn(): void {
  turnsLeft--
  if (turnsLeft > 0) setImmediate(glanceInTurn)
  glanceAtNew()
}

function glanceAtNew(): void {
  const now = performance.now()
  newcomers = newcomers.filter(({ member, until }) => until > now && members.has(member))
  for (const { member } of newcomers) if (members.has(member)) member.onGlance()
  if (newcomers.length > 0 || newTimer === null) return
  clearInterval(newTimer)
  newTimer = null
}
