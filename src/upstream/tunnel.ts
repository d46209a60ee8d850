/**
 * An open WebSocket: bytes both ways with back-pressure, through the gate that keeps the bounds of the route, until one
 * side ends, a bound is reached, or the gateway drains. It knows no frame: the gate and the filter behind it do.
 */
import type { Duplex } from 'node:stream'
import { joinClock, leaveClock, type Ticking } from '../exchange/clock.ts'
import type { Peer } from '../exchange/connection.ts'
import type { Metrics } from '../exchange/contracts.ts'
import { destroySaid, holdToEndOfTurn } from '../exchange/end-of-turn.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { SlowReader } from '../exchange/slow-reader.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import { addTunnel, type OpenTunnel, removeTunnel } from '../exchange/tunnels.ts'
import { type HeaderList, joinHeader } from '../http/headers.ts'
import { agreeOnDeflate, type DeflateAgreement } from '../http/permessage-deflate.ts'
import { CompressedReader } from './compressed-reader.ts'
import { CompressedWriter } from './compressed-writer.ts'
import { SocketGate, type TunnelEnds } from './socket-gate.ts'
import { answerHeaders } from './websocket-handshake.ts'

/** Time that the slower side has to take what is queued for it after the other one ended. */
const FLUSH_MS = 5000
/** Time that a close has to find its place between two frames. */
const CLOSE_MS = 5000

const EXTENSIONS = 'sec-websocket-extensions'
const EMPTY = Buffer.alloc(0)

/** Accepts the client's handshake and joins the two streams. */
export function openTunnel(
  x: Exchange,
  upstream: Duplex,
  headers: HeaderList,
  bounds: SocketBounds,
  metrics: Metrics,
): void {
  const agreement = bounds.maxInflatedBytes === 0 ? null : agreeOnDeflate(joinHeader(x.headers, EXTENSIONS))
  const answer = answerHeaders(x, headers)
  if (agreement !== null) answer.push(EXTENSIONS, agreement.answer)
  const client = x.acceptTunnel(answer)
  new Tunnel(x, client, upstream, bounds, agreement, metrics).start()
}

class Tunnel implements TunnelEnds, OpenTunnel, Ticking {
  readonly #x: Exchange
  readonly #client: Duplex
  readonly #upstream: Duplex
  readonly #gate: SocketGate
  readonly #slowReader = new SlowReader()
  #toClientBytes = 0
  #closingSince = 0
  #endingSince = 0
  #over = false
  #clientHeld = false
  /** Null where messages are not compressed. */
  readonly #reader: CompressedReader | null
  readonly #writer: CompressedWriter | null
  #isReading = false

  constructor(
    x: Exchange,
    client: Duplex,
    upstream: Duplex,
    bounds: SocketBounds,
    agreement: DeflateAgreement | null,
    metrics: Metrics,
  ) {
    this.#reader = agreement === null ? null : new CompressedReader(bounds.maxInflatedBytes)
    this.#writer = agreement === null ? null : new CompressedWriter(agreement.windowBits)
    this.#x = x
    this.#client = client
    this.#upstream = upstream
    this.#gate = new SocketGate(x, bounds, this, metrics, performance.now())
  }

