/**
 * The frames for a client that takes compressed messages: a whole message of middling size is compressed, everything else
 * passes byte for byte. It holds one such message at most.
 */
import { deflateMessage } from '../http/permessage-deflate.ts'
import { lengthBytes, TEXT, writeFrame } from '../http/websocket-frames.ts'

const EMPTY = Buffer.alloc(0)
const FINAL = 0x80
const COMPRESSED = 0x40
/** Below it little is saved; above it the event loop would stand still for the others. */
const LEAST = 256
const MOST = 64 * 1024

export class CompressedWriter {
  readonly #windowBits: number
  /** A header that is cut. */
  #kept: Buffer = EMPTY
  /** Of a frame that passes as it is. */
  #plainLeft = 0
  /** The frame that will be compressed; null for none. */
  #frame: Buffer | null = null
  #headerBytes = 0
  #have = 0

  constructor(windowBits: number) {
    this.#windowBits = windowBits
  }

  /** What goes to the client now; empty where a frame is not whole. */
  write(chunk: Buffer): Buffer {
    const bytes = this.#kept.length === 0 ? chunk : Buffer.concat([this.#kept, chunk])
    this.#kept = EMPTY
    const out: Buffer[] = []
    let at = 0
    while (at < bytes.length) {
      const end = this.#plainLeft > 0 ? at + Math.min(this.#plainLeft, bytes.length - at) : 0
      if (end > 0) {
        this.#plainLeft -= end - at
        out.push(bytes.subarray(at, end))
        at = end
      } else if (this.#frame !== null) at = this.#collect(this.#frame, bytes, at, out)
      else {
        const size = headerSize(bytes, at)
        if (bytes.length - at < size) {
          this.#kept = Buffer.from(bytes.subarray(at))
          break
        }
        at = this.#onHeader(bytes, at, size, out)
      }
    }
    if (out.length === 1) return out[0]!
    return out.length === 0 ? EMPTY : Buffer.concat(out)
  }

  #onHeader(bytes: Buffer, at: number, size: number, out: Buffer[]): number {
    const first = bytes[at]!
    const length = lengthOf(bytes, at)
    // Final, of no reserved bit, text or binary, not masked: a message in one frame.
    const isWhole = (first === (FINAL | TEXT) || first === (FINAL | 2)) && bytes[at + 1]! < 0x80
    if (!isWhole || length < LEAST || length > MOST) {
      this.#plainLeft = length
      out.push(bytes.subarray(at, at + size))
      return at + size
    }
    this.#frame = Buffer.allocUnsafeSlow(size + length)
    this.#headerBytes = size
    bytes.copy(this.#frame, 0, at, at + size)
    this.#have = size
    return at + size
  }

  #collect(frame: Buffer, bytes: Buffer, at: number, out: Buffer[]): number {
    const taken = Math.min(frame.length - this.#have, bytes.length - at)
    bytes.copy(frame, this.#have, at, at + taken)
    this.#have += taken
    if (this.#have === frame.length) {
      this.#frame = null
      out.push(this.#compressed(frame))
    }
    return at + taken
  }

  #compressed(frame: Buffer): Buffer {
    const deflated = deflateMessage(frame.subarray(this.#headerBytes), this.#windowBits)
    if (deflated.length >= frame.length - this.#headerBytes) return frame
    const written = writeFrame(frame[0]! & 0x0f, deflated, false)
    // RFC 7692, 6.1: the first frame of a compressed message, here its only one.
    written[0]! |= COMPRESSED
    return written
  }
}

function headerSize(bytes: Buffer, at: number): number {
  if (bytes.length - at < 2) return 2
  const second = bytes[at + 1]!
  return 2 + lengthBytes(second & 0x7f) + (second >= 0x80 ? 4 : 0)
}

function lengthOf(bytes: Buffer, at: number): number {
  const short = bytes[at + 1]! & 0x7f
  if (short < 126) return short
  if (short === 126) return bytes.readUInt16BE(at + 2)
  return bytes.readUInt32BE(at + 2) * 0x1_0000_0000 + bytes.readUInt32BE(at + 6)
}
