/**
 * The bounds of a route on one open WebSocket: every frame of the client is judged by its header before the filter behind
 * gets it; a message over a rate waits, is dropped, or ends the socket. It reads no payload but its own pongs.
 */
import type { Metrics, TunnelFilter, TunnelFilterFactory, TunnelSides } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import { TokenBucket } from '../exchange/token-bucket.ts'
import { FrameHeader } from '../http/frame-header.ts'
import { BINARY, CLOSE, CLOSE_CODES, CONTINUATION, type FrameFault, PONG } from '../http/websocket-frames.ts'
import { KeepAlive, OWN_PONG_BYTES } from './keep-alive.ts'
import { relayFilter } from './relay-filter.ts'

const PASS = 0
const DROP = 1
const HOLD = 2
type Verdict = typeof PASS | typeof DROP | typeof HOLD

/** Pings and pongs of a client: so many at once, and so many in a second on the average. */
const CONTROL_BURST = 200
const CONTROL_WINDOW_MS = 4000
/** What may arrive of a client that was told to pause. */
const MAX_QUEUED = 1024 * 1024
const EMPTY = Buffer.alloc(0)
/** The label of what is no message of its own. */
const SOCKET = '-'

/** What the tunnel does for the gate. */
export type TunnelEnds = Omit<TunnelSides, 'admit'>

export class SocketGate implements TunnelSides {
  readonly #x: Exchange
  readonly #bounds: SocketBounds
  readonly #tunnel: TunnelEnds
  readonly #metrics: Metrics
  readonly #filter: TunnelFilter
  /** True where the filter behind tells whole messages and has them counted by `admit`. */
  readonly #filterCounts: boolean
  readonly #header: FrameHeader
  readonly #messages: TokenBucket
  readonly #bytes: TokenBucket
  readonly #controls: TokenBucket
  readonly #openedAt: number
  readonly #idleMs: number
  readonly #keepAlive: KeepAlive
  /** Bytes of the running frame that are still to come. */
  #left = 0
  #dropsFrame = false
  #dropsMessage = false
  /** A header that is cut, or everything that came while the client is held. */
  #kept: Buffer = EMPTY
  #held: 'rate' | 'limit' | null = null
  #isAllowed: boolean | null = null
  #filterHeld = false
  /** How the frame that is judged ends the socket. */
  #ending: { readonly code: number; readonly words: string } | null = null
  #closing = false
  #sawClose = false
  #movedAt: number

  constructor(x: Exchange, bounds: SocketBounds, tunnel: TunnelEnds, metrics: Metrics, now: number) {
    const factory: TunnelFilterFactory = bounds.shown(x.tunnelFilter ?? relayFilter)
    this.#x = x
    this.#bounds = bounds
    this.#tunnel = tunnel
    this.#metrics = metrics
    this.#filterCounts = x.tunnelFilter !== null
    this.#header = new FrameHeader(bounds.maxMessageBytes)
    this.#messages = new TokenBucket(bounds.messageRate.points, bounds.messageRate.windowMs, now)
    this.#bytes = new TokenBucket(bounds.byteRate, 1000, now)
    this.#controls = new TokenBucket(CONTROL_BURST, CONTROL_WINDOW_MS, now)
    this.#idleMs = bounds.idleMs === 0 ? x.listener.limits.tunnelIdleMs : bounds.idleMs
    this.#openedAt = now
    this.#movedAt = now
    this.#keepAlive = new KeepAlive(bounds.pingMs, bounds.pongMs, now)
    this.#filter = factory(x, this)
  }

  // --- the tunnel's side ---

