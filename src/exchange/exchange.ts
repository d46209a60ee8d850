/**
 * One request and its answer, whatever the protocol. It owns the one door out (`respond`, `respondHead`) and the one end
 * (`finish`, exactly once). It knows no socket, no upstream and no configuration file.
 */
import type { Duplex } from 'node:stream'
import { Failure, type FailureCode } from '../errors.ts'
import type { HeaderList } from '../http/headers.ts'
import type { Principal } from './access-contracts.ts'
import { BodyCollection } from './body-collection.ts'
import { lasting } from './client-inlet.ts'
import type { Peer } from './connection.ts'
import {
  type BodySink,
  type ClientHalf,
  DONE,
  GO,
  type HeaderEdits,
  type ListenerPlan,
  type Route,
  type Stage,
  type TunnelFilterFactory,
  type UpstreamHalf,
} from './contracts.ts'
import { applyEdits } from './edits.ts'
import type { KeptAnswer } from './kept-answer.ts'
import type { OwedCount } from './owed-count.ts'
import { describeProblem, refusalHeaders } from './problem.ts'
import type { RequestHead } from './request-head.ts'

const NO_STAGES: readonly Stage[] = []
const NO_ROLES: readonly string[] = Object.freeze([])
const NO_FIELDS: readonly string[] = Object.freeze([])

export class Exchange {
  readonly head: RequestHead
  readonly client: ClientHalf
  readonly peer: Peer
  readonly listener: ListenerPlan
  readonly startedAt: number = performance.now()

  // set by vet
  id = ''
  method: string
  headers: HeaderList
  /** Host without port, lower case. */
  host = ''
  /** Host as the client wrote it, lower case, with its port where it gave one: what the upstream is told. */
  authority = ''
  /** The normalised path: what is routed is what is sent. The query comes with its `?`, or is ''. */
  path = ''
  query = ''
  /** Path and query for the service, where a stage opened what no log may show; null: as above. */
  sentTarget: string | null = null
  clientAddress: string
  /** The client address, or its IPv6 prefix: what limits count. */
  clientKey = ''
  /** True when the exchange opens a WebSocket by a complete, valid handshake (RFC 6455, 4.2.1; RFC 8441). */
  isWebSocket = false
  /** True when a trusted proxy sent the request. */
  isFromTrustedProxy = false
  /** What the client spoke, as far as is known: for the upstream to be told. What is decided goes by `peer.secure`. */
  scheme: 'http' | 'https'
  traceparent = ''

  // set by route and the stages after it
  route: Route | null = null
  /** Who is signed in; null where nobody is. Sets `user` and `roles` with it who sets it. */
  principal: Principal | null = null
  user = ''
  /** Roles of the user, by who signed them in; empty without a user. */
  roles: readonly string[] = NO_ROLES
  /** Fields that tell the service who it is. Equal ones are one list, so that what is made of it is known again. */
  identity: readonly string[] = NO_FIELDS
  /** When the sign-in ends, in `performance.now()` milliseconds: what is still open then is closed. 0: with the exchange. */
  signInEndsAt = 0
  /** The whole body, where a stage collected (and maybe changed) it; what is forwarded then. */
  bodyBytes: Buffer | null = null
  tunnelFilter: TunnelFilterFactory | null = null
  /** What must be counted of it before any answer; null: nothing. */
  owed: OwedCount | null = null
  /** True as soon as limits looked at it. */
  isCounted = false
  /** Fields that stages add to whatever answer is given: rate limit fields, request id. */
  readonly answerHeaders: HeaderList = []

  // the running of it
  upstream: UpstreamHalf | null = null
  endpoint = ''
  status = 0
  bytesIn = 0
  bytesOut = 0
  headSent = false
  answerEnded = false
  bodyEnded: boolean
  finished = false
  tunnel: Duplex | null = null
  failure: Failure | null = null
  /** When the whole exchange must be over, in `performance.now()` milliseconds; 0 is no bound. */
  deadline = 0
  /** Milliseconds from the start to the head of the upstream's answer; -1 where there was none. */
  upstreamMs = -1
  /** Called once, at the end, by whoever holds something for the exchange (in-flight slots). */
  onRelease: (() => void) | null = null

