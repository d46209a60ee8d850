/**
 * Writes one HTTP/1.x answer at a time to a socket: framing (RFC 9112, 6), head and first data in one write, a small answer
 * in one TLS record. It knows no request and no exchange.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import { getHeader, type HeaderList } from '../http/headers.ts'
import { httpDate } from './clock.ts'

/** An answer up to this size goes out in one write together with its head. */
const ONE_WRITE_BYTES = 16 * 1024

export class Http1Answer {
  readonly #socket: Socket
  readonly #copiesAtOnce: boolean
  #minor = 1
  #trailersWanted = false
  #heldHead = ''
  #isChunked = false
  /** Bytes of the promised length that are still owed; -1 where none was promised. */
  #left = -1

  /** `copiesAtOnce`: TLS, which has encrypted what it was given when a write returns. */
  constructor(socket: Socket, copiesAtOnce: boolean) {
    this.#socket = socket
    this.#copiesAtOnce = copiesAtOnce
  }

  /** For the next request: its minor version, and whether its client said `TE: trailers`. */
  reset(minor: number, trailersWanted: boolean): void {
    this.#minor = minor
    this.#trailersWanted = trailersWanted
    this.#heldHead = ''
    this.#isChunked = false
    this.#left = -1
  }

  /** 1xx; not for HTTP/1.0 clients (RFC 9110, 15.2). */
  informational(status: number, headers: HeaderList): void {
    if (this.#minor === 1) this.#socket.write(`${statusLine(status)}${fields(headers)}\r\n`, 'latin1')
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
    const bytes = Buffer.allocUnsafe(head.length + body.length)
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
    else if (this.#minor === 1) {
      this.#isChunked = true
      head += 'transfer-encoding: chunked\r\n'
    } else mustClose = true
    this.#heldHead = `${head}${lines}${this.#persistence(mustClose)}\r\n`
    process.nextTick(flush, this)
    return mustClose
  }

  /** Sends a head that still waits for data. */
  flush(): void {
    if (this.#heldHead === '' || this.#socket.destroyed) return
    const head = this.#heldHead
    this.#heldHead = ''
    this.#socket.write(head, 'latin1')
  }

  /** True when more may be sent at once, false when the client reads slowly, null when it is more than was promised. */
  data(chunk: Buffer): boolean | null {
    const socket = this.#socket
    if (this.#left >= 0) {
      if (chunk.length > this.#left) return null
      this.#left -= chunk.length
    }
    if (chunk.length === 0) return true
    const before = this.#isChunked ? `${this.#heldHead}${chunk.length.toString(16)}\r\n` : this.#heldHead
    this.#heldHead = ''
    if (before === '') return socket.write(this.#lasting(chunk))
    const after = this.#isChunked ? 2 : 0
    if (chunk.length <= ONE_WRITE_BYTES) {
      const bytes = Buffer.allocUnsafe(before.length + chunk.length + after)
      bytes.write(before, 0, 'latin1')
      chunk.copy(bytes, before.length)
      if (after !== 0) bytes.write('\r\n', before.length + chunk.length, 'latin1')
      return socket.write(bytes)
    }
    const bytes = this.#lasting(chunk)
    socket.cork()
    socket.write(before, 'latin1')
    socket.write(bytes)
    if (after !== 0) socket.write('\r\n', 'latin1')
    socket.uncork()
    return !socket.writableNeedDrain
  }

  /** A chunk is its giver's again once it is written: what waits in the socket's queue has to be a copy. */
  #lasting(chunk: Buffer): Buffer {
    return this.#copiesAtOnce && this.#socket.writableLength === 0 ? chunk : Buffer.from(chunk)
  }

  /** False when less was sent than was promised: then it must not look like a whole answer (RFC 9112, 8). */
  end(trailers: HeaderList | null): boolean {
    if (this.#left > 0) return false
    let tail = this.#heldHead
    this.#heldHead = ''
    if (this.#isChunked) tail += `0\r\n${trailers !== null && this.#trailersWanted ? fields(trailers) : ''}\r\n`
    if (tail !== '') this.#socket.write(tail, 'latin1')
    return true
  }

  /** 101, and the bytes are no longer HTTP. */
  switchToWebSocket(headers: HeaderList): void {
    this.#socket.write(
      `${statusLine(101)}${fields(headers)}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
      'latin1',
    )
  }

  #persistence(isClosing: boolean): string {
    if (isClosing) return 'connection: close\r\n'
    return this.#minor === 0 ? 'connection: keep-alive\r\n' : ''
  }
}

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
  const start = statusLine(status) + fields(headers)
  return getHeader(headers, 'date') === null ? `${start}date: ${httpDate()}\r\n` : start
}

function fields(headers: HeaderList): string {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]!}: ${headers[i + 1]!}\r\n`
  return text
}

function flush(answer: Http1Answer): void {
  answer.flush()
}
