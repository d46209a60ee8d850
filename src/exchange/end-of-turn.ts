/**
 * Puts writes off to the end of the turn of the event loop: what many connections have to say goes out in one go. Each write
 * wakes whoever reads it; together they wake it once, and the code that reads and the code that writes do not push one another
 * out of the processor's caches. It knows no protocol.
 */
import type { Duplex, Writable } from 'node:stream'

/** Nobody waits for more than these. */
const MOST_HELD = 64

let held: Writable[] = []

/** What is written to the stream from now on goes out at the end of this turn, in order and together. */
export function holdToEndOfTurn(stream: Writable): void {
  if (stream.writableCorked > 0) return
  stream.cork()
  const count = held.push(stream)
  if (count === 1) setImmediate(release)
  else if (count === MOST_HELD) release()
}

/** Destroys the stream; what was said up to now is not taken back. */
export function destroySaid(stream: Duplex): void {
  if (stream.writableCorked > 0) stream.uncork()
  stream.destroy()
}

function release(): void {
  const all = held
  held = []
  for (let i = 0; i < all.length; i++) all[i]!.uncork()
  // What was written meanwhile, if anything, waits for the next time.
  if (held.length === 0) used = 0
}

const SCRATCH_BYTES = 64 * 1024
const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
let used = 0

/**
 * Room for what is held to the end of this turn, and written over in the next one: for streams that take a copy as soon as they
 * are given it, and have nothing waiting. Where it is used up, the room is the caller's own.
 */
export function roomForTurn(bytes: number): Buffer {
  if (bytes > SCRATCH_BYTES - used) return Buffer.allocUnsafe(bytes)
  const from = used
  used += bytes
  return scratch.subarray(from, used)
}
