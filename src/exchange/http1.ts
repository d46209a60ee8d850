/**
 * The HTTP/1.x server engine: one connection, its requests one after the other (pipelined ones in order), its answers.
 * It knows bytes and exchanges; what becomes of an exchange is the pipeline's business.
 */
import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Failure, type FailureCode } from '../errors.ts'
import { ChunkedDecoder } from '../http/chunked.ts'
import { bodyFraming } from '../http/framing.ts'
import { countHeader, getHeader, type HeaderList, hasToken, joinHeader } from '../http/headers.ts'
import { parseRequestHead, type RequestHeadText } from '../http/request-head.ts'
import { httpDate, joinClock, leaveClock, TICK_MS, type Ticking } from './clock.ts'
import type { ClientHalf, ListenerPlan } from './contracts.ts'
import { Exchange, type Peer } from './exchange.ts'

/** What a listener tells an engine, and what it holds of it. */
export interface ConnectionOwner {
  /** The plan for the next exchange. */
  readonly plan: ListenerPlan
  onConnectionEnd(connection: Connection): void
}

export interface Connection {
  /** Ends after the running exchanges; at once where there are none. */
  drain(): void
  destroy(): void
}

const CRLFCRLF = '\r\n\r\n'
/** An answer up to this size goes out in one write together with its head. */
const ONE_WRITE_BYTES = 16 * 1024
/** What a client may still send after an answer that ends the connection, before it is cut. */
const LINGER_BYTES = 1024 * 1024
const LINGER_MS = 3000
/** How long an idle connection stays open for a last request when the gateway drains. */
const DRAIN_IDLE_MS = 1000
/** Pipelined bytes kept while an answer is running. */
const MAX_AHEAD_BYTES = 64 * 1024

export class Http1Connection implements ClientHalf, Ticking, Connection, Peer {
  readonly address: string
  readonly secure: boolean
  readonly serverName: string
  readonly localPort: number
  readonly #socket: Socket
  readonly #owner: ConnectionOwner
  readonly #bornAt = performance.now()

  #x: Exchange | null = null
  #pending: Buffer | null = null
  #requests = 0
  /** When the present wait ends, in `performance.now()` milliseconds; 0 is no deadline. */
  #deadline = 0

  // the request that is being read
  #headBegun = false
  #bodyLeft = 0
  #chunks: ChunkedDecoder | null = null
  #bodyDone = true
  #bodyFlows = false
  #bodyBytes = 0
  #bodyFlowingMs = 0
  #continueWanted = false

  // the answer that is being written
  #heldHead = ''
  #chunkedAnswer = false
  #answerLeft = -1
  #closing = false
  #answering = false
  #minor = 1
  #sentTrailersWanted = false

  #draining = false
  #processing = false
  #ended = false
  #lingering = false
  #lingered = 0
  #tunnelled = false
  #stuckMs = 0
  #lastQueued = 0

  readonly #onData = (chunk: Buffer): void => this.#read(chunk)
  readonly #onDrain = (): void => this.#x?.upstream?.onClientDrain()
  readonly #onClose = (): void => this.#closed()

