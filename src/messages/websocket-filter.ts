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
import { attachmentsOf, type LabelMessage, plainLabel } from './message-label.ts'
import type { Cleaned, MessageRules } from './rules.ts'

export type CleanMessage = (rules: MessageRules, text: string) => Cleaned

/** How long a frame that the upstream has begun may hold up a close. Milliseconds. */
const CLOSE_WAIT_MS = 1000
const EMPTY = Buffer.alloc(0)

/**
 * Makes filters. A message that breaks a rule is dropped alone (nobody is told: plain WebSocket has no word for it; a
 * socket.io event that asked for an acknowledgement gets none), or closes the socket with 1008, by `onViolation`. Binary
 * messages, which nobody can inspect, count as breaking a rule (1003) unless the rules let them pass. Broken frames always
 * close: 1002, 1007, 1009. What passes the rules is counted by the limits of the route, as `label` calls it.
 */
export function webSocketFilter(
  rules: MessageRules,
  cleanMessage: CleanMessage,
  metrics: Metrics,
  label: LabelMessage = plainLabel,
): TunnelFilterFactory {
  return (_x, sides) => new WebSocketFilter(rules, cleanMessage, metrics, sides, label)
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
  readonly #label: LabelMessage
  /** The frame of a message that a limit is asked about: nothing of the client is read meanwhile. */
  #waiting: Buffer | null = null
  /** Attachments still to come of an event that was dropped. */
  #dropsBinary = 0
  #clientClosed = false
  #closing: Buffer | null = null
  #over = false
  #deadline: NodeJS.Timeout | null = null

  constructor(rules: MessageRules, clean: CleanMessage, metrics: Metrics, sides: TunnelSides, label: LabelMessage) {
    this.#label = label
    this.#rules = rules
    this.#clean = clean
    this.#metrics = metrics
    this.#sides = sides
    this.#reader = new FrameReader(true, rules.maxBytes)
  }

  onClientData(chunk: Buffer): void {
    if (this.#isDeaf) return
    this.#reader.push(chunk)
    this.#read()
  }

  #read(): void {
    const reader = this.#reader
    while (!this.#isDeaf && this.#waiting === null && reader.next()) {
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
    // Of a binary message that is refused when it is whole nothing is kept.
    const isKept = this.#rules.passesBinary || !this.#isBinary
    if (isKept && !(isFinal && opcode !== CONTINUATION)) this.#keep(payload)
    if (!isFinal) return
    if (this.#isBinary && !this.#rules.passesBinary) {
      return this.#violation(CLOSE_CODES.unsupportedData, 'binary messages are not accepted', 'binary', 'binary')
    }
    if (opcode !== CONTINUATION) return this.#onWhole(payload)
    const whole = this.#message.subarray(0, this.#messageBytes)
    this.#message = EMPTY
    this.#messageBytes = 0
    this.#onWhole(whole)
  }

  #onWhole(bytes: Buffer): void {
    if (!this.#isBinary) return this.#onMessage(bytes)
    if (this.#dropsBinary > 0) {
      this.#dropsBinary--
      return
    }
    this.#metrics.count('message_outcomes_total', 'same')
    this.#admit(this.#label(this.#rules, null), writeFrame(BINARY, bytes, true))
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
    const text = bytes.toString()
    const cleaned = this.#clean(this.#rules, text)
    const label = this.#label(this.#rules, text)
    this.#dropsBinary = this.#rules.passesBinary ? attachmentsOf(text) : 0
    if (cleaned.outcome === 'refused') {
      return this.#violation(CLOSE_CODES.policyViolation, 'the message breaks a rule', label ?? 'other', cleaned.reason)
    }
    this.#metrics.count('message_outcomes_total', cleaned.outcome)
    const sent = cleaned.outcome === 'same' ? bytes : Buffer.from(cleaned.text)
    this.#admit(label, writeFrame(TEXT, sent, true))
  }

  #admit(label: string | null, frame: Buffer): void {
    const isAllowed = label === null ? true : this.#sides.admit(label)
    if (isAllowed === null) {
      this.#waiting = frame
      this.#sides.pauseClient()
    } else if (isAllowed) this.#send(frame)
  }

  #send(frame: Buffer): void {
    this.#dropsBinary = 0
    this.#sides.toUpstream(frame)
  }

  onAdmitted(isAllowed: boolean): void {
    const frame = this.#waiting
    this.#waiting = null
    if (frame === null || this.#isDeaf) return
    if (isAllowed) this.#send(frame)
    this.#read()
    if (this.#waiting === null) this.#sides.resumeClient()
  }

  #violation(code: number, reason: string, label: string, why: string): void {
    this.#metrics.count('message_outcomes_total', 'refused')
    this.#metrics.count('socket_refusals_total', label, why)
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

  ping(frame: Buffer): boolean {
    if (this.#over || this.#closing !== null || this.#tracker.sawClose || !this.#tracker.isAtBoundary) return false
    this.#sides.toClient(frame)
    return true
  }

  onEnd(): void {
    this.#over = true
    this.#waiting = null
    this.#message = EMPTY
    if (this.#deadline !== null) clearTimeout(this.#deadline)
    this.#deadline = null
  }
}
