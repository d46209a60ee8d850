/** Whether the client of a WebSocket is still there: pings after silence, and knows its own pongs. It writes to no stream. */
import { randomBytes } from 'node:crypto'
import { applyMask, PING, writeFrame } from '../http/websocket-frames.ts'

/** Bytes of the payload, and of the mask before it. */
export const OWN_PONG_BYTES = 8
const MASK_BYTES = 4

export class KeepAlive {
  readonly #pingMs: number
  readonly #pongMs: number
  /** Random, so that no other pong of the client is taken for an answer. */
  readonly #payload: Buffer = randomBytes(OWN_PONG_BYTES)
  #heardAt: number
  #pingedAt = 0

  /** Milliseconds of silence until a ping, 0 for never, and then until the client counts as gone. */
  constructor(pingMs: number, pongMs: number, now: number) {
    this.#pingMs = pingMs
    this.#pongMs = pongMs
    this.#heardAt = now
  }

  /** Something came of the client, or nothing could have come. */
  heard(now: number): void {
    this.#heardAt = now
  }

  /** `ping` sends a frame and is true where it could. False: the client has not answered in time. */
  onTick(now: number, ping: (frame: Buffer) => boolean): boolean {
    if (this.#pingMs === 0) return true
    if (this.#pingedAt > this.#heardAt) return now - this.#pingedAt <= this.#pongMs
    if (now - this.#heardAt > this.#pingMs && ping(writeFrame(PING, this.#payload, false))) this.#pingedAt = now
    return true
  }

  /** Whether the masked payload at this place answers a ping of ours. All its bytes are there. */
  isAnswer(bytes: Buffer, payloadAt: number): boolean {
    const payload = Buffer.from(bytes.subarray(payloadAt, payloadAt + OWN_PONG_BYTES))
    applyMask(payload, bytes, payloadAt - MASK_BYTES)
    return payload.equals(this.#payload)
  }
}
