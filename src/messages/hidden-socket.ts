/**
 * Hides in what a service sends over a WebSocket: its messages are put together, rewritten and sent on as one frame each.
 * Bytes and what cannot be read are left out; broken frames end the socket. It wraps the filter that reads the client.
 */
import { isUtf8 } from 'node:buffer'
import type { TunnelFilter, TunnelFilterFactory } from '../exchange/contracts.ts'
import { CLOSE, CLOSE_CODES, FrameReader, TEXT, writeFrame } from '../http/websocket-frames.ts'

/** The message for the client; null where it is left out. */
export type HideMessage = (text: string) => string | null

/** Puts the hiding between the upstream and a filter. */
export function hiddenFilter(inner: TunnelFilterFactory, maxBytes: number, hide: HideMessage): TunnelFilterFactory {
  return (x, sides) => new HiddenFilter(inner(x, sides), maxBytes, hide)
}

class HiddenFilter implements TunnelFilter {
  readonly #inner: TunnelFilter
  readonly #reader: FrameReader
  readonly #hide: HideMessage
  #opcode = 0
  #pieces: Buffer[] = []
  #broken = false

  constructor(inner: TunnelFilter, maxBytes: number, hide: HideMessage) {
    this.#inner = inner
    this.#reader = new FrameReader(false, maxBytes)
    this.#hide = hide
  }

  onClientData(chunk: Buffer): void {
    this.#inner.onClientData(chunk)
  }

  onUpstreamData(chunk: Buffer): void {
    if (this.#broken) return
    const reader = this.#reader
    reader.push(chunk)
    while (reader.next()) this.#onFrame(reader.opcode, reader.isFinal, reader.payload)
    if (reader.fault === null) return
    this.#broken = true
    this.#inner.close(CLOSE_CODES.internalError, 'the service cannot be understood')
  }

  #onFrame(opcode: number, isFinal: boolean, payload: Buffer): void {
    if (opcode >= CLOSE) return this.#inner.onUpstreamData(writeFrame(opcode, payload, false))
    if (opcode !== 0) this.#opcode = opcode
    if (this.#opcode === TEXT) this.#pieces.push(payload)
    if (!isFinal) return
    const bytes = Buffer.concat(this.#pieces)
    this.#pieces = []
    if (this.#opcode !== TEXT || !isUtf8(bytes)) return
    const shown = this.#hide(bytes.toString())
    if (shown !== null) this.#inner.onUpstreamData(writeFrame(TEXT, Buffer.from(shown), false))
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
    this.#pieces = []
    this.#inner.onEnd()
  }
}
