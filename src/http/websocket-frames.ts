/**
 * WebSocket frames (RFC 6455, 5): reading, writing, and following their boundaries. Facts about bytes only: it knows no
 * gateway, no message rules and no extensions.
 */
import { isUtf8 } from 'node:buffer'
import { randomFillSync } from 'node:crypto'

export const CONTINUATION = 0
export const TEXT = 1
export const BINARY = 2
export const CLOSE = 8
export const PING = 9
export const PONG = 10

/** Status codes of RFC 6455, 7.4.1 that the gateway itself says. */
export const CLOSE_CODES = {
  normal: 1000,
  goingAway: 1001,
  protocolError: 1002,
  unsupportedData: 1003,
  invalidPayload: 1007,
  policyViolation: 1008,
  messageTooBig: 1009,
  internalError: 1011,
  serviceRestart: 1012,
  tryAgainLater: 1013,
} as const

const EMPTY = Buffer.alloc(0)
const FIRST_PIECE = 4096
export const LONGEST_HEADER = 14

/** What is wrong with the bytes: the close code to answer with, and words for the close reason. */
export interface FrameFault {
  readonly code: number
  readonly reason: string
}

const fault = (code: number, reason: string): FrameFault => Object.freeze({ code, reason })
/** Everything that can be wrong with the bytes of a frame. */
export const FRAME_FAULTS = Object.freeze({
  reservedBits: fault(1002, 'reserved bits are set'),
  unknownOpcode: fault(1002, 'unknown opcode'),
  unmasked: fault(1002, 'frame is not masked'),
  masked: fault(1002, 'frame is masked'),
  badControl: fault(1002, 'control frame is fragmented or too long'),
  badLength: fault(1002, 'length is not in its shortest form'),
  badSequence: fault(1002, 'fragments are out of order'),
  tooBig: fault(1009, 'message is too big'),
  badDeflate: fault(1007, 'compressed data cannot be read'),
})

/**
 * Reads frames from a byte stream that may be cut anywhere. `push` a chunk, then call `next` until it is false; after
 * each true, `opcode`, `isFinal` and `payload` (unmasked, in memory of its own) describe one frame. When `fault` is not
 * null the stream is broken for good: nothing after it is read. Checked: mask, reserved bits, opcodes, control frames
 * (5.5), order of fragments (5.4), shortest length form (5.2), and the bytes of a whole message against `maxMessageBytes`
 * before its payload is held. UTF-8 is the caller's to check, over the whole message.
 */
export class FrameReader {
  opcode = 0
  isFinal = false
  payload: Buffer = EMPTY
  fault: FrameFault | null = null

  readonly #maxMessageBytes: number
  readonly #masked: boolean
  readonly #header: Buffer = Buffer.allocUnsafeSlow(LONGEST_HEADER)
  #headerHave = 0
  #headerNeed = 2
  #chunk: Buffer = EMPTY
  #at = 0
  #inPayload = false
  #length = 0
  #partial: Buffer = EMPTY
  #partialHave = 0
  #inMessage = false
  #messageBytes = 0

  /** `masked`: true for what a client sends, false for what a server sends. */
  constructor(masked: boolean, maxMessageBytes: number) {
    this.#masked = masked
    this.#maxMessageBytes = maxMessageBytes
  }

  /** True between frames: no byte of an unfinished frame is held. */
  get isAtBoundary(): boolean {
    return this.#headerHave === 0 && !this.#inPayload && this.#at === this.#chunk.length
  }

  /** Takes the next bytes. The chunk is only read, and only until `next` is false. */
  push(chunk: Buffer): void {
    this.#chunk = this.#at < this.#chunk.length ? Buffer.concat([this.#chunk.subarray(this.#at), chunk]) : chunk
    this.#at = 0
  }

