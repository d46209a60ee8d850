/**
 * The frames of a client that may compress its messages, made plain: a compressed message becomes one frame without
 * compression, everything else passes byte for byte, faults included, for the gate behind to judge. It holds one message
 * at most, and bounds what comes of it.
 */
import { inflateMessage } from '../http/permessage-deflate.ts'
import {
  CLOSE,
  CONTINUATION,
  FRAME_FAULTS,
  type FrameFault,
  lengthBytes,
  writeFrame,
} from '../http/websocket-frames.ts'

const EMPTY = Buffer.alloc(0)
const RESERVED = 0x70
const COMPRESSED = 0x40
const FIRST_PIECE = 1024
/** What may arrive of a client that was told to pause. */
const MAX_QUEUED = 1024 * 1024

export class CompressedReader {
  /** Not null: nothing after it is read. */
  fault: FrameFault | null = null
  readonly #maxBytes: number
  /** Deflate makes what cannot be compressed a little larger. */
  readonly #maxCompressed: number
  #chunk: Buffer = EMPTY
  #at = 0
  /** Of a frame that passes as it is. */
  #plainLeft = 0
  /** Of the compressed message that has begun; 0 is none. */
  #opcode = 0
  #message: Buffer = EMPTY
  #have = 0
  #isFinal = false
  readonly #mask: Buffer = Buffer.alloc(4)
  #maskAt = 0
  /** Of its running frame. */
  #frameLeft = 0

  /** `maxBytes`: of one message, inflated. */
  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.#maxCompressed = maxBytes + (maxBytes >> 3) + 64
  }

  /** Takes the next bytes. */
  push(chunk: Buffer): void {
    if (this.fault !== null) return
    const left = this.#chunk.length - this.#at
    if (left + chunk.length > Math.max(MAX_QUEUED, chunk.length + 14)) {
      this.fault = FRAME_FAULTS.tooBig
      return
    }
    this.#chunk = left === 0 ? chunk : Buffer.concat([this.#chunk.subarray(this.#at), chunk])
    this.#at = 0
  }

  /** Bytes of plain frames; null where more must come, or after a fault. */
  next(): Buffer | null {
    while (this.fault === null && this.#at < this.#chunk.length) {
      if (this.#plainLeft > 0) return this.#pass(0)
      if (this.#frameLeft > 0) this.#take()
      else {
        const size = this.#headerSize()
        if (this.#chunk.length - this.#at < size) return null
        const plain = this.#onHeader(size)
        if (plain !== null) return plain
      }
      if (this.#frameLeft === 0 && this.#opcode !== 0 && this.#isFinal) {
        const plain = this.#onWhole()
        if (plain !== null) return plain
      }
    }
    this.#chunk = EMPTY
    this.#at = 0
    return null
  }

  #headerSize(): number {
    if (this.#chunk.length - this.#at < 2) return 2
    const second = this.#chunk[this.#at + 1]!
    return 2 + lengthBytes(second & 0x7f) + (second >= 0x80 ? 4 : 0)
  }

  /** The header with what is there of its payload, where the frame passes. */
  #onHeader(size: number): Buffer | null {
    const chunk = this.#chunk
    const first = chunk[this.#at]!
    const second = chunk[this.#at + 1]!
    const opcode = first & 0x0f
    const reserved = first & RESERVED
    const isMasked = second >= 0x80
    const length = this.#lengthAt(second & 0x7f)
    const begins = reserved === COMPRESSED && isMasked && this.#opcode === 0 && opcode > 0 && opcode <= 2
    const goesOn = reserved === 0 && isMasked && this.#opcode !== 0 && opcode === CONTINUATION
    if (!begins && !goesOn) {
      if (this.#opcode !== 0 && opcode < CLOSE) return this.#fail(FRAME_FAULTS.badSequence)
      this.#plainLeft = length
      return this.#pass(size)
    }
    const short = second & 0x7f
    if ((short === 126 && length < 126) || (short === 127 && length < 0x1_0000)) {
      return this.#fail(FRAME_FAULTS.badLength)
    }
    if (this.#have + length > this.#maxCompressed) return this.#fail(FRAME_FAULTS.tooBig)
    if (begins) this.#opcode = opcode
    this.#isFinal = first >= 0x80
    this.#frameLeft = length
    chunk.copy(this.#mask, 0, this.#at + size - 4, this.#at + size)
    this.#maskAt = 0
    this.#at += size
    return null
  }

  #lengthAt(short: number): number {
    if (short < 126) return short
    if (short === 126) return this.#chunk.readUInt16BE(this.#at + 2)
    return this.#chunk.readUInt32BE(this.#at + 2) * 0x1_0000_0000 + this.#chunk.readUInt32BE(this.#at + 6)
  }

  #pass(headerBytes: number): Buffer {
    const taken = Math.min(this.#plainLeft, this.#chunk.length - this.#at - headerBytes)
    const plain = this.#chunk.subarray(this.#at, this.#at + headerBytes + taken)
    this.#plainLeft -= taken
    this.#at += plain.length
    return plain
  }

  #take(): void {
    const taken = Math.min(this.#frameLeft, this.#chunk.length - this.#at)
    const have = this.#have + taken
    if (have > this.#message.length) {
      // Doubling, not the announced length: a header alone must not make the gateway hold it.
      const grown = Buffer.allocUnsafeSlow(
        Math.min(this.#maxCompressed, Math.max(have, this.#message.length * 2, FIRST_PIECE)),
      )
      this.#message.copy(grown, 0, 0, this.#have)
      this.#message = grown
    }
    const message = this.#message
    const mask = this.#mask
    for (let i = 0; i < taken; i++) message[this.#have + i] = this.#chunk[this.#at + i]! ^ mask[(this.#maskAt + i) & 3]!
    this.#maskAt = (this.#maskAt + taken) & 3
    this.#have = have
    this.#at += taken
    this.#frameLeft -= taken
  }

  #onWhole(): Buffer | null {
    const opcode = this.#opcode
    const message = inflateMessage(this.#message.subarray(0, this.#have), this.#maxBytes)
    this.#opcode = 0
    this.#have = 0
    this.#isFinal = false
    this.#message = EMPTY
    if (message === 'too-large') return this.#fail(FRAME_FAULTS.tooBig)
    if (message === null) return this.#fail(FRAME_FAULTS.badDeflate)
    return writeFrame(opcode, message, true)
  }

  #fail(fault: FrameFault): null {
    this.fault = fault
    this.#message = EMPTY
    this.#chunk = EMPTY
    this.#at = 0
    return null
  }
}
