/**
 * The HTTP/1.x server engine: one connection, its requests one after the other (pipelined ones in order), its answers.
 * It knows bytes and exchanges; what becomes of an exchange is the pipeline's business.
 */
import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { Failure, type FailureCode } from '../errors.ts'
import type { HeaderList } from '../http/headers.ts'
import { RequestHeadReader } from '../http/request-head-reader.ts'
import { ClientInlet, lasting } from './client-inlet.ts'
import { deadlineIn, joinClock, leaveClock, type Ticking } from './clock.ts'
import type { Arrival, ClientCertificate, Connection, ConnectionOwner, Peer } from './connection.ts'
import type { ClientHalf, HeaderEdits } from './contracts.ts'
import { destroySaid } from './end-of-turn.ts'
import { Exchange } from './exchange.ts'
import { Http1Answer } from './http1-answer.ts'
import { Http1Body } from './http1-body.ts'
import { type Http1Head, readHttp1Head } from './http1-head.ts'
import type { KeptAnswer } from './kept-answer.ts'
import { PendingBytes } from './pending-bytes.ts'
import { SlowReader } from './slow-reader.ts'
import type { Reader } from './unsent-bytes.ts'

/** What a client may still send after an answer that ends the connection, before it is cut. */
const LINGER_BYTES = 1024 * 1024
const LINGER_MS = 3000
/** How long an idle connection stays open for a last request when the gateway drains. */
const DRAIN_IDLE_MS = 1000
/** Pipelined bytes kept while an answer is running. */
const MAX_AHEAD_BYTES = 64 * 1024

export class Http1Connection implements ClientHalf, Ticking, Connection, Peer, Reader {
  readonly address: string
  readonly secure: boolean
  readonly serverName: string
  readonly localPort: number
  readonly certificate: ClientCertificate | null
  readonly #socket: Socket
  readonly #inlet: ClientInlet
  readonly #owner: ConnectionOwner
  readonly #bornAt = performance.now()

  #x: Exchange | null = null
  readonly #pending = new PendingBytes()
  #requests = 0
  /** When the present wait ends, in `performance.now()` milliseconds; 0 is no deadline. */
  #deadline = 0
  #wasOver = false

  readonly #head = new RequestHeadReader()
  /** The head before, to recognise the next one by. */
  #known: Http1Head | null = null
  readonly #body = new Http1Body()
  #continueWanted = false

  readonly #answer: Http1Answer
  #closing = false
  #answering = false

  #draining = false
  #processing = false
  #ended = false
  #lingering = false
  #lingered = 0
  #tunnelled = false
  readonly #reader = new SlowReader()

  readonly #onDrain = (): void => this.#x?.upstream?.onClientDrain()
  readonly #onMore = (): void => this.#process()
  readonly #onClose = (): void => this.#closed('client-gone')
  readonly cut = (): void => this.destroy('unread-answer')