  /** True when a whole frame was read; false when more bytes are needed, or after a fault. */
  next(): boolean {
    if (this.fault !== null) return false
    if (!this.#inPayload && !this.#readHeader()) return this.#pause()
    if (!this.#readPayload()) return this.#pause()
    this.#inPayload = false
    this.#headerHave = 0
    this.#headerNeed = 2
    if (this.opcode < CLOSE) {
      this.#inMessage = !this.isFinal
      this.#messageBytes = this.isFinal ? 0 : this.#messageBytes + this.#length
    }
    return true
  }

  #pause(): false {
    // The chunk is read to its end (or never will be): it must not be kept alive until the next one comes.
    this.#chunk = EMPTY
    this.#at = 0
    return false
  }

  #readHeader(): boolean {
    const header = this.#header
    while (this.#headerHave < this.#headerNeed) {
      if (this.#at === this.#chunk.length) return false
      header[this.#headerHave++] = this.#chunk[this.#at++]!
      if (this.#headerHave === 2 && !this.#checkStart(header[0]!, header[1]!)) return false
    }
    return this.#checkLength()
  }

  #checkStart(first: number, second: number): boolean {
    const opcode = first & 0x0f
    const isFinal = first >= 0x80
    const length = second & 0x7f
    if ((first & 0x70) !== 0) return this.#fail(FRAME_FAULTS.reservedBits)
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) return this.#fail(FRAME_FAULTS.unknownOpcode)
    if (second >= 0x80 !== this.#masked) return this.#fail(this.#masked ? FRAME_FAULTS.unmasked : FRAME_FAULTS.masked)
    if (opcode >= CLOSE) {
      if (!isFinal || length > 125) return this.#fail(FRAME_FAULTS.badControl)
    } else if ((opcode === CONTINUATION) !== this.#inMessage) return this.#fail(FRAME_FAULTS.badSequence)
    this.opcode = opcode
    this.isFinal = isFinal
    this.#headerNeed = 2 + lengthBytes(length) + (this.#masked ? 4 : 0)
    return true
  }

  #checkLength(): boolean {
    const header = this.#header
    let length = header[1]! & 0x7f
    if (length === 126) {
      length = header.readUInt16BE(2)
      if (length < 126) return this.#fail(FRAME_FAULTS.badLength)
    } else if (length === 127) {
      if (header[2]! >= 0x80) return this.#fail(FRAME_FAULTS.badLength)
      length = header.readUInt32BE(2) * 0x1_0000_0000 + header.readUInt32BE(6)
      if (length < 0x1_0000) return this.#fail(FRAME_FAULTS.badLength)
    }
    if (this.opcode < CLOSE && this.#messageBytes + length > this.#maxMessageBytes)
      return this.#fail(FRAME_FAULTS.tooBig)
    this.#length = length
    this.#inPayload = true
    this.#partialHave = 0
    return true
  }

  #readPayload(): boolean {
    const length = this.#length
    const left = this.#chunk.length - this.#at
    if (this.#partialHave === 0 && left >= length) {
      this.payload = length === 0 ? EMPTY : Buffer.allocUnsafe(length)
      this.#chunk.copy(this.payload, 0, this.#at, this.#at + length)
      this.#at += length
      return this.#unmasked()
    }
    const taken = Math.min(left, length - this.#partialHave)
    const have = this.#partialHave + taken
    if (have > this.#partial.length) this.#grow(have)
    this.#chunk.copy(this.#partial, this.#partialHave, this.#at, this.#at + taken)
    this.#at += taken
    this.#partialHave = have
    if (have < length) return false
    this.payload = this.#partial.subarray(0, length)
    this.#partial = EMPTY
    this.#partialHave = 0
    return this.#unmasked()
  }

  // Doubling, not the announced length: a header alone must not make the gateway hold megabytes.
  #grow(need: number): void {
    const size = Math.min(this.#length, Math.max(need, this.#partial.length * 2, FIRST_PIECE))
    const grown = Buffer.allocUnsafeSlow(size)
    this.#partial.copy(grown, 0, 0, this.#partialHave)
    this.#partial = grown
  }

  #unmasked(): true {
    if (this.#masked) applyMask(this.payload, this.#header, this.#headerNeed - 4)
    return true
  }

  #fail(what: FrameFault): false {
    this.fault = what
    this.#partial = EMPTY
    return false
  }
}

/** Bytes of the extended length that a 7-bit length announces. */
export function lengthBytes(length: number): number {
  if (length < 126) return 0
  return length === 126 ? 2 : 8
}

const WORDS_FROM = 64
const LITTLE_ENDIAN = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1

/** XORs the payload in place with the four bytes of `key` at `keyAt` (RFC 6455, 5.3). */
export function applyMask(payload: Buffer, key: Buffer, keyAt: number): void {
  const a = key[keyAt]!
  const b = key[keyAt + 1]!
  const c = key[keyAt + 2]!
  const d = key[keyAt + 3]!
  let i = 0
  if (LITTLE_ENDIAN && payload.length >= WORDS_FROM && (payload.byteOffset & 3) === 0) {
    const words = new Int32Array(payload.buffer, payload.byteOffset, payload.length >> 2)
    const word = a | (b << 8) | (c << 16) | (d << 24)
    for (let w = 0; w < words.length; w++) words[w]! ^= word
    i = words.length << 2
  }
  for (; i + 3 < payload.length; i += 4) {
    payload[i]! ^= a
    payload[i + 1]! ^= b
    payload[i + 2]! ^= c
    payload[i + 3]! ^= d
  }
  if (i < payload.length) payload[i]! ^= a
  if (i + 1 < payload.length) payload[i + 1]! ^= b
  if (i + 2 < payload.length) payload[i + 2]! ^= c
}

// Masks must not be predictable (RFC 6455, 10.3); a pool spares a system call per frame.
const keys = Buffer.allocUnsafeSlow(8192)
let keysAt = keys.length

/** One whole, final frame. `masked`: true towards a server, false towards a client. The payload is copied. */
export function writeFrame(opcode: number, payload: Buffer, masked: boolean): Buffer {
  const length = payload.length
  const extra = length < 126 ? 0 : length < 0x1_0000 ? 2 : 8
  const start = 2 + extra + (masked ? 4 : 0)
  const frame = Buffer.allocUnsafe(start + length)
  const bit = masked ? 0x80 : 0
  frame[0] = 0x80 | opcode
  if (extra === 0) frame[1] = bit | length
  else if (extra === 2) {
    frame[1] = bit | 126
    frame.writeUInt16BE(length, 2)
  } else {
    frame[1] = bit | 127
    frame.writeUInt32BE(Math.floor(length / 0x1_0000_0000), 2)
    frame.writeUInt32BE(length >>> 0, 6)
  }
  payload.copy(frame, start)
  if (masked) {
    if (keysAt === keys.length) {
      randomFillSync(keys)
      keysAt = 0
    }
    keys.copy(frame, start - 4, keysAt, keysAt + 4)
    keysAt += 4
    applyMask(frame.subarray(start), frame, start - 4)
  }
  return frame
}

/** True for the codes that may stand in a close frame (RFC 6455, 7.4, and the IANA registry). */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== 1005 && code !== 1006
}

const LONGEST_REASON = 123

/** A close frame. The reason is cut to 123 bytes without breaking a character. */
export function closeFrame(code: number, reason: string, masked: boolean): Buffer {
  let words = Buffer.from(reason)
  if (words.length > LONGEST_REASON) {
    let end = LONGEST_REASON
    while ((words[end]! & 0xc0) === 0x80) end--
    words = words.subarray(0, end)
  }
  const payload = Buffer.allocUnsafe(2 + words.length)
  payload.writeUInt16BE(code, 0)
  words.copy(payload, 2)
  return writeFrame(CLOSE, payload, masked)
}

/** What a close frame says; code 1005 where it says nothing. Null when the payload is not allowed (RFC 6455, 5.5.1). */
export function parseClose(payload: Buffer): { code: number; reason: string } | null {
  if (payload.length === 0) return { code: 1005, reason: '' }
  if (payload.length === 1) return null
  const code = payload.readUInt16BE(0)
  const reason = payload.subarray(2)
  if (!isCloseCode(code) || !isUtf8(reason)) return null
  return { code, reason: reason.toString() }
}
