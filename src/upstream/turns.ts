/**
 * Shares the event loop out: answers that go on after their clients have taken a piece do so few at a time, so that a crowd
 * of downloads does not stand before everybody's requests. It knows no HTTP.
 */

export interface Turning {
  /** Go on. */
  onTurn(): void
}

/** Each goes on with one read, which is encrypted and written: together under a millisecond. */
const MOST_A_TURN = 8

let left = MOST_A_TURN
let waiting: Turning[] = []
/** Of `waiting`, those that had their turn. */
let served = 0
let armed = false

/** Calls `onTurn`, at once or in one of the next turns of the loop, first come first served. */
export function takeTurn(one: Turning): void {
  if (left > 0 && served === waiting.length) {
    left--
    arm()
    one.onTurn()
    return
  }
  waiting.push(one)
  arm()
}

function arm(): void {
  if (armed) return
  armed = true
  setImmediate(nextTurn)
}

function nextTurn(): void {
  armed = false
  left = MOST_A_TURN
  while (left > 0 && served < waiting.length) {
    left--
    waiting[served++]!.onTurn()
  }
  if (served === waiting.length) {
    waiting = []
    served = 0
  }
  if (left < MOST_A_TURN) arm()
}