  constructor(socket: Socket, arrival: Arrival, serverName: string, secure: boolean, owner: ConnectionOwner) {
    this.#socket = socket
    this.#owner = owner
    this.#answer = new Http1Answer(socket, secure)
    this.address = arrival.address
    this.secure = secure
    this.serverName = serverName
    this.localPort = arrival.localPort
    this.certificate = arrival.certificate
    this.#deadline = this.#bornAt + owner.plan.limits.headersMs
    socket.setNoDelay(true)
    this.#inlet = new ClientInlet(socket, (bytes) => this.#read(bytes))
    socket.on('drain', this.#onDrain)
    socket.on('close', this.#onClose)
    socket.on('error', ignoreError)
    joinClock(this)
  }

  #read(chunk: Buffer): void {
    if (this.#ended) return
    if (this.#lingering) {
      this.#lingered += chunk.length
      if (this.#lingered > LINGER_BYTES) this.destroy()
      return
    }
    this.#pending.add(chunk)
    this.#process()
    this.#pending.outlive()
  }

  #process(): void {
    if (this.#processing) return
    this.#processing = true
    while (this.#pending.length > 0 && !this.#ended && !this.#lingering) {
      if (this.#x === null) {
        if (!this.#readHead(this.#pending.take()!)) break
      } else if (!this.#body.done && this.#body.flows) {
        this.#readBody(this.#pending.take()!)
      } else {
        // For somebody who wants the body, or the end of this answer. The client is not read much further ahead.
        const here = this.#pending.length
        if (here > MAX_AHEAD_BYTES || !this.#body.isHere(here)) this.#inlet.pause()
        break
      }
    }
    this.#processing = false
  }

  /** False: more bytes are needed, or the connection is ending. */
  #readHead(bytes: Buffer): boolean {
    const limits = this.#owner.plan.limits
    const reader = this.#head
    if (!reader.isBegun) {
      const used = this.#known?.standsIn(bytes, limits) ?? 0
      if (used > 0) {
        if (used < bytes.length) this.#pending.putBack(bytes.subarray(used))
        return this.#begin(this.#known!)
      }
      this.#deadline = deadlineIn(limits.headersMs)
    }
    const found = reader.read(bytes, limits)
    if (found === 'more') return false
    if (found !== 'whole') return this.#refuseBytes(found)
    this.#pending.putBack(reader.rest)
    const read = readHttp1Head(reader.text, limits)
    if (typeof read === 'string') return this.#refuseBytes(read)
    this.#known = read.isKept ? read : null
    return this.#begin(read)
  }

  #begin(read: Http1Head): true {
    const head = read.head
    this.#requests++
    this.#deadline = 0
    const plan = this.#owner.plan
    this.#closing =
      this.#draining ||
      !read.isPersistent ||
      this.#requests >= plan.limits.maxRequestsPerConnection ||
      deadlineIn(0) - this.#bornAt > plan.limits.maxConnectionAgeMs
    this.#body.begin(head.bodyLength)
    this.#continueWanted = read.expectsContinue
    this.#answer.reset(read.isEleven, read.takesTrailers)
    this.#answering = true
    this.#x = new Exchange(head, this, this, plan)
    plan.run(this.#x)
    return true
  }

  #readBody(bytes: Buffer): void {
    const x = this.#x!
    const used = this.#body.read(bytes, (piece) => {
      if (this.#x === x) x.onBodyData(piece)
    })
    if (this.#ended || this.#lingering) return
    if (used === -1) {
      this.#closing = true
      x.refuse('bad-chunk')
      return
    }
    this.#pending.putBack(bytes.subarray(used))
    if (this.#body.done && this.#x === x) {
      x.onBodyEnd()
      this.#settle()
    }
  }

  resumeBody(): void {
    if (this.#body.flows || this.#ended || this.#body.done) return
    this.#body.flows = true
    if (this.#continueWanted) {
      this.#continueWanted = false
      if (this.#pending.length === 0) this.#socket.write('HTTP/1.1 100 Continue\r\n\r\n', 'latin1')
    }
    this.#inlet.resume()
    // Not from within a stage: what has come already is read when the running code is done.
    if (this.#pending.length > 0 && !this.#processing) process.nextTick(this.#onMore)
  }

  pauseBody(): void {
    this.#body.flows = false
  }

  // --- answering ---

  sendInformational(status: number, headers: HeaderList): void {
    if (!this.#ended) this.#answer.informational(status, headers)
  }

  sendHead(status: number, headers: HeaderList, edits: HeaderEdits, body: Buffer | null): void {
    if (this.#ended) return
    this.#skipSmallBody()
    if (!this.#body.done) this.#closing = true
    if (body !== null) {
      this.#answer.whole(status, headers, edits.setLines, body, this.#closing)
      this.#answered()
      return
    }
    const isBodiless = this.#x!.method === 'HEAD' || status === 204 || status === 304
    this.#closing = this.#answer.head(status, headers, edits.setLines, isBodiless, this.#closing)
  }

  repeatHead(kept: KeptAnswer, edits: HeaderEdits, own: HeaderList, id: string): boolean {
    return !this.#ended && !this.#closing && this.#body.done && this.#answer.repeat(kept, edits, own, id)
  }

  sendData(chunk: Buffer): boolean {
    if (this.#ended) return true
    const sent = this.#answer.data(chunk)
    if (sent !== null) return sent
    this.destroy()
    return true
  }

  sendEnd(trailers: HeaderList | null): void {
    if (this.#ended) return
    if (this.#answer.end(trailers)) this.#answered()
    else this.destroy()
  }

  abort(_why: Failure): void {
    this.destroy()
  }

  openTunnel(headers: HeaderList): Duplex {
    const socket = this.#socket
    this.#inlet.intoStream()
    socket.off('drain', this.#onDrain)
    this.#tunnelled = true
    this.#known = null
    this.#deadline = 0
    this.#answer.switchToWebSocket(headers)
    const ahead = this.#pending.take()
    if (ahead !== null) socket.unshift(lasting(ahead))
    return socket
  }

  closeAfterAnswer(): void {
    this.#closing = true
  }

  /** A refused request whose body is here already need not cost the connection. */
  #skipSmallBody(): void {
    const skipped = this.#body.skip(this.#pending.length)
    if (skipped > 0) this.#pending.putBack(this.#pending.take()!.subarray(skipped))
  }

  #answered(): void {
    this.#answering = false
    this.#settle()
  }

  /** The exchange is over when its answer is written and its body is read: then comes the next, or the end. */
  #settle(): void {
    if (this.#answering || this.#ended || this.#x === null) return
    this.#x = null
    if (this.#closing || !this.#body.done) {
      this.#endGently()
      return
    }
    this.#deadline = deadlineIn(this.#owner.plan.limits.idleMs)
    if (this.#pending.length > 0 && !this.#processing) process.nextTick(this.#onMore)
    this.#inlet.resume()
  }

  // --- ending ---

  /** Answers bytes that never became an exchange, and ends. Always false. */
  #refuseBytes(code: FailureCode): false {
    const plan = this.#owner.plan
    plan.onRefusedBytes(code, this.address)
    this.#socket.write(plan.canned(code))
    this.#endGently()
    return false
  }

  /** Ends our side, and reads on for a moment: a reset would take the answer with it (RFC 9112, 9.6). */
  #endGently(): void {
    if (this.#lingering || this.#ended) return
    this.#lingering = true
    this.#pending.clear()
    this.#deadline = performance.now() + LINGER_MS
    this.#socket.end()
    this.#inlet.resume()
  }

  drain(): void {
    this.#draining = true
    this.#closing = true
    // A request may be on its way: it is still answered, and told that it was the last.
    if (this.#x === null && !this.#head.isBegun) this.#deadline = performance.now() + DRAIN_IDLE_MS
  }

  destroy(code: FailureCode = 'client-gone'): void {
    if (!this.#ended) destroySaid(this.#socket)
    this.#closed(code)
  }

  #closed(code: FailureCode): void {
    if (this.#ended) return
    this.#ended = true
    leaveClock(this)
    this.#owner.plan.unsent.tell(this, 0, true)
    this.#pending.clear()
    const x = this.#x
    this.#x = null
    if (x !== null && !this.#tunnelled) x.onClientGone(new Failure(code))
    this.#owner.onConnectionEnd(this)
  }

  onTick(now: number): void {
    // The client may take its time for what is still queued; that it takes anything at all is checked below.
    if (this.#lingering && this.#socket.writableLength > 0) this.#deadline = now + LINGER_MS
    const isOver = this.#deadline !== 0 && now > this.#deadline
    // What came while the loop was busy is read before it is too late: only the second look ends the connection.
    if (isOver && this.#wasOver) {
      this.#deadline = 0
      // A head that has begun is owed an answer; a connection that said nothing is not.
      if (this.#head.isBegun && !this.#lingering) this.#refuseBytes('headers-timeout')
      else this.destroy()
      return
    }
    this.#wasOver = isOver
    if (this.#tunnelled) return
    this.#x?.onTick(now)
    if (this.#x !== null && this.#body.isTooSlow(this.#owner.plan.limits)) {
      this.#closing = true
      this.#x.refuse('body-timeout')
    }
    if (this.#reader.isStuckOn(this.#socket, this.#owner.plan.limits)) this.cut()
    else this.#owner.plan.unsent.tell(this, this.#socket.writableLength, this.#reader.tookAny)
  }
}

/** A socket error is followed by 'close', which ends everything. */
function ignoreError(): void {}
