/**
 * The HTTP/2 server engine, on node's core stream API (the compatibility layer costs a quarter more): one session, its
 * streams as exchanges. It knows frames and exchanges; what becomes of an exchange is the pipeline's business.
 */
import {
  constants,
  performServerHandshake,
  type ServerHttp2Session,
  type ServerHttp2Stream,
  type ServerOptions,
} from 'node:http2'
import type { TLSSocket } from 'node:tls'
import type { FailureCode } from '../errors.ts'
import { joinClock, leaveClock, type Ticking } from './clock.ts'
import type { Arrival, ClientCertificate, Connection, ConnectionOwner } from './connection.ts'
import type { HttpLimits } from './contracts.ts'
import { FrameBudget } from './frame-budget.ts'
import { type Glanced, joinGlance, leaveGlance } from './glance.ts'
import { Http2Stream, type StreamOwner, WINDOW_BYTES } from './http2-stream.ts'

/** Time that a session has between GOAWAY and its end when its streams hang. */
const CLOSE_MS = 5000
/** Streams of one read after which it is looked at how many of them are gone: each costs Node 40 µs, whatever becomes of it. */
const LOOKED_BACK = 8
/** Bytes that a session reads before what they were is looked at, out of turn. */
const GLANCE_BYTES = 32 * 1024

/** Bounds against the floods of RFC 9113, 10.5: what goes over ends in GOAWAY. */
function sessionOptions(limits: HttpLimits): ServerOptions {
  return {
    maxSettings: 32,
    maxSessionInvalidFrames: 100,
    maxSessionRejectedStreams: 16,
    maxOutstandingPings: 8,
    maxSendHeaderBlockLength: 256 * 1024,
    maxHeaderListPairs: limits.maxHeaders + 8,
    // Megabytes. Header lists that are not whole yet count as they are written out: what is over costs the time of checking it.
    maxSessionMemory: 1,
    streamResetBurst: 100,
    streamResetRate: 33,
    settings: {
      enableConnectProtocol: true,
      enablePush: false,
      maxConcurrentStreams: limits.maxStreams,
      maxHeaderListSize: limits.maxHeaderBytes,
      initialWindowSize: WINDOW_BYTES,
    },
  } as ServerOptions
}

/** What a socket of Node has, though Node does not say so. */
export interface HandledSocket extends TLSSocket {
  readonly _handle: { readStop(): void; readStart(): void } | null
}

interface Arrived {
  readonly stream: ServerHttp2Stream
  readonly flags: number
  readonly rawHeaders: string[]
}

export class Http2Connection implements Connection, Ticking, Glanced, StreamOwner {
  readonly address: string
  readonly secure = true
  readonly serverName: string
  readonly localPort: number
  readonly certificate: ClientCertificate | null
  readonly owner: ConnectionOwner
  readonly #socket: TLSSocket
  readonly #session: ServerHttp2Session
  readonly #budget: FrameBudget
  readonly #bornAt = performance.now()
  readonly #streams = new Set<Http2Stream>()
  /** Streams without a body whose turn comes when the bytes that are here have been read. */
  #arrived: Arrived[] = []
  #requests = 0
  /** Bytes that were read when frames were last settled. */
  #settledAt = 0
  #idleSince = performance.now()
  #closingSince = 0
  #ended = false