  constructor(socket: Socket, address: string, serverName: string, secure: boolean, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    this.address = address
    this.secure = secure
    this.serverName = serverName
    this.localPort = socket.localPort ?? 0
    this.#deadline = this.#bornAt + owner.plan.limits.headersMs
    socket.setNoDelay(true)
    socket.on('data', this.#onData)
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    socket.on('error', ignoreError)
    joinClock(this)
  }

  // --- reading ---

  #read(chunk: Buffer): void {
    if (this.#ended) return
    if (this.#lingering) {
      this.#lingered += chunk.length
      if (this.#lingered > LINGER_BYTES) this.destroy()
      return
    }
    this.#pending = this.#pending === null ? chunk : Buffer.concat([this.#pending, chunk])
    this.#process()
  }

  #process(): void {
    if (this.#processing) return
    this.#processing = true
    while (this.#pending !== null && !this.#ended && !this.#lingering) {
      if (this.#x === null) {
        if (!this.#readHead(this.#pending)) break
      } else if (!this.#bodyDone) {
        if (!this.#bodyFlows) {
          this.#socket.pause()
          break
        }
        this.#readBody(this.#pending)
      } else {
        // The next request waits for this answer; the client is not read much further ahead.
        if (this.#pending.length > MAX_AHEAD_BYTES) this.#socket.pause()
        break
      }
    }
    this.#processing = false
  }

  /** False: more bytes are needed, or the connection is ending. */
  #readHead(bytes: Buffer): boolean {
    const limits = this.#owner.plan.limits
    // A single empty line before a request is skipped (RFC 9112, 2.2).
    if (bytes[0] === 0x0d && bytes[1] === 0x0a && this.#requests > 0 && !this.#headBegun) {
      this.#pending = bytes.length === 2 ? null : bytes.subarray(2)
      if (this.#pending === null) return false
      return this.#readHead(this.#pending)
    }
    const text = bytes.toString('latin1', 0, Math.min(bytes.length, limits.maxHeaderBytes + 1))
    const end = text.indexOf(CRLFCRLF)
    if (end === -1 || end + 4 > limits.maxHeaderBytes) return this.#incompleteHead(text, limits.maxHeaderBytes, limits.maxTargetBytes)
    const used = end + 4
    this.#pending = used === bytes.length ? null : bytes.subarray(used)
    const head = parseRequestHead(used === text.length ? text : text.slice(0, used), limits.maxHeaders)
    if (typeof head === 'string') return this.#refuseBytes(head)
    if (head.target.length > limits.maxTargetBytes) return this.#refuseBytes('target-too-long')
    return this.#begin(head)
  }

  #incompleteHead(text: string, maxHeaderBytes: number, maxTargetBytes: number): boolean {
    const lineEnd = text.indexOf('\r\n')
    if (text.charCodeAt(0) === 0x16 && !this.secure) return this.#refuseBytes('bad-request-line')
    // What cannot become a request line is not waited for.
    if (lineEnd === -1 && /^[^A-Za-z]|[\0-\x08\x0a-\x0c\x0e-\x1f\x7f]/.test(text)) return this.#refuseBytes('bad-request-line')
    if (lineEnd === -1 && text.length > maxTargetBytes + 32) return this.#refuseBytes('target-too-long')
    if (lineEnd > maxTargetBytes + 32) return this.#refuseBytes('target-too-long')
    if (text.length > maxHeaderBytes) return this.#refuseBytes('headers-too-large')
    if (!this.#headBegun) {
      this.#headBegun = true
      this.#deadline = performance.now() + this.#owner.plan.limits.headersMs
    }
    return false
  }

  #begin(head: RequestHeadText): boolean {
    this.#headBegun = false
    const headers = head.headers
    if (countHeader(headers, 'host') !== 1) return this.#refuseBytes('bad-host')
    const protocol = head.minor === 1 ? 'http/1.1' : 'http/1.0'
    const bodyLength = bodyFraming(headers, protocol)
    if (bodyLength === 'bad-framing') return this.#refuseBytes(bodyLength)
    this.#requests++
    this.#minor = head.minor
    this.#deadline = 0
    const plan = this.#owner.plan
    const connection = joinHeader(headers, 'connection')
    this.#closing =
      this.#draining ||
      (head.minor === 1 ? hasToken(connection, 'close') : !hasToken(connection, 'keep-alive')) ||
      this.#requests >= plan.limits.maxRequestsPerConnection ||
      performance.now() - this.#bornAt > plan.limits.maxConnectionAgeMs
    this.#bodyLeft = bodyLength
    this.#chunks = bodyLength === -1 ? new ChunkedDecoder() : null
    this.#bodyDone = bodyLength === 0
    this.#bodyFlows = false
    this.#bodyBytes = 0
    this.#bodyFlowingMs = 0
    this.#continueWanted = !this.#bodyDone && head.minor === 1 && hasToken(getHeader(headers, 'expect'), '100-continue')
    this.#sentTrailersWanted = hasToken(joinHeader(headers, 'te'), 'trailers')
    this.#chunkedAnswer = false
    this.#answerLeft = -1
    this.#heldHead = ''
    this.#answering = true
    this.#stuckMs = 0
    const x = new Exchange(
      {
        protocol,
        method: head.method,
        target: head.target,
        authority: getHeader(headers, 'host'),
        headers,
        bodyLength,
        connectProtocol: null,
      },
      this,
      this,
      plan,
    )
    this.#x = x
    plan.run(x)
    return true
  }

  #readBody(bytes: Buffer): void {
    const x = this.#x!
    if (this.#chunks === null) {
      const piece = bytes.length > this.#bodyLeft ? bytes.subarray(0, this.#bodyLeft) : bytes
      this.#pending = piece.length === bytes.length ? null : bytes.subarray(piece.length)
      this.#bodyLeft -= piece.length
      this.#bodyBytes += piece.length
      this.#bodyDone = this.#bodyLeft === 0
      x.onBodyData(piece)
    } else {
      const used = this.#chunks.decode(bytes, this.#onPiece)
      this.#pending = used === bytes.length ? null : bytes.subarray(used)
      if (this.#chunks.bad) {
        this.#closing = true
        this.#pending = null
        x.refuse('bad-chunk')
        return
      }
      this.#bodyDone = this.#chunks.ended
    }
    if (this.#bodyDone && this.#x === x) {
      x.onBodyEnd()
      this.#settle()
    }
  }

  readonly #onPiece = (piece: Buffer): boolean => {
    this.#bodyBytes += piece.length
    this.#x?.onBodyData(piece)
    return this.#bodyFlows && this.#x !== null
  }