  #stages: readonly Stage[] = NO_STAGES
  #next = 0
  #running = false
  #resumed = false
  #sink: BodySink | null = null
  #collection: BodyCollection | null = null

  constructor(head: RequestHead, client: ClientHalf, peer: Peer, listener: ListenerPlan) {
    this.head = head
    this.client = client
    this.peer = peer
    this.listener = listener
    this.method = head.method
    this.headers = head.headers
    this.clientAddress = peer.address
    this.scheme = peer.secure ? 'https' : 'http'
    this.bodyEnded = head.bodyLength === 0
  }

  // --- stages ---

  /** Runs a list of stages until one answers or waits. The list of the route follows that of the listener. */
  runStages(stages: readonly Stage[]): void {
    this.#stages = stages
    this.#next = 0
    this.resume()
  }

  /** From within a stage: the stages of the route come next. */
  followRoute(route: Route): void {
    this.route = route
    if (route.timeouts.totalMs > 0) this.deadline = this.startedAt + route.timeouts.totalMs
    this.#stages = route.stages
    this.#next = 0
  }

  /** Goes on after WAIT; a stage may also call it before it returns WAIT. Nothing happens where the exchange has ended. */
  resume(): void {
    this.#resumed = true
    if (this.#running) return
    this.#running = true
    while (this.#resumed && this.#next < this.#stages.length && !this.finished) {
      this.#resumed = false
      const step = this.#stages[this.#next++]!(this)
      if (step === GO) this.#resumed = true
      else if (step === DONE) this.#next = this.#stages.length
    }
    this.#running = false
  }

  // --- request body ---

  /** Hands the body to a sink. A body that is collected already comes at once. */
  readBody(sink: BodySink): void {
    this.#sink = sink
    if (this.bodyEnded) sink.onBodyEnd()
    else this.client.resumeBody()
  }

  /**
   * Collects the whole body, at most `maxBytes`, into `bodyBytes` and calls back once. Over the cap the exchange is
   * refused with 413 and the callback never comes.
   */
  collectBody(maxBytes: number, onCollected: (body: Buffer) => void): void {
    if (this.bodyBytes !== null) {
      return this.bodyBytes.length > maxBytes ? this.refuse('body-too-large') : onCollected(this.bodyBytes)
    }
    if (this.head.bodyLength > maxBytes) return this.refuse('body-too-large')
    if (this.bodyEnded) {
      this.bodyBytes = Buffer.alloc(0)
      return onCollected(this.bodyBytes)
    }
    this.#collection = new BodyCollection(maxBytes, onCollected)
    this.client.resumeBody()
  }

  /** The client half calls it for every piece of the body, which it may write over afterwards. */
  onBodyData(chunk: Buffer): void {
    this.bytesIn += chunk.length
    if (this.finished || this.answerEnded) return
    const route = this.route
    if (route !== null && this.bytesIn > route.maxBodyBytes) return this.refuse('body-too-large')
    if (this.#sink !== null) return this.#sink.onBodyData(chunk)
    const collection = this.#collection
    if (collection === null) return
    if (this.bytesIn > collection.maxBytes) return this.refuse('body-too-large')
    collection.pieces.push(lasting(chunk))
  }

  /** The client half calls it when the whole body has come. */
  onBodyEnd(): void {
    if (this.bodyEnded) return
    this.bodyEnded = true
    if (this.finished) return
    if (this.#sink !== null) return this.#sink.onBodyEnd()
    const collection = this.#collection
    if (collection === null) return
    this.#collection = null
    this.bodyBytes = collection.whole()
    collection.onCollected(this.bodyBytes)
  }

  // --- the one door out ---

  /** A whole answer. Security headers, request id and edits of the route are added here. */
  respond(status: number, headers: HeaderList, body: Buffer | null): void {
    if (this.headSent || this.finished) return
    if (this.owed !== null && this.#isHeld(this.owed, status, headers, body)) return
    const whole = body ?? EMPTY
    const list = this.#edited(headers)
    if (status >= 200 && status !== 204 && status !== 304) list.push('content-length', String(whole.length))
    this.headSent = true
    this.status = status
    this.answerEnded = true
    const sent = this.method === 'HEAD' ? EMPTY : whole
    this.bytesOut = sent.length
    this.client.sendHead(status, list, this.#edits, sent)
    this.finish()
  }

  /** No answer goes out uncounted, and while one waits for that nothing else becomes of the exchange. */
  #isHeld(owed: OwedCount, status: number, headers: HeaderList, body: Buffer | null): boolean {
    if (!owed.isOpen) return owed.isHolding
    this.#next = this.#stages.length
    this.#sink = null
    this.#collection = null
    owed.hold(this, status, headers, body)
    return true
  }

  /**
   * The head of an answer whose body follows by `sendData` and `sendEnd`. `headers` say the length, where it is known.
   *
   * @param kept Of a head that came before, equal byte for byte; where it says the length, data or the end follow at once.
   */
  respondHead(status: number, headers: HeaderList, kept: KeptAnswer | null = null): void {
    if (this.headSent || this.finished) return
    this.headSent = true
    this.status = status
    const isRepeated = kept !== null && this.method !== 'HEAD'
    if (isRepeated && this.client.repeatHead(kept, this.#edits, this.answerHeaders, this.id)) return
    this.client.sendHead(status, this.#edited(headers), this.#edits, null)
  }

  /** False: wait for `upstream.onClientDrain`. */
  sendData(chunk: Buffer): boolean {
    if (this.finished || this.answerEnded) return true
    if (this.method === 'HEAD') return true
    this.bytesOut += chunk.length
    return this.client.sendData(chunk)
  }

  sendEnd(trailers: HeaderList | null): void {
    if (this.finished || this.answerEnded) return
    this.answerEnded = true
    this.client.sendEnd(trailers)
    this.finish()
  }

  /** Early hints and other 1xx answers from the upstream (RFC 9110, 15.2). */
  sendInformational(status: number, headers: HeaderList): void {
    if (!this.headSent && !this.finished) this.client.sendInformational(status, headers)
  }

  /** Accepts the WebSocket and takes the byte stream; the exchange stays open until `endTunnel`. */
  acceptTunnel(headers: HeaderList): Duplex {
    this.headSent = true
    this.answerEnded = true
    this.status = this.head.connectProtocol === null ? 101 : 200
    const tunnel = this.client.openTunnel(this.#edited(headers))
    this.tunnel = tunnel
    return tunnel
  }

  endTunnel(): void {
    this.finish()
  }

  /** Answers with the failure's page, or aborts where an answer has begun. */
  refuse(code: FailureCode, detail = ''): void {
    this.fail(new Failure(code, detail))
  }

  fail(failure: Failure): void {
    if (this.finished) return
    this.failure ??= failure
    const upstream = this.upstream
    this.upstream = null
    if (this.headSent) {
      this.client.abort(failure)
      upstream?.onExchangeAbort(failure)
      this.finish()
      return
    }
    upstream?.onExchangeAbort(failure)
    const { type, body } = describeProblem(failure, this.headers, this.id, (this.route ?? this.listener).pages)
    this.respond(
      failure.status,
      ['content-type', type, 'cache-control', 'no-store', ...refusalHeaders(failure, this.route?.allow ?? '')],
      body,
    )
  }

  get #edits(): HeaderEdits {
    return this.route?.edits ?? this.listener.edits
  }

  #edited(headers: HeaderList): HeaderList {
    const list = applyEdits(headers, this.#edits, this.answerHeaders)
    if (this.id !== '') list.push('x-request-id', this.id)
    return list
  }

  // --- the end ---

  /** The client half calls it five times a second. */
  onTick(now: number): void {
    if (this.deadline !== 0 && now > this.deadline) this.refuse('exchange-timeout')
  }

  /** The client half calls it when the connection or the stream is gone. */
  onClientGone(why: Failure): void {
    if (this.finished) return
    this.failure ??= why
    if (this.status === 0) this.status = why.status
    const upstream = this.upstream
    this.upstream = null
    upstream?.onExchangeAbort(why)
    this.finish()
  }

  /** Once, always. */
  finish(): void {
    if (this.finished) return
    this.finished = true
    this.#sink = null
    this.#collection = null
    if (this.owed?.isOpen === true) this.owed.onLeft(this)
    const release = this.onRelease
    this.onRelease = null
    if (release !== null) release()
    this.listener.onFinish(this)
  }
}

const EMPTY = Buffer.alloc(0)
