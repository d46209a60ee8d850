/**
 * The filter of a route without message rules: bytes pass unread, and only their frame boundaries are followed, so that a
 * close frame can be put between two frames when the gateway drains.
 */
import type { TunnelFilter, TunnelFilterFactory, TunnelSides } from '../exchange/contracts.ts'
import { FrameTracker } from '../http/frame-tracker.ts'
import { closeFrame } from '../http/websocket-frames.ts'

export const relayFilter: TunnelFilterFactory = (_x, sides) => new RelayFilter(sides)

class RelayFilter implements TunnelFilter {
  readonly #sides: TunnelSides
  readonly #fromClient = new FrameTracker()
  readonly #fromUpstream = new FrameTracker()
  #closing: { code: number; reason: string } | null = null
  #toldClient = false
  #toldUpstream = false

  constructor(sides: TunnelSides) {
    this.#sides = sides
  }

  onClientData(chunk: Buffer): void {
    if (this.#closing !== null) {
      this.#upToBoundary(this.#fromClient, chunk, true)
      return
    }
    this.#fromClient.pass(chunk)
    this.#sides.toUpstream(chunk)
  }

  onUpstreamData(chunk: Buffer): void {
    if (this.#closing !== null) {
      this.#upToBoundary(this.#fromUpstream, chunk, false)
      return
    }
    this.#fromUpstream.pass(chunk)
    this.#sides.toClient(chunk)
  }

  close(code: number, reason: string): void {
    if (this.#closing !== null) return
    this.#closing = { code, reason }
    if (this.#fromUpstream.isAtBoundary) this.#tellClient()
    if (this.#fromClient.isAtBoundary) this.#tellUpstream()
    this.#endWhenTold()
  }

  ping(frame: Buffer): boolean {
    if (this.#closing !== null || !this.#fromUpstream.isAtBoundary || this.#fromUpstream.sawClose) return false
    this.#sides.toClient(frame)
    return true
  }

  onEnd(): void {}

  /** The running frame may end; what comes after it is dropped, and the close frame takes its place. */
  #upToBoundary(tracker: FrameTracker, chunk: Buffer, isFromClient: boolean): void {
    if (isFromClient ? this.#toldUpstream : this.#toldClient) return
    const end = tracker.passToBoundary(chunk)
    const part = end === -1 ? chunk : chunk.subarray(0, end)
    if (isFromClient) this.#sides.toUpstream(part)
    else this.#sides.toClient(part)
    if (end === -1) return
    if (isFromClient) this.#tellUpstream()
    else this.#tellClient()
    this.#endWhenTold()
  }

  #tellClient(): void {
    this.#toldClient = true
    if (!this.#fromUpstream.sawClose)
      this.#sides.toClient(closeFrame(this.#closing!.code, this.#closing!.reason, false))
  }

  #tellUpstream(): void {
    this.#toldUpstream = true
    if (!this.#fromClient.sawClose) this.#sides.toUpstream(closeFrame(this.#closing!.code, this.#closing!.reason, true))
  }

  #endWhenTold(): void {
    if (this.#toldClient && this.#toldUpstream) this.#sides.end()
  }
}
