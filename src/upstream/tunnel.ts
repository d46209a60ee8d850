/**
 * An open WebSocket: bytes both ways with back-pressure, through the filter that the route asks for, until one side ends,
 * nothing moves for too long, or the gateway drains. It knows no frame: filters do.
 */
import type { Duplex } from 'node:stream'
import { joinClock, leaveClock, type Ticking } from '../exchange/clock.ts'
import type { TunnelFilter, TunnelSides } from '../exchange/contracts.ts'
import type { Exchange, Peer } from '../exchange/exchange.ts'
import { addTunnel, type OpenTunnel, removeTunnel } from '../exchange/tunnels.ts'
import type { HeaderList } from '../http/headers.ts'
import { relayFilter } from './relay-filter.ts'
import { answerHeaders } from './websocket-handshake.ts'

/** Time that the slower side has to take what is queued for it after the other one ended. */
const FLUSH_MS = 5000

/** Accepts the client's handshake and joins the two streams. */
export function openTunnel(x: Exchange, upstream: Duplex, headers: HeaderList): void {
  const client = x.acceptTunnel(answerHeaders(x, headers))
  new Tunnel(x, client, upstream).start()
}

class Tunnel implements TunnelSides, OpenTunnel, Ticking {
  readonly #x: Exchange
  readonly #client: Duplex
  readonly #upstream: Duplex
  readonly #filter: TunnelFilter
  #lastMove = performance.now()
  #endingSince = 0
  #over = false
  #clientHeld = false

  constructor(x: Exchange, client: Duplex, upstream: Duplex) {
    this.#x = x
    this.#client = client
    this.#upstream = upstream
    this.#filter = (x.tunnelFilter ?? relayFilter)(x, this)
  }

  start(): void {
    const client = this.#client
    const upstream = this.#upstream
    client.on('data', (chunk: Buffer) => this.#onClientData(chunk))
    upstream.on('data', (chunk: Buffer) => this.#onUpstreamData(chunk))
    client.on('drain', () => upstream.resume())
    upstream.on('drain', () => {
      if (!this.#clientHeld) client.resume()
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
    this.#lastMove = performance.now()
    this.#x.bytesIn += chunk.length
    this.#filter.onClientData(chunk)
  }

  #onUpstreamData(chunk: Buffer): void {
    if (this.#over) return
    this.#lastMove = performance.now()
    this.#filter.onUpstreamData(chunk)
  }

  // --- what a filter may do ---

  toClient(chunk: Buffer): void {
    if (!this.#client.writable) return
    this.#x.bytesOut += chunk.length
    if (!this.#client.write(chunk)) this.#upstream.pause()
  }

  toUpstream(chunk: Buffer): void {
    if (!this.#upstream.writable) return
    if (!this.#upstream.write(chunk)) this.#client.pause()
  }

  pauseClient(): void {
    this.#clientHeld = true
    this.#client.pause()
  }

  resumeClient(): void {
    this.#clientHeld = false
    if (!this.#upstream.writableNeedDrain) this.#client.resume()
  }

  /** Ends both sides once what was written is flushed. */
  end(): void {
    if (this.#over) return
    this.#over = true
    this.#endingSince = performance.now()
    this.#filter.onEnd()
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

  close(code: number, reason: string): void {
    if (!this.#over) this.#filter.close(code, reason)
  }

  onTick(now: number): void {
    if (this.#over) {
      if (now - this.#endingSince > FLUSH_MS) this.#destroy()
      return
    }
    if (now - this.#lastMove > this.#x.listener.limits.tunnelIdleMs) this.close(1001, 'idle')
  }

  #settle(): void {
    if (isGone(this.#client) && isGone(this.#upstream)) this.#destroy()
  }

  #destroy(): void {
    if (!this.#over) {
      this.#over = true
      this.#filter.onEnd()
      removeTunnel(this)
    }
    leaveClock(this)
    this.#client.destroy()
    this.#upstream.destroy()
    this.#x.endTunnel()
  }
}

const isGone = (stream: Duplex): boolean => stream.destroyed || (stream.writableFinished && stream.readableEnded)