  resumeBody(): void {
    if (this.#bodyFlows || this.#ended || this.#bodyDone) return
    this.#bodyFlows = true
    if (this.#continueWanted) {
      this.#continueWanted = false
      if (this.#pending === null) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    }
    this.#socket.resume()
    // Not from within a stage: what has come already is read when the running code is done.
    if (this.#pending !== null) process.nextTick(continueReading, this)
  }

  pauseBody(): void {
    this.#bodyFlows = false
  }

  continueReading(): void {
    this.#process()
  }

  // --- answering ---

  sendInformational(status: number, headers: HeaderList): void {
    if (this.#minor === 0 || this.#ended) return
    this.#socket.write(`${statusLine(status)}${fields(headers)}\r\n`, 'latin1')
  }

  sendHead(status: number, headers: HeaderList, body: Buffer | null): void {
    if (this.#ended) return
    this.#skipSmallBody()
    if (!this.#bodyDone) this.#closing = true
    let head = statusLine(status) + fields(headers)
    if (getHeader(headers, 'date') === null) head += `date: ${httpDate()}\r\n`
    if (body === null) {
      const length = getHeader(headers, 'content-length')
      const bodiless = this.#x!.method === 'HEAD' || status === 204 || status === 304
      if (bodiless) this.#answerLeft = 0
      else if (length !== null) this.#answerLeft = Number(length)
      else if (this.#minor === 1) {
        this.#chunkedAnswer = true
        head += 'transfer-encoding: chunked\r\n'
      } else this.#closing = true
    }
    if (this.#closing) head += 'connection: close\r\n'
    else if (this.#minor === 0) head += 'connection: keep-alive\r\n'
    head += '\r\n'
    if (body !== null) {
      this.#writeWhole(head, body)
      this.#answered()
      return
    }
    // Head and first data go out together; without data soon, the head goes alone.
    this.#heldHead = head
    process.nextTick(flushHead, this)
  }

  flushHead(): void {
    if (this.#heldHead === '' || this.#ended) return
    const head = this.#heldHead
    this.#heldHead = ''
    this.#socket.write(head, 'latin1')
  }

  sendData(chunk: Buffer): boolean {
    if (this.#ended) return true
    if (this.#answerLeft >= 0) {
      if (chunk.length > this.#answerLeft) {
        this.destroy()
        return true
      }
      this.#answerLeft -= chunk.length
    }
    const before = this.#heldHead + (this.#chunkedAnswer ? `${chunk.length.toString(16)}\r\n` : '')
    this.#heldHead = ''
    if (this.#chunkedAnswer && chunk.length === 0) return true
    const socket = this.#socket
    if (before === '') return socket.write(chunk)
    const after = this.#chunkedAnswer ? 2 : 0
    if (chunk.length <= ONE_WRITE_BYTES) {
      const whole = Buffer.allocUnsafe(before.length + chunk.length + after)
      whole.write(before, 0, 'latin1')
      chunk.copy(whole, before.length)
      if (after !== 0) whole.write('\r\n', before.length + chunk.length, 'latin1')
      return socket.write(whole)
    }
    socket.cork()
    socket.write(before, 'latin1')
    socket.write(chunk)
    if (after !== 0) socket.write('\r\n', 'latin1')
    socket.uncork()
    return !socket.writableNeedDrain
  }

  sendEnd(trailers: HeaderList | null): void {
    if (this.#ended) return
    // A length that was promised and not kept must not look like a whole answer (RFC 9112, 8).
    if (this.#answerLeft > 0) {
      this.destroy()
      return
    }
    let tail = this.#heldHead
    this.#heldHead = ''
    if (this.#chunkedAnswer) {
      tail += `0\r\n${trailers !== null && this.#sentTrailersWanted ? fields(trailers) : ''}\r\n`
    }
    if (tail !== '') this.#socket.write(tail, 'latin1')
    this.#answered()
  }

  abort(_why: Failure): void {
    this.destroy()
  }

  openTunnel(headers: HeaderList): Duplex {
    const socket = this.#socket
    socket.off('data', this.#onData)
    socket.off('drain', this.#onDrain)
    socket.pause()
    this.#tunnelled = true
    this.#deadline = 0
    socket.write(`${statusLine(101)}${fields(headers)}connection: Upgrade\r\nupgrade: websocket\r\n\r\n`, 'latin1')
    if (this.#pending !== null) socket.unshift(this.#pending)
    this.#pending = null
    return socket
  }

  closeAfterAnswer(): void {
    this.#closing = true
  }

  #writeWhole(head: string, body: Buffer): void {
    const socket = this.#socket
    if (body.length > ONE_WRITE_BYTES) {
      socket.cork()
      socket.write(head, 'latin1')
      socket.write(body)
      socket.uncork()
      return
    }
    const whole = Buffer.allocUnsafe(head.length + body.length)
    whole.write(head, 0, 'latin1')
    body.copy(whole, head.length)
    socket.write(whole)
  }

  /** A refused request whose body is here already need not cost the connection. */
  #skipSmallBody(): void {
    if (this.#bodyDone || this.#chunks !== null || this.#pending === null || this.#pending.length < this.#bodyLeft) return
    this.#pending = this.#pending.length === this.#bodyLeft ? null : this.#pending.subarray(this.#bodyLeft)
    this.#bodyLeft = 0
    this.#bodyDone = true
  }

  #answered(): void {
    this.#answering = false
    this.#settle()
  }

  /** The exchange is over when its answer is written and its body is read: then comes the next, or the end. */
  #settle(): void {
    if (this.#answering || this.#ended || this.#x === null) return
    this.#x = null
    if (this.#closing || !this.#bodyDone) {
      this.#endGently()
      return
    }
    this.#deadline = performance.now() + this.#owner.plan.limits.idleMs
    if (this.#pending !== null) process.nextTick(continueReading, this)
    this.#socket.resume()
  }

  // --- ending ---

  /** Answers bytes that never became an exchange, and ends. Always false. */
  #refuseBytes(code: FailureCode): false {
    const plan = this.#owner.plan
    plan.onRefusedBytes(code, this.address)
    this.#socket.write(plan.canned(code))
    this.#pending = null
    this.#endGently()
    return false
  }

  /**
   * Ends our side, and reads on for a moment: a reset while the client still sends would take the answer with it
   * (RFC 9112, 9.6).
   */
  #endGently(): void {
    if (this.#lingering || this.#ended) return
    this.#lingering = true
    this.#pending = null
    this.#deadline = performance.now() + LINGER_MS
    this.#socket.end()
    this.#socket.resume()
  }

  drain(): void {
    this.#draining = true
    this.#closing = true
    // A request may be on its way: it is still answered, and told that it was the last.
    if (this.#x === null && this.#pending === null) this.#deadline = performance.now() + DRAIN_IDLE_MS
  }

  destroy(): void {
    if (!this.#ended) this.#socket.destroy()
    this.#closed()
  }

  #closed(): void {
    if (this.#ended) return
    this.#ended = true
    leaveClock(this)
    this.#pending = null
    const x = this.#x
    this.#x = null
    if (x !== null && !this.#tunnelled) x.onClientGone(new Failure('client-gone'))
    this.#owner.onConnectionEnd(this)
  }

  onTick(now: number): void {
    if (this.#deadline !== 0 && now > this.#deadline) {
      this.#deadline = 0
      // A head that has begun is owed an answer; a connection that said nothing is not.
      if (this.#headBegun && !this.#lingering) this.#refuseBytes('headers-timeout')
      else this.destroy()
      return
    }
    if (this.#tunnelled) return
    this.#x?.onTick(now)
    this.#checkBodyRate()
    this.#checkReader()
  }

  /** A body that comes slower than the minimum rate is a slow attack: the time that we paused it does not count. */
  #checkBodyRate(): void {
    if (this.#bodyDone || !this.#bodyFlows || this.#x === null) return
    const limits = this.#owner.plan.limits
    this.#bodyFlowingMs += TICK_MS
    const judgedMs = this.#bodyFlowingMs - limits.bodyGraceMs
    if (judgedMs > 0 && this.#bodyBytes < (judgedMs / 1000) * limits.bodyMinRate) {
      this.#closing = true
      this.#x.refuse('body-timeout')
    }
  }

  /** A client that takes nothing of what is queued for it is cut. */
  #checkReader(): void {
    const queued = this.#socket.writableLength
    if (queued === 0 || queued < this.#lastQueued) this.#stuckMs = 0
    else this.#stuckMs += TICK_MS
    this.#lastQueued = queued
    if (this.#stuckMs > this.#owner.plan.limits.sendMs) this.destroy()
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

function fields(headers: HeaderList): string {
  let text = ''
  for (let i = 0; i < headers.length; i += 2) text += `${headers[i]!}: ${headers[i + 1]!}\r\n`
  return text
}

function flushHead(connection: Http1Connection): void {
  connection.flushHead()
}

function continueReading(connection: Http1Connection): void {
  connection.continueReading()
}

/** A socket error is followed by 'close', which ends everything. */
function ignoreError(): void {}
