/** A message from standard input. It judges nothing but its length and its encoding. */
import { isUtf8 } from 'node:buffer'

const MOST_BYTES = 64 * 1024 * 1024

/** Without the one line break that a terminal or `echo` adds; null where it is too long or no UTF-8. */
export async function readMessage(input: AsyncIterable<Buffer | string>): Promise<string | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of input) {
    const piece = Buffer.from(chunk)
    bytes += piece.length
    if (bytes > MOST_BYTES) return null
    chunks.push(piece)
  }
  const whole = Buffer.concat(chunks)
  return isUtf8(whole) ? whole.toString().replace(/\r?\n$/, '') : null
}
