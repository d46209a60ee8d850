/**
 * Keeps the young generation of V8's heap at one size. What a proxy makes dies at once, so that collecting costs by the number of
 * collections, and what happens to be alive then grows old without need: with 12 MB a chat message takes a twelfth less of the
 * processor than with 4 MB, and hardly more than with 32 MB. What passes through lies outside, and is not held back by it
 * (src/exchange/client-inlet.ts, src/exchange/young-garbage.ts). It knows no gateway.
 *
 * V8 takes the size from its command line alone, which a program cannot give itself. But the generation grows by the factor that V8
 * is told when as much survived as it is large, and shrinks to a megabyte when little is made for a while: a gateway that had a
 * quiet minute would work with that for ever. So the factor is the one that leads from what is there to what is wanted.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'

/** Of one half, which is what is filled between two collections. */
const WANTED_MB = 12
const MB = 2 ** 20
/** Not longer than it takes to notice that a process has work. */
const LOOK_MS = 1000

/** Grows it now, and looks after it every second. The timer keeps no process alive. */
export function keepYoungGeneration(): void {
  lookAtYoungGeneration()
  for (let tries = 0; tries < 50 && halfBytes() < (WANTED_MB / 2) * MB; tries++) {
    // Kept over a collection, so that they survive it.
    const survivors: object[] = []
    for (let i = 0; i < 40_000; i++) survivors.push({ i })
  }
  lookAtYoungGeneration()
  setInterval(lookAtYoungGeneration, LOOK_MS).unref()
}

/** Lets it grow where it is too small, as soon as something survives, and not beyond. */
export function lookAtYoungGeneration(): void {
  // V8 has whole factors only: two thirds of what is wanted are enough.
  const factor = Math.max(1, Math.round((WANTED_MB * MB) / halfBytes()))
  setFlagsFromString(`--semi-space-growth-factor=${factor}`)
}

/** Bytes that may be filled before the next collection. */
export function halfBytes(): number {
  const space = getHeapSpaceStatistics().find((each) => each.space_name === 'new_space')!
  return Math.max(1, space.space_used_size + space.space_available_size)
}
