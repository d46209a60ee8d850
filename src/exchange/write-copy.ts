/**
 * Writes what its giver will write over into a stream, as a copy in a buffer that is used again once it is written: a body that
 * passes through costs no memory outside of the heap, whose collection is dear. It knows no protocol.
 */
import type { Writable } from 'node:stream'
import { isPassing } from './client-inlet.ts'

/** The largest piece that is read at once. */
const COPY_BYTES = 32 * 1024
/** Smaller ones share memory that Node has at hand. */
const LEAST_BYTES = 2048
/** Copies that are kept for the next ones. */
const MOST_KEPT = 32

const kept: Buffer[] = []

/** What the stream's `write` says: false where the giver should wait. */
export function writeCopy(stream: Writable, chunk: Buffer): boolean {
  if (chunk.length < LEAST_BYTES || chunk.length > COPY_BYTES) return stream.write(Buffer.from(chunk))
  const room = kept.pop() ?? Buffer.allocUnsafeSlow(COPY_BYTES)
  chunk.copy(room)
  return stream.write(room.subarray(0, chunk.length), (error) => {
    // Of a write that failed nobody says when the system has let go of it.
    if (error == null && kept.length < MOST_KEPT) kept.push(room)
  })
}

/** The same for bytes of a client, which are copied only where that is needed. */
export function writeLasting(stream: Writable, chunk: Buffer): boolean {
  return isPassing(chunk) ? writeCopy(stream, chunk) : stream.write(chunk)
}