  start(): void {
    const client = this.#client
    const upstream = this.#upstream
    client.on('data', (chunk: Buffer) => this.#onClientData(chunk))
    upstream.on('data', (chunk: Buffer) => this.#onUpstreamData(chunk))
    client.on('drain', () => upstream.resume())
    upstream.on('drain', () => {
      if (!this.#clientHeld) this.#readOn()
    })
    for (const side of [client, upstream]) {
      side.on('end', () => this.end())
      side.on('error', () => this.#destroy())
      side.on('close', () => this.end())
    }
    joinClock(this)
    addTunnel(this)
    // A side that left during the handshake will not say so again.
    if (client.destroyed || upstream.destroyed) this.#destroy()
    else {
      client.resume()
      upstream.resume()
    }
  }

  #onClientData(chunk: Buffer): void {
    if (this.#over) return
    this.#x.bytesIn += chunk.length
    const reader = this.#reader
    if (reader === null) return this.#gate.onClientData(chunk, performance.now())
    // It was heard, whether a message is whole or not.
    this.#gate.onClientData(EMPTY, performance.now())
    reader.push(chunk)
    this.#readCompressed(reader)
  }

  /** One message after the other, and none while the client is held: what a few bytes become must not pile up. */
  #readCompressed(reader: CompressedReader): void {
    if (this.#isReading) return
    this.#isReading = true
    const now = performance.now()
    while (!this.#over && !this.#client.isPaused()) {
      const plain = reader.next()
      if (plain === null) break
      this.#gate.onClientData(plain, now)
    }
    this.#isReading = false
    if (reader.fault !== null && !this.#over) this.#gate.onFault(reader.fault)
  }

  #readOn(): void {
    this.#client.resume()
    if (this.#reader !== null) this.#readCompressed(this.#reader)
  }

  #onUpstreamData(chunk: Buffer): void {
    if (this.#over) return
    this.#gate.onUpstreamData(chunk, performance.now())
  }

  // --- what the gate may do ---

  toClient(chunk: Buffer): void {
    if (!this.#client.writable) return
    const written = this.#writer === null ? chunk : this.#writer.write(chunk)
    if (written.length === 0) return
    this.#x.bytesOut += written.length
    this.#toClientBytes += written.length
    holdToEndOfTurn(this.#client)
    if (!this.#client.write(written)) this.#upstream.pause()
  }

  toUpstream(chunk: Buffer): void {
    if (!this.#upstream.writable) return
    holdToEndOfTurn(this.#upstream)
    if (!this.#upstream.write(chunk)) this.#client.pause()
  }

  pauseClient(): void {
    this.#clientHeld = true
    this.#client.pause()
  }

  resumeClient(): void {
    this.#clientHeld = false
    if (!this.#upstream.writableNeedDrain) this.#readOn()
  }

  /** Ends both sides once what was written is flushed. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#endingSince = performance.now()
    this.#gate.onEnd()
    removeTunnel(this)
    this.#client.end()
    this.#upstream.end()
    // Nobody reads any more, but 'close' comes only to streams that flow.
    this.#client.resume()
    this.#upstream.resume()
    this.#client.on('close', () => this.#settle())
    this.#upstream.on('close', () => this.#settle())
    this.#settle()
  }

  // --- the gateway's side ---

  get peer(): Peer {
    return this.#x.peer
  }

  get clientAddress(): string {
    return this.#x.clientAddress
  }

  get user(): string {
    return this.#x.user
  }

  close(code: number, reason: string): void {
    if (!this.#over) this.#gate.close(code, reason)
  }

  onTick(now: number): void {
    if (this.#over) {
      if (now - this.#endingSince > FLUSH_MS) this.#destroy()
      return
    }
    if (this.#gate.isClosing) {
      if (this.#closingSince === 0) this.#closingSince = now
      if (now - this.#closingSince > CLOSE_MS) this.#destroy()
      return
    }
    const client = this.#client
    if (this.#slowReader.isStuck(this.#toClientBytes, client.writableLength, this.#x.listener.limits)) {
      this.#gate.onStuck()
    } else this.#gate.onTick(now, !client.isPaused())
  }

  #settle(): void {
    if (isGone(this.#client) && isGone(this.#upstream)) this.#destroy()
  }

  #destroy(): void {
    if (!this.#over) {
      this.#over = true
      this.#gate.onEnd()
      removeTunnel(this)
    }
    leaveClock(this)
    destroySaid(this.#client)
    destroySaid(this.#upstream)
    this.#x.endTunnel()
  }
}

const isGone = (stream: Duplex): boolean => stream.destroyed || (stream.writableFinished && stream.readableEnded)
