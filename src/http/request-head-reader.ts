/**
 * Finds the end of request heads in bytes that come in pieces, each byte looked at a bounded number of times, and refuses
 * what cannot become a head any more without waiting for its end. It knows no socket and no field's meaning.
 */
import type { FailureCode } from '../errors.ts'
import { FORBIDDEN } from './field-lines.ts'

export interface HeadLimits {
  /** Bytes of the whole head. */
  readonly maxHeaderBytes: number
  /** Bytes of the request target. */
  readonly maxTargetBytes: number
}

const CRLFCRLF = '\r\n\r\n'
/** The method and the version share the line with the target. */
const BESIDE_TARGET_BYTES = 48
const TOKEN_CHARACTER = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]/
/** What no request line holds; a CR may be the first half of its end. */
const NO_REQUEST_LINE = /[\0-\x08\x0a-\x0c\x0e-\x1f\x7f]|\r(?!\n|$)/

export class RequestHeadReader {
  /** The head that was found, up to the CRLF CRLF and with it (latin1). */
  text = ''
  /** What came behind it. */
  rest: Buffer | null = null
  /** True from the first byte on, until the head is whole. */
  isBegun = false
  #parts: Buffer[] = []
  #length = 0
  /** The last characters, in which the end may have begun. */
  #tail = ''
  #lineEnded = false
  #emptyLineSkipped = false

  /** 'whole' with `text` and `rest` set, 'more', or the code to refuse with. */
  read(bytes: Buffer, limits: HeadLimits): 'whole' | 'more' | FailureCode {
    this.isBegun = true
    let chunk = bytes
    if (this.#length <= 1 && !this.#emptyLineSkipped) {
      // A single empty line before a request is skipped (RFC 9112, 2.2); it may come in halves.
      const start = this.#length === 0 ? chunk : Buffer.concat([...this.#parts, chunk])
      if (start.length === 1 && start[0] === 0x0d) return this.#keep(chunk, '\r')
      if (start[0] === 0x0d && start[1] === 0x0a) {
        this.#parts = []
        this.#length = 0
        this.#tail = ''
        this.#emptyLineSkipped = true
        chunk = start.subarray(2)
      }
    }
    if (chunk.length === 0) return 'more'
    const piece = chunk.toString('latin1', 0, Math.min(chunk.length, limits.maxHeaderBytes - this.#length + 1))
    const seam = this.#tail + piece
    const seamAt = this.#length - this.#tail.length
    const found = seam.indexOf(CRLFCRLF)
    const end = found === -1 ? -1 : seamAt + found + 4
    if (end !== -1 && end <= limits.maxHeaderBytes) return this.#finish(chunk, piece, end)
    return this.#judge(seam, seamAt, limits) ?? this.#keep(chunk, seam)
  }

  #keep(chunk: Buffer, seam: string): 'more' {
    // Its giver may write the next piece over it.
    this.#parts.push(Buffer.from(chunk))
    this.#length += chunk.length
    this.#tail = seam.slice(-3)
    return 'more'
  }

  #finish(chunk: Buffer, piece: string, end: number): 'whole' {
    const used = end - this.#length
    // Never a part of a longer string: what is kept of a head must not keep what came behind it.
    if (this.#length > 0) this.text = Buffer.concat([...this.#parts, chunk.subarray(0, used)], end).toString('latin1')
    else this.text = used === piece.length ? piece : chunk.toString('latin1', 0, used)
    this.rest = used === chunk.length ? null : chunk.subarray(used)
    this.isBegun = false
    this.#parts = []
    this.#length = 0
    this.#tail = ''
    this.#lineEnded = false
    this.#emptyLineSkipped = false
    return 'whole'
  }

  /** Null where it is worth waiting. */
  #judge(seam: string, seamAt: number, limits: HeadLimits): FailureCode | null {
    if (seamAt === 0 && !TOKEN_CHARACTER.test(seam)) return 'bad-request-line'
    const length = seamAt + seam.length
    let fields = seam
    if (!this.#lineEnded) {
      const lineEnd = seam.indexOf('\r\n')
      const line = lineEnd === -1 ? seam : seam.slice(0, lineEnd)
      if (NO_REQUEST_LINE.test(line) || (lineEnd !== -1 && line.endsWith('\r'))) return 'bad-request-line'
      const lineLength = lineEnd === -1 ? length : seamAt + lineEnd
      if (lineLength > limits.maxTargetBytes + BESIDE_TARGET_BYTES) return 'target-too-long'
      if (lineEnd === -1) return length > limits.maxHeaderBytes ? 'headers-too-large' : null
      this.#lineEnded = true
      fields = seam.slice(lineEnd)
    }
    if (length > limits.maxHeaderBytes) return 'headers-too-large'
    // What stood before the first LF was looked at with it; a last CR waits for its LF.
    const from = fields.charCodeAt(0) === 0x0a ? 1 : 0
    const to = fields.endsWith('\r') ? fields.length - 1 : fields.length
    return FORBIDDEN.test(fields.slice(from, to)) ? 'bad-header' : null
  }
}