  constructor(socket: TLSSocket, arrival: Arrival, serverName: string, owner: ConnectionOwner) {
    this.#socket = socket
    this.owner = owner
    this.address = arrival.address
    this.serverName = serverName
    this.localPort = arrival.localPort
    this.certificate = arrival.certificate
    socket.setNoDelay(true)
    this.#budget = new FrameBudget(owner.plan.limits.maxHeaderBytes)
    this.#session = performServerHandshake(socket, sessionOptions(owner.plan.limits))
    this.#session.on('stream', (stream, _headers, flags, rawHeaders) => this.#onStream(stream, flags, rawHeaders))
    this.#session.on('ping', this.#onControl)
    this.#session.on('remoteSettings', this.#onControl)
    this.#session.on('error', ignoreError)
    this.#session.on('close', () => this.#closed('client-gone'))
    socket.on('close', () => this.#closed('client-gone'))
    joinClock(this)
    joinGlance(this)
  }

  #onStream(stream: ServerHttp2Stream, flags: number, rawHeaders: string[]): void {
    stream.on('error', ignoreError)
    if (this.#ended) return
    // A body has to find its reader at once.
    if ((flags & constants.NGHTTP2_FLAG_END_STREAM) === 0) this.#begin(stream, flags, rawHeaders)
    else {
      const count = this.#arrived.push({ stream, flags, rawHeaders })
      if (count === 1) setImmediate(this.#onTurn)
      else if (count % LOOKED_BACK === 0 && !this.#budget.mayTakeBack(this.#takenBack)) this.#cut()
    }
  }

  /** Of the streams that came with this read. */
  get #takenBack(): number {
    let count = 0
    for (const { stream } of this.#arrived) if (isGone(stream)) count++
    return count
  }

  /** Only after the whole read: a stream that its client takes back in the same breath is never begun. */
  readonly #onTurn = (): void => {
    const arrived = this.#arrived
    if (!this.#budget.takeBack(this.#takenBack)) this.#cut()
    this.#arrived = []
    for (const { stream, flags, rawHeaders } of arrived) {
      if (!isGone(stream) && !this.#session.destroyed) this.#begin(stream, flags, rawHeaders)
    }
  }

  #begin(stream: ServerHttp2Stream, flags: number, rawHeaders: string[]): void {
    const plan = this.owner.plan
    this.#requests++
    const half = new Http2Stream(stream, this, plan)
    this.#streams.add(half)
    if (
      this.#requests >= plan.limits.maxRequestsPerConnection ||
      performance.now() - this.#bornAt > plan.limits.maxConnectionAgeMs
    ) {
      this.drain()
    }
    half.begin(rawHeaders, (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0)
  }

  readonly #onControl = (): void => {
    if (!this.#budget.takeControl()) this.#cut()
  }

  /** GOAWAY with the code that says why, and the end (RFC 9113, 10.5). */
  #cut(): void {
    if (this.#ended || this.#session.destroyed) return
    const handle = (this.#socket as HandledSocket)._handle
    // The session would read on until GOAWAY is out, and has no word for this.
    handle?.readStop()
    // No error, which each of its streams would tell again; Node takes a missing one for no code (its types know no null).
    this.#session.destroy(null as unknown as undefined, constants.NGHTTP2_ENHANCE_YOUR_CALM)
  }

  onRequest(fieldBytes: number): void {
    this.#budget.onRequest(fieldBytes)
  }

  onStreamEnd(half: Http2Stream): void {
    if (this.#streams.delete(half)) this.#budget.onData(half.takeArrived())
    this.#idleSince = performance.now()
  }

  closeAfterAnswer(): void {
    this.drain()
  }

  drain(): void {
    if (this.#closingSince !== 0 || this.#ended) return
    this.#closingSince = performance.now()
    // GOAWAY with the last stream that was accepted; node closes the session when its streams have ended.
    this.#session.close()
  }

  destroy(code: FailureCode = 'client-gone'): void {
    // First the exchanges: the streams' own events would say that the client left.
    this.#closed(code)
    if (!this.#session.destroyed) this.#session.destroy()
  }

  #closed(code: FailureCode): void {
    if (this.#ended) return
    this.#ended = true
    leaveClock(this)
    leaveGlance(this)
    for (const half of this.#streams) half.onGone(code)
    this.#streams.clear()
    this.owner.onConnectionEnd(this)
  }

  /** Ends the session where what it read became nothing. */
  #settle(now: number): void {
    const read = this.#socket.bytesRead
    this.#settledAt = read
    for (const half of this.#streams) this.#budget.onData(half.takeArrived())
    if (!this.#budget.settle(read, this.#socket.bytesWritten, now)) this.#cut()
  }

  onGlance(): void {
    // Requests whose turn is still to come would look like bytes that became nothing.
    if (this.#arrived.length > 0) return
    if (this.#socket.bytesRead - this.#settledAt > GLANCE_BYTES) this.#settle(performance.now())
  }

  onTick(now: number): void {
    const limits = this.owner.plan.limits
    let sharers = 0
    for (const half of this.#streams) if (half.isWaiting) sharers++
    for (const half of this.#streams) half.onTick(now, Math.max(1, sharers))
    this.#settle(now)
    if (this.#ended) return
    if (this.#streams.size > 0) return
    if (this.#closingSince !== 0 && now - this.#closingSince > CLOSE_MS) this.destroy()
    else if (now - this.#idleSince > limits.idleMs) this.drain()
  }
}

const isGone = (stream: ServerHttp2Stream): boolean => stream.closed || stream.destroyed

function ignoreError(): void {}
