/**
 * The header of one client frame, checked before its payload has come (RFC 6455, 5.2 to 5.5). It looks at bytes that lie
 * together; who feeds it keeps a header that is cut.
 */
import { BINARY, CLOSE, CONTINUATION, FRAME_FAULTS, type FrameFault, lengthBytes, PONG } from './websocket-frames.ts'

/** Reads the headers of a client's frames one after the other, and keeps what the order of fragments needs. */
export class FrameHeader {
  opcode = 0
  isFinal = false
  /** Bytes of the payload. */
  length = 0
  /** Bytes of the header itself. */
  size = 0
  fault: FrameFault | null = null

  readonly #maxMessageBytes: number
  #inMessage = false
  #messageBytes = 0

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes
  }

  /** False where bytes are missing, or where `fault` says what is wrong. Reading again changes nothing. */
  read(bytes: Buffer, at: number): boolean {
    if (bytes.length - at < 2) return false
    const first = bytes[at]!
    const second = bytes[at + 1]!
    const opcode = first & 0x0f
    const isFinal = first >= 0x80
    const short = second & 0x7f
    if ((first & 0x70) !== 0) return this.#fail(FRAME_FAULTS.reservedBits)
    if (opcode > PONG || (opcode > BINARY && opcode < CLOSE)) return this.#fail(FRAME_FAULTS.unknownOpcode)
    if (second < 0x80) return this.#fail(FRAME_FAULTS.unmasked)
    if (opcode >= CLOSE) {
      if (!isFinal || short > 125) return this.#fail(FRAME_FAULTS.badControl)
    } else if ((opcode === CONTINUATION) !== this.#inMessage) return this.#fail(FRAME_FAULTS.badSequence)
    const size = 2 + lengthBytes(short) + 4
    if (bytes.length - at < size) return false
    let length = short
    if (short === 126) {
      length = bytes.readUInt16BE(at + 2)
      if (length < 126) return this.#fail(FRAME_FAULTS.badLength)
    } else if (short === 127) {
      if (bytes[at + 2]! >= 0x80) return this.#fail(FRAME_FAULTS.badLength)
      length = bytes.readUInt32BE(at + 2) * 0x1_0000_0000 + bytes.readUInt32BE(at + 6)
      if (length < 0x1_0000) return this.#fail(FRAME_FAULTS.badLength)
    }
    if (opcode < CLOSE && this.#messageBytes + length > this.#maxMessageBytes) return this.#fail(FRAME_FAULTS.tooBig)
    this.opcode = opcode
    this.isFinal = isFinal
    this.length = length
    this.size = size
    return true
  }

  /** The frame whose header was read counts: the next one follows it. */
  accept(): void {
    if (this.opcode >= CLOSE) return
    this.#inMessage = !this.isFinal
    this.#messageBytes = this.isFinal ? 0 : this.#messageBytes + this.length
  }

  #fail(what: FrameFault): false {
    this.fault = what
    return false
  }
}
