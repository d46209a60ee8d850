/**
 * What a service sends over a WebSocket, cleaned on its way to the client: its messages are put together, cleaned and sent
 * on as one frame each. What breaks a rule or cannot be read is left out or ends the socket, broken frames always end it.
 * It wraps the filter that reads the client.
 */
import { isUtf8 } from 'node:buffer'
import type { Metrics, TunnelFilter, TunnelFilterFactory } from '../exchange/contracts.ts'
import { BINARY, CLOSE, CLOSE_CODES, FrameReader, TEXT, writeFrame } from '../http/websocket-frames.ts'
import { attachmentsOf } from './message-label.ts'
import type { Cleaned } from './rules.ts'
import type { AnswerCleaner, CleanerFor } from './shown.ts'
import { showPacket } from './shown-packets.ts'

/** Puts the cleaning between the upstream and a filter, where there is anything to clean. */
export function shownFilter(
  inner: TunnelFilterFactory,
  maxBytes: number,
  cleanerFor: CleanerFor,
  speaksSocketIo: boolean,
  metrics: Metrics,
): TunnelFilterFactory {
  return (x, sides) => {
    const cleaner = cleanerFor(x.roles)
    const filter = inner(x, sides)
    return cleaner === null ? filter : new ShownFilter(filter, maxBytes, cleaner, speaksSocketIo, metrics)
  }
}

/** The label of what a service sent, in metrics. */
const SERVICE = 'service'

class ShownFilter implements TunnelFilter {
  readonly #inner: TunnelFilter
  readonly #reader: FrameReader
  readonly #cleaner: AnswerCleaner
  readonly #speaksSocketIo: boolean
  readonly #metrics: Metrics
  #opcode = 0
  #pieces: Buffer[] = []
  /** Attachments still to come of an event that was left out. */
  #dropsBinary = 0
  #isOver = false

  constructor(
    inner: TunnelFilter,
    maxBytes: number,
    cleaner: AnswerCleaner,
    speaksSocketIo: boolean,
    metrics: Metrics,
  ) {
    this.#inner = inner
    this.#reader = new FrameReader(false, maxBytes)
    this.#cleaner = cleaner
    this.#speaksSocketIo = speaksSocketIo
    this.#metrics = metrics
  }

  onClientData(chunk: Buffer): void {
    this.#inner.onClientData(chunk)
  }

  onUpstreamData(chunk: Buffer): void {
    if (this.#isOver) return
    const reader = this.#reader
    reader.push(chunk)
    while (!this.#isOver && reader.next()) this.#onFrame(reader.opcode, reader.isFinal, reader.payload)
    if (reader.fault !== null && !this.#isOver) this.#end('the service cannot be understood')
  }

  #onFrame(opcode: number, isFinal: boolean, payload: Buffer): void {
    if (opcode >= CLOSE) return this.#inner.onUpstreamData(writeFrame(opcode, payload, false))
    if (opcode !== 0) this.#opcode = opcode
    if (this.#opcode === TEXT || this.#cleaner.passesBinary) this.#pieces.push(payload)
    if (!isFinal) return
    const bytes = this.#pieces.length === 1 ? this.#pieces[0]! : Buffer.concat(this.#pieces)
    this.#pieces = []
    if (this.#opcode === BINARY) this.#onBinary(bytes)
    else this.#onText(bytes)
  }

  #onBinary(bytes: Buffer): void {
    if (!this.#cleaner.passesBinary) return this.#leaveOut('binary')
    if (this.#dropsBinary > 0) {
      this.#dropsBinary--
      return
    }
    this.#metrics.count('message_outcomes_total', 'same')
    this.#inner.onUpstreamData(writeFrame(BINARY, bytes, false))
  }

  #onText(bytes: Buffer): void {
    if (!isUtf8(bytes)) return this.#leaveOut('unreadable')
    const text = bytes.toString()
    const cleaned: Cleaned = this.#speaksSocketIo ? showPacket(this.#cleaner, text) : this.#cleaner.message(text)
    const isRefused = cleaned.outcome === 'refused'
    this.#dropsBinary = isRefused && this.#speaksSocketIo ? attachmentsOf(text) : 0
    if (isRefused) return this.#leaveOut(cleaned.reason)
    this.#metrics.count('message_outcomes_total', cleaned.outcome)
    const shown = cleaned.outcome === 'same' ? bytes : Buffer.from(cleaned.text)
    this.#inner.onUpstreamData(writeFrame(TEXT, shown, false))
  }

  #leaveOut(reason: string): void {
    this.#metrics.count('message_outcomes_total', 'refused')
    this.#metrics.count('socket_refusals_total', SERVICE, reason)
    if (this.#cleaner.closesOnViolation) this.#end('a message of the service breaks a rule')
  }

  #end(words: string): void {
    this.#isOver = true
    this.#pieces = []
    this.#inner.close(CLOSE_CODES.internalError, words)
  }

  close(code: number, reason: string): void {
    this.#inner.close(code, reason)
  }

  ping(frame: Buffer): boolean {
    return this.#inner.ping(frame)
  }

  onAdmitted(isAllowed: boolean): void {
    this.#inner.onAdmitted?.(isAllowed)
  }

  onEnd(): void {
    this.#isOver = true
    this.#pieces = []
    this.#inner.onEnd()
  }
}