  onClientData(chunk: Buffer, now: number): void {
    this.#keepAlive.heard(now)
    // The filter drops what comes after the frame that it lets end.
    if (this.#closing) return this.#filter.onClientData(chunk)
    if (this.#isPastClose) return
    if (this.#held !== null) return this.#queue(chunk)
    const kept = this.#kept
    this.#kept = EMPTY
    this.#judge(kept.length === 0 ? chunk : Buffer.concat([kept, chunk]), now)
  }

  onUpstreamData(chunk: Buffer, now: number): void {
    this.#movedAt = now
    this.#filter.onUpstreamData(chunk)
  }

  close(code: number, reason: string): void {
    if (this.#closing) return
    this.#closing = true
    this.#kept = EMPTY
    this.#held = null
    this.#filter.close(code, reason)
  }

  get isClosing(): boolean {
    return this.#closing
  }

  onEnd(): void {
    this.#closing = true
    this.#kept = EMPTY
    this.#filter.onEnd()
  }

  /** Five times a second. `isReading`: false while the service takes nothing more, so that the client cannot be heard. */
  onTick(now: number, isReading: boolean): void {
    if (this.#closing) return
    const { lifetimeMs } = this.#bounds
    if (now - this.#movedAt > this.#idleMs) return this.#end(CLOSE_CODES.goingAway, 'idle', 'idle')
    if (lifetimeMs > 0 && now - this.#openedAt > lifetimeMs) {
      return this.#end(CLOSE_CODES.goingAway, 'open for too long', 'lifetime')
    }
    const { signInEndsAt } = this.#x
    if (signInEndsAt > 0 && now > signInEndsAt) {
      return this.#end(CLOSE_CODES.policyViolation, 'sign-in expired', 'sign-in')
    }
    if (this.#held === 'rate' && this.#hasTokens(now)) this.#goOn(now)
    if (!isReading || this.#held !== null || this.#filterHeld) this.#keepAlive.heard(now)
    if (!this.#keepAlive.onTick(now, this.#ping)) this.#end(CLOSE_CODES.goingAway, 'no answer to a ping', 'pong')
  }

  readonly #ping = (frame: Buffer): boolean => this.#filter.ping(frame)

  /** The bytes of the client cannot be made plain frames. */
  onFault(fault: FrameFault): void {
    if (!this.#closing) this.#end(fault.code, fault.reason, 'compression')
  }

  /** The client takes nothing of what waits for it. */
  onStuck(): void {
    this.#end(CLOSE_CODES.policyViolation, 'reads too slowly', 'slow')
  }

  // --- the filter's side ---

  toClient(chunk: Buffer): void {
    this.#tunnel.toClient(chunk)
  }

  toUpstream(chunk: Buffer): void {
    this.#tunnel.toUpstream(chunk)
  }

  pauseClient(): void {
    this.#filterHeld = true
    this.#tunnel.pauseClient()
  }

  resumeClient(): void {
    this.#filterHeld = false
    if (this.#held === null) this.#tunnel.resumeClient()
  }

  end(): void {
    this.#tunnel.end()
  }

  admit(event: string): boolean | null {
    const { limit } = this.#bounds
    if (limit === null) return true
    const answer = limit.ask(this.#x, event, (isAllowed) => {
      if (this.#closing) return
      if (!isAllowed) this.#overLimit(event)
      if (!this.#closing) this.#filter.onAdmitted?.(isAllowed)
    })
    if (answer === false) this.#overLimit(event)
    return answer
  }

  // --- the client's frames ---

  #judge(bytes: Buffer, now: number): void {
    const header = this.#header
    let from = 0
    let at = 0
    while (at < bytes.length) {
      if (this.#left > 0) {
        const taken = Math.min(this.#left, bytes.length - at)
        this.#left -= taken
        this.#movedAt = now
        at += taken
        if (this.#dropsFrame) from = at
        continue
      }
      // RFC 6455, 5.5.1: nothing follows a close frame.
      if (this.#isPastClose) return this.#pass(bytes, from, at)
      const isRead = header.read(bytes, at)
      const isPong = isRead && header.opcode === PONG && header.length === OWN_PONG_BYTES
      if (!isRead || (isPong && bytes.length - at < header.size + OWN_PONG_BYTES)) {
        this.#pass(bytes, from, at)
        if (header.fault !== null) this.#end(header.fault.code, header.fault.reason, 'protocol')
        else this.#kept = Buffer.from(bytes.subarray(at))
        return
      }
      const end = at + header.size
      if (isPong && this.#keepAlive.isAnswer(bytes, end)) {
        this.#pass(bytes, from, at)
        at = end + OWN_PONG_BYTES
        from = at
        continue
      }
      this.#movedAt = now
      const verdict = this.#verdict(now)
      if (this.#ending !== null) {
        // What came before it is still meant to arrive.
        this.#pass(bytes, from, at)
        return this.close(this.#ending.code, this.#ending.words)
      }
      if (verdict === HOLD) {
        this.#pass(bytes, from, at)
        return this.#hold(bytes.subarray(at))
      }
      header.accept()
      this.#left = header.length
      this.#dropsFrame = verdict === DROP
      if (this.#dropsFrame) {
        this.#pass(bytes, from, at)
        from = end
      }
      at = end
      if (header.opcode === CLOSE) this.#sawClose = true
    }
    this.#pass(bytes, from, bytes.length)
  }

  /** The client's close frame has come, and all of it. */
  get #isPastClose(): boolean {
    return this.#sawClose && this.#left === 0
  }

  #pass(bytes: Buffer, from: number, to: number): void {
    if (from >= to) return
    this.#filter.onClientData(from === 0 && to === bytes.length ? bytes : bytes.subarray(from, to))
  }

  /** About the frame whose header was read. A message is judged when it begins. */
  #verdict(now: number): Verdict {
    const { opcode, length } = this.#header
    if (opcode >= CLOSE) return this.#control(now)
    if (opcode !== CONTINUATION) {
      const verdict = this.#message(opcode, now)
      if (verdict === HOLD || this.#ending !== null) return verdict
      this.#dropsMessage = verdict === DROP
      if (verdict === PASS) this.#messages.take(1)
    }
    if (this.#dropsMessage) return DROP
    // Owed where a message is larger than what is there: the next one waits for it.
    this.#bytes.take(length)
    return PASS
  }

  #message(opcode: number, now: number): Verdict {
    const { binary, overRate, limit } = this.#bounds
    if (opcode === BINARY && binary !== null && binary !== 'pass') {
      return this.#over('binary', binary, CLOSE_CODES.unsupportedData, 'binary messages are not accepted')
    }
    if (!this.#hasTokens(now)) {
      if (overRate !== 'wait') return this.#over('rate', overRate, CLOSE_CODES.tryAgainLater, 'too many messages')
      this.#held = 'rate'
      return HOLD
    }
    if (limit === null || this.#filterCounts) return PASS
    return this.#ask()
  }

  #ask(): Verdict {
    const { limit, closesOverLimit } = this.#bounds
    let isAllowed = this.#isAllowed
    this.#isAllowed = null
    isAllowed ??= limit!.ask(this.#x, 'message', this.#onAnswer)
    if (isAllowed === null) {
      this.#held = 'limit'
      return HOLD
    }
    if (isAllowed) return PASS
    return this.#over('limit', closesOverLimit ? 'close' : 'refuse', CLOSE_CODES.tryAgainLater, 'too many messages')
  }

  readonly #onAnswer = (isAllowed: boolean): void => {
    if (this.#closing || this.#held !== 'limit') return
    this.#isAllowed = isAllowed
    this.#goOn(performance.now())
  }

  #control(now: number): Verdict {
    if (this.#header.opcode === CLOSE || this.#controls.hasAny(now)) {
      this.#controls.take(1)
      return PASS
    }
    return this.#over('control', 'close', CLOSE_CODES.policyViolation, 'too many control frames')
  }

  #hasTokens(now: number): boolean {
    return this.#messages.hasAny(now) && this.#bytes.hasAny(now)
  }

  #over(reason: string, action: 'refuse' | 'close', code: number, words: string): Verdict {
    this.#metrics.count('socket_refusals_total', reason === 'control' ? SOCKET : 'message', reason)
    if (action === 'close') this.#ending = { code, words }
    return DROP
  }

  #overLimit(event: string): void {
    this.#metrics.count('socket_refusals_total', event, 'limit')
    if (this.#bounds.closesOverLimit) this.close(CLOSE_CODES.tryAgainLater, 'too many messages')
  }

  /** Ends the socket and counts why. */
  #end(code: number, words: string, reason: string): void {
    this.#metrics.count('socket_refusals_total', SOCKET, reason)
    this.close(code, words)
  }

  // --- while the client waits ---

  #hold(rest: Buffer): void {
    this.#kept = Buffer.from(rest)
    this.#tunnel.pauseClient()
  }

  /** A stream may still give what it had. */
  #queue(chunk: Buffer): void {
    if (this.#kept.length + chunk.length > MAX_QUEUED) {
      return this.#end(CLOSE_CODES.tryAgainLater, 'too many messages', 'queue')
    }
    this.#kept = Buffer.concat([this.#kept, chunk])
  }

  #goOn(now: number): void {
    const kept = this.#kept
    this.#kept = EMPTY
    this.#held = null
    this.#judge(kept, now)
    if (this.#held === null && !this.#filterHeld) this.#tunnel.resumeClient()
  }
}
