/**
 * Writes one HTTP/1.x answer at a time to a socket: framing (RFC 9112, 6), head and first data in one write, a small answer
 * in one TLS record. It knows no request and no exchange.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { fieldLines, getHeader, type HeaderList, hasHeader } from '../http/headers.ts'
import { httpDate } from './clock.ts'
import type { HeaderEdits } from './contracts.ts'
import { applyEdits } from './edits.ts'
import { holdToEndOfTurn, roomForTurn } from './end-of-turn.ts'
import type { AnswerBlock, KeptAnswer } from './kept-answer.ts'
import { writeCopy } from './write-copy.ts'

/** An answer up to this size goes out in one write together with its head. */
const ONE_WRITE_BYTES = 16 * 1024

export class Http1Answer {
  readonly #socket: Socket
  readonly #copiesAtOnce: boolean
  #isEleven = true
  #trailersWanted = false
  #heldHead = ''
  /** What goes out in front of it. */
  #heldBlock: Buffer = NOTHING
  #isChunked = false
  /** Bytes of the promised length that are still owed; -1 where none was promised. */
  #left = -1

  /** `copiesAtOnce`: TLS, which has encrypted what it was given when a write returns. */
  constructor(socket: Socket, copiesAtOnce: boolean) {
    this.#socket = socket
    this.#copiesAtOnce = copiesAtOnce
  }

  /** For the next request: whether it is HTTP/1.1, and whether its client said `TE: trailers`. */
  reset(isEleven: boolean, trailersWanted: boolean): void {
    this.#isEleven = isEleven
    this.#trailersWanted = trailersWanted
    this.#heldHead = ''
    this.#heldBlock = NOTHING
    this.#isChunked = false
    this.#left = -1
  }

