/** Makes a failing case smaller: leaves out ever smaller pieces while it still fails. */

/** At most `tries` runs of `fails`. */
export async function minimise(
  bytes: Buffer,
  fails: (bytes: Buffer) => Promise<boolean>,
  tries = 400,
): Promise<Buffer> {
  let best = bytes
  let left = tries
  for (let size = best.length >> 1; size > 0 && left > 0; size >>= 1) {
    for (let at = 0; at < best.length && left > 0; ) {
      const shorter = Buffer.concat([best.subarray(0, at), best.subarray(at + size)])
      left--
      if (shorter.length > 0 && (await fails(shorter))) best = shorter
      else at += size
    }
  }
  return best
}
