/** Follows the boundaries of WebSocket frames without reading them (RFC 6455, 5.2). Knows no payload. */
import { CLOSE, LONGEST_HEADER, lengthBytes } from './websocket-frames.ts'

/**
 * Follows the frame boundaries of a stream that passes through unread, so that a frame of one's own can be put between
 * two others. It reads headers only and checks nothing: a stream that is not WebSocket gives boundaries without meaning.
 */
export class FrameTracker {
  /** True when a close frame has begun to pass: nothing may be put after it. */
  sawClose = false
  /** Bytes of the running frame that are still to come, once its header is known. */
  #left = 0
  readonly #header: Buffer = Buffer.allocUnsafeSlow(LONGEST_HEADER)
  #have = 0
  #need = 2

  /** True between two frames, where one of our own may go. Control frames may also go between fragments. */
  get isAtBoundary(): boolean {
    return this.#left === 0 && this.#have === 0
  }

  /** Follows the whole chunk. */
  pass(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) at = this.#step(chunk, at)
  }

  /**
   * Follows the chunk to the first boundary only and returns its offset in the chunk (0 when already there, the length
   * of the chunk when the frame ends with it); -1 when the running frame goes on after the chunk.
   */
  passToBoundary(chunk: Buffer): number {
    let at = 0
    while (!this.isAtBoundary) {
      if (at === chunk.length) return -1
      at = this.#step(chunk, at)
    }
    return at
  }

  #step(chunk: Buffer, at: number): number {
    if (this.#left > 0) {
      const taken = Math.min(this.#left, chunk.length - at)
      this.#left -= taken
      return at + taken
    }
    const header = this.#header
    header[this.#have++] = chunk[at]!
    if (this.#have === 2) {
      if ((header[0]! & 0x0f) === CLOSE) this.sawClose = true
      this.#need = 2 + lengthBytes(header[1]! & 0x7f) + (header[1]! >= 0x80 ? 4 : 0)
    }
    if (this.#have > 1 && this.#have === this.#need) {
      this.#have = 0
      this.#need = 2
      const length = header[1]! & 0x7f
      if (length < 126) this.#left = length
      else if (length === 126) this.#left = header.readUInt16BE(2)
      else this.#left = header.readUInt32BE(2) * 0x1_0000_0000 + header.readUInt32BE(6)
    }
    return at + 1
  }
}