  /** 1xx; not for HTTP/1.0 clients (RFC 9110, 15.2). */
  informational(status: number, headers: HeaderList): void {
    if (this.#isEleven) this.#socket.write(`${statusLine(status)}${fieldLines(headers)}\r\n`, 'latin1')
  }

  /** The whole answer; `headers` hold its length, `lines` follow them as they are. */
  whole(status: number, headers: HeaderList, lines: string, body: Buffer, isClosing: boolean): void {
    const head = `${startOf(status, headers)}${lines}${this.#persistence(isClosing)}\r\n`
    const socket = this.#socket
    if (body.length > ONE_WRITE_BYTES) {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
      return
    }
    holdToEndOfTurn(socket)
    const bytes = this.#room(head.length + body.length)
    bytes.write(head, 0, 'latin1')
    body.copy(bytes, head.length)
    socket.write(bytes)
  }

  /**
   * The head of an answer whose body follows. It is held back for a moment, to go out with the first data.
   *
   * @param lines More fields, each with its CRLF, that follow `headers` as they are.
   * @param isBodiless True for HEAD, 204 and 304: whatever the fields say, no body follows (RFC 9112, 6.3).
   * @returns Whether the connection has to end with this answer.
   */
  head(status: number, headers: HeaderList, lines: string, isBodiless: boolean, isClosing: boolean): boolean {
    const length = getHeader(headers, 'content-length')
    let head = startOf(status, headers)
    let mustClose = isClosing
    if (isBodiless) this.#left = 0
    else if (length !== null) this.#left = Number(length)
    else if (this.#isEleven) {
      this.#isChunked = true
      head += 'transfer-encoding: chunked\r\n'
    } else mustClose = true
    this.#heldHead = `${head}${lines}${this.#persistence(mustClose)}\r\n`
    process.nextTick(flush, this)
    return mustClose
  }

  /**
   * The same for a head that was sent before, to a client of HTTP/1.1 and with a body: what was joined then is copied.
   *
   * @returns False where it has to be sent by `head`.
   */
  repeat(kept: KeptAnswer, edits: HeaderEdits, own: HeaderList, id: string): boolean {
    if (!this.#isEleven) return false
    const { status, headers } = kept
    let lines = ''
    for (let i = 0; i < own.length; i += 2) {
      // What the gateway says takes its place, and the block holds it.
      if (hasHeader(headers, own[i]!)) return false
      lines += `${own[i]!}: ${own[i + 1]!}\r\n`
    }
    let block = kept.block
    if (block === null || block.edits !== edits) {
      block = makeBlock(status, headers, edits)
      kept.block = block
    }
    if (!block.hasDate) lines += `date: ${httpDate()}\r\n`
    this.#heldBlock = block.bytes
    this.#heldHead = `${lines}x-request-id: ${id}\r\n\r\n`
    this.#left = block.bodyLength
    this.#isChunked = block.bodyLength === -1
    if (this.#isChunked) process.nextTick(flush, this)
    return true
  }

  /** Sends a head that still waits for data. */
  flush(): void {
    if (this.#heldHead !== '' && !this.#socket.destroyed) this.#write(NOTHING, '')
  }

  /** True when more may be sent at once, false when the client reads slowly, null when it is more than was promised. */
  data(chunk: Buffer): boolean | null {
    const socket = this.#socket
    if (this.#left >= 0) {
      if (chunk.length > this.#left) return null
      this.#left -= chunk.length
    }
    if (chunk.length === 0) return true
    if (this.#isChunked) this.#heldHead += `${chunk.length.toString(16)}\r\n`
    else if (this.#heldHead === '') return this.#writeData(chunk, this.#takesAtOnce)
    const after = this.#isChunked ? '\r\n' : ''
    if (chunk.length <= ONE_WRITE_BYTES) return this.#write(chunk, after)
    const isTaken = this.#takesAtOnce
    socket.cork()
    this.#write(NOTHING, '')
    this.#writeData(chunk, isTaken)
    if (after !== '') socket.write(after, 'latin1')
    socket.uncork()
    return !socket.writableNeedDrain
  }

  /** What is written now has been encrypted when the write returns, or the cork comes out. */
  get #takesAtOnce(): boolean {
    return this.#copiesAtOnce && this.#socket.writableLength === 0
  }

  /** A chunk is its giver's again once it is written: what waits in the socket's queue has to be a copy. */
  #writeData(chunk: Buffer, isTaken: boolean): boolean {
    return isTaken ? this.#socket.write(chunk) : writeCopy(this.#socket, chunk)
  }

  /** False when less was sent than was promised: then it must not look like a whole answer (RFC 9112, 8). */
  end(trailers: HeaderList | null): boolean {
    if (this.#left > 0) return false
    if (this.#isChunked) {
      this.#heldHead += `0\r\n${trailers !== null && this.#trailersWanted ? fieldLines(trailers) : ''}\r\n`
    }
    if (this.#heldHead !== '') this.#write(NOTHING, '')
    return true
  }

  /** What is held, and more, in one piece: each write is a TLS record and a system call. */
  #write(chunk: Buffer, after: string): boolean {
    const block = this.#heldBlock
    const held = this.#heldHead
    this.#heldBlock = NOTHING
    this.#heldHead = ''
    holdToEndOfTurn(this.#socket)
    if (block.length === 0 && chunk.length === 0) return this.#socket.write(held, 'latin1')
    const bytes = this.#room(block.length + held.length + chunk.length + after.length)
    bytes.set(block)
    let at = block.length
    at += bytes.write(held, at, 'latin1')
    bytes.set(chunk, at)
    if (after !== '') bytes.write(after, at + chunk.length, 'latin1')
    return this.#socket.write(bytes)
  }

  /** For a write that is held to the end of the turn. */
  #room(bytes: number): Buffer {
    return this.#takesAtOnce ? roomForTurn(bytes) : Buffer.allocUnsafe(bytes)
  }

  /** 101, and the bytes are no longer HTTP. */
  switchToWebSocket(headers: HeaderList): void {
    this.#socket.write(
      `${statusLine(101)}${fieldLines(headers)}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
      'latin1',
    )
  }

  #persistence(isClosing: boolean): string {
    if (isClosing) return 'connection: close\r\n'
    return this.#isEleven ? '' : 'connection: keep-alive\r\n'
  }
}

function makeBlock(status: number, headers: HeaderList, edits: HeaderEdits): AnswerBlock {
  const length = getHeader(headers, 'content-length')
  const framing = length === null ? 'transfer-encoding: chunked\r\n' : ''
  const text = `${statusLine(status)}${fieldLines(applyEdits(headers, edits))}${framing}${edits.setLines}`
  return {
    edits,
    bytes: Buffer.from(text, 'latin1'),
    hasDate: hasHeader(headers, 'date'),
    bodyLength: length === null ? -1 : Number(length),
  }
}

const NOTHING = Buffer.alloc(0)
const STATUS_LINES = new Map<number, string>()

function statusLine(status: number): string {
  let line = STATUS_LINES.get(status)
  if (line === undefined) {
    line = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n`
    STATUS_LINES.set(status, line)
  }
  return line
}

function startOf(status: number, headers: HeaderList): string {
  const start = statusLine(status) + fieldLines(headers)
  return getHeader(headers, 'date') === null ? `${start}date: ${httpDate()}\r\n` : start
}

function flush(answer: Http1Answer): void {
  answer.flush()
}
