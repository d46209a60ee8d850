/**
 * The message rules on an open WebSocket: messages from the client are put together, cleaned and sent on as one frame each;
 * what comes from the upstream passes as it is. It knows frames and rules, no socket.
 */
import { isUtf8 } from 'node:buffer'
import type { Metrics, TunnelFilter, TunnelFilterFactory, TunnelSides } from '../exchange/contracts.ts'
import { FrameTracker } from '../http/frame-tracker.ts'
import {
  BINARY,
  CLOSE,
  CLOSE_CODES,
  CONTINUATION,
  closeFrame,
  FrameReader,
  parseClose,
  TEXT,
  writeFrame,
} from '../http/websocket-frames.ts'
import type { Cleaned, MessageRules } from './rules.ts'

export type CleanMessage = (rules: MessageRules, text: string) => Cleaned

/** How long a frame that the upstream has begun may hold up a close. Milliseconds. */
const CLOSE_WAIT_MS = 1000
const EMPTY = Buffer.alloc(0)

/**
 * Makes filters. A message that breaks a rule is dropped alone (nobody is told: plain WebSocket has no word for it; a
 * socket.io event that asked for an acknowledgement gets none), or closes the socket with 1008, by `onViolation`. Binary
 * messages, which nobody can inspect, count as breaking a rule (1003). Broken frames always close: 1002, 1007, 1009.
 */
export function webSocketFilter(
  rules: MessageRules,
  cleanMessage: CleanMessage,
  metrics: Metrics,
): TunnelFilterFactory {
  return (_x, sides) => new WebSocketFilter(rules, cleanMessage, metrics, sides)
}

class WebSocketFilter implements TunnelFilter {
  readonly #rules: MessageRules
  readonly #clean: CleanMessage
  readonly #metrics: Metrics
  readonly #sides: TunnelSides
  readonly #reader: FrameReader
  readonly #tracker: FrameTracker = new FrameTracker()
  #message: Buffer = EMPTY
  #messageBytes = 0
  #isBinary = false
  #clientClosed = false
  #closing: Buffer | null = null
  #over = false
  #deadline: NodeJS.Timeout | null = null

  constructor(rules: MessageRules, clean: CleanMessage, metrics: Metrics, sides: TunnelSides) {
    this.#rules = rules
    this.#clean = clean
    this.#metrics = metrics
    this.#sides = sides
    this.#reader = new FrameReader(true, rules.maxBytes)
  }

  onClientData(chunk: Buffer): void {
    if (this.#isDeaf) return
    const reader = this.#reader
    reader.push(chunk)
    while (!this.#isDeaf && reader.next()) {
      if (reader.opcode >= CLOSE) this.#onControl(reader.opcode, reader.payload)
      else this.#onPiece(reader.opcode, reader.isFinal, reader.payload)
    }
    if (reader.fault !== null && !this.#isDeaf) this.#break(reader.fault.code, reader.fault.reason)
  }

  /** Nothing that the client sends counts any more. */
  get #isDeaf(): boolean {
    return this.#over || this.#closing !== null || this.#clientClosed
  }

  #onControl(opcode: number, payload: Buffer): void {
    if (opcode === CLOSE) {
      if (parseClose(payload) === null) return this.#break(CLOSE_CODES.protocolError, 'bad close frame')
      this.#clientClosed = true
      this.#message = EMPTY
    }
    this.#sides.toUpstream(writeFrame(opcode, payload, true))
  }

  #onPiece(opcode: number, isFinal: boolean, payload: Buffer): void {
    if (opcode !== CONTINUATION) this.#isBinary = opcode === BINARY
    // Of a binary message nothing is kept: it is refused when it is whole.
    if (!this.#isBinary && !(isFinal && opcode === TEXT)) this.#keep(payload)
    if (!isFinal) return
    if (this.#isBinary) return this.#violation(CLOSE_CODES.unsupportedData, 'binary messages are not accepted')
    if (opcode === TEXT) return this.#onMessage(payload)
    const whole = this.#message.subarray(0, this.#messageBytes)
    this.#message = EMPTY
    this.#messageBytes = 0
    this.#onMessage(whole)
  }

  #keep(payload: Buffer): void {
    const need = this.#messageBytes + payload.length
    if (need > this.#message.length) {
      const grown = Buffer.allocUnsafeSlow(
        Math.min(this.#rules.maxBytes, Math.max(need, this.#message.length * 2, 256)),
      )
      this.#message.copy(grown, 0, 0, this.#messageBytes)
      this.#message = grown
    }
    payload.copy(this.#message, this.#messageBytes)
    this.#messageBytes = need
  }

  #onMessage(bytes: Buffer): void {
    if (!isUtf8(bytes)) return this.#break(CLOSE_CODES.invalidPayload, 'text is not UTF-8')
    const cleaned = this.#clean(this.#rules, bytes.toString())
    if (cleaned.outcome === 'refused') {
      return this.#violation(CLOSE_CODES.policyViolation, 'the message breaks a rule')
    }
    this.#metrics.count('message_outcomes_total', cleaned.outcome)
    const sent = cleaned.outcome === 'same' ? bytes : Buffer.from(cleaned.text)
    this.#sides.toUpstream(writeFrame(TEXT, sent, true))
  }

  #violation(code: number, reason: string): void {
    this.#metrics.count('message_outcomes_total', 'refused')
    if (this.#rules.closesOnViolation) this.close(code, reason)
  }

  #break(code: number, reason: string): void {
    this.#metrics.count('message_outcomes_total', 'refused')
    this.close(code, reason)
  }

  onUpstreamData(chunk: Buffer): void {
    if (this.#over) return
    if (this.#closing === null) {
      this.#tracker.pass(chunk)
      this.#sides.toClient(chunk)
      return
    }
    const end = this.#tracker.passToBoundary(chunk)
    if (end === -1) return this.#sides.toClient(chunk)
    if (end > 0) this.#sides.toClient(chunk.subarray(0, end))
    this.#finish(this.#closing)
  }

  close(code: number, reason: string): void {
    if (this.#over || this.#closing !== null) return
    this.#closing = closeFrame(code, reason, false)
    this.#message = EMPTY
    // Towards the upstream only whole frames are written: it is always at a boundary.
    if (!this.#clientClosed) this.#sides.toUpstream(closeFrame(code, reason, true))
    if (this.#tracker.isAtBoundary) this.#finish(this.#closing)
    else this.#deadline = setTimeout(() => this.#finish(EMPTY), CLOSE_WAIT_MS).unref()
  }

  #finish(frame: Buffer): void {
    if (this.#over) return
    if (!this.#tracker.sawClose && frame.length > 0) this.#sides.toClient(frame)
    this.onEnd()
    this.#sides.end()
  }

  onEnd(): void {
    this.#over = true
    this.#message = EMPTY
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#deadline = null
  }
}
