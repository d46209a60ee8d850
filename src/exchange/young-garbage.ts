/**
 * Memory outside of the heap that is garbage soon after it came: each piece of an HTTP/2 body. V8 looks the young through when
 * the heap's share of them, some hundred bytes for 16 KB, has filled up, and where that takes too long the whole heap, again and
 * again: an upload of gigabytes then cost three times the processor. So the young are looked through for every few megabytes.
 * It knows no protocol.
 */

/** As Node names it where it is told to offer it (`--expose-gc`), and the command does (bin/portcullis.js); else nothing happens. */
interface Collector {
  gc?: (options: { readonly type: 'minor' }) => void
}

const EVERY_BYTES = 8 * 1024 * 1024
let left = EVERY_BYTES

/** Call it with every piece of memory that will be garbage soon, in bytes. */
export function tookOutside(bytes: number): void {
  left -= bytes
  if (left > 0) return
  left = EVERY_BYTES
  ;(globalThis as Collector).gc?.({ type: 'minor' })
}
