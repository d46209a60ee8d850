/**
 * The connections to one HTTP/1.1 endpoint: kept ones are used again, the last one first; new ones are opened up to a
 * bound; calls beyond it wait in a bounded queue. It knows sockets and calls, no exchange.
 */
import { type Dispatcher, type UpstreamCall, UpstreamError } from './dispatch.ts'
import { type ConnectionKeeper, UpstreamConnection } from './http1-connection.ts'
import type { Inlet } from './inlet.ts'
import { type Destination, Opening, type OpeningListener } from './opening.ts'

export interface Http1PoolOptions extends Destination {
  readonly maxConnections: number
  readonly maxWaiting: number
  /** Milliseconds until a connection stands, its TLS handshake and the way through a proxy included. */
  readonly connectMs: number
  /** Milliseconds that an unused connection is kept. */
  readonly keepAliveMs: number
}

export class Http1Pool implements Dispatcher, ConnectionKeeper, OpeningListener {
  readonly #options: Http1PoolOptions
  readonly #idle: UpstreamConnection[] = []
  readonly #all = new Set<UpstreamConnection>()
  readonly #opening = new Set<Opening>()
  #queue: UpstreamCall[] = []
  /** Of the last connection, for resumption (RFC 8446, 2.2). */
  #session: Buffer | undefined
  #closing: (() => void) | null = null
  #closed = false

  constructor(options: Http1PoolOptions) {
    this.#options = options
  }

  get waiting(): number {
    return this.#queue.length
  }

  dispatch(call: UpstreamCall): void {
    if (this.#closed) {
      call.onFailure(new UpstreamError('ENDPOINT_CLOSED'))
      return
    }
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      if (idle.isUsable) {
        idle.run(call)
        return
      }
      idle.destroy()
    }
    const { maxConnections, maxWaiting } = this.#options
    const isFull = this.#all.size + this.#opening.size >= maxConnections
    if (isFull && this.#queue.length - this.#opening.size >= maxWaiting) {
      call.onFailure(new UpstreamError('TOO_MANY_WAITING'))
      return
    }
    this.#queue.push(call)
    if (!isFull) this.#connect()
  }

  cancel(call: UpstreamCall): void {
    const at = this.#queue.indexOf(call)
    if (at !== -1) this.#queue.splice(at, 1)
  }

  onIdle(connection: UpstreamConnection): void {
    const call = this.#queue.shift()
    if (call !== undefined) {
      // Not from within the end of the answer before.
      process.nextTick(runLater, this, connection, call)
    } else if (this.#closed) connection.destroy()
    else this.#idle.push(connection)
  }

  /** For the next tick. */
  runOn(connection: UpstreamConnection, call: UpstreamCall): void {
    if (connection.isUsable) connection.run(call)
    else this.dispatch(call)
  }

  onGone(connection: UpstreamConnection): void {
    this.#all.delete(connection)
    const at = this.#idle.indexOf(connection)
    if (at !== -1) this.#idle.splice(at, 1)
    this.#connectForQueue()
    this.#settle()
  }

  async close(): Promise<void> {
    this.#closed = true
    for (const idle of [...this.#idle]) idle.destroy()
    if (this.#all.size === 0 && this.#queue.length === 0) return
    await new Promise<void>((resolve) => {
      this.#closing = resolve
      this.#settle()
    })
  }

  async destroy(): Promise<void> {
    this.#closed = true
    const waiting = this.#queue
    this.#queue = []
    for (const call of waiting) call.onFailure(new UpstreamError('ENDPOINT_CLOSED'))
    for (const connection of [...this.#all]) connection.destroy()
    for (const opening of this.#opening) opening.destroy()
    this.#opening.clear()
    this.#settle()
  }

  #settle(): void {
    if (this.#closing !== null && this.#all.size === 0 && this.#queue.length === 0) this.#closing()
  }

  /** As many connections are under way as calls wait, within the bound. */
  #connectForQueue(): void {
    const { maxConnections } = this.#options
    while (this.#opening.size < this.#queue.length && this.#all.size + this.#opening.size < maxConnections) {
      this.#connect()
    }
  }

  #connect(): void {
    const { connectMs } = this.#options
    this.#opening.add(new Opening(this.#options, this.#session, connectMs, this))
  }

  onOpen(opening: Opening, inlet: Inlet): void {
    this.#opening.delete(opening)
    this.#take(inlet)
  }

  onOpenFailed(opening: Opening, error: Error): void {
    this.#opening.delete(opening)
    // One attempt answers for one call: the oldest.
    this.#queue.shift()?.onFailure(error)
    this.#connectForQueue()
    this.#settle()
  }

  onSession(session: Buffer): void {
    this.#session = session
  }

  #take(inlet: Inlet): void {
    const connection = new UpstreamConnection(inlet, this.#options.keepAliveMs, this)
    this.#all.add(connection)
    const call = this.#queue.shift()
    if (call !== undefined) connection.run(call)
    else if (this.#closed) connection.destroy()
    else this.#idle.push(connection)
  }
}

function runLater(pool: Http1Pool, connection: UpstreamConnection, call: UpstreamCall): void {
  pool.runOn(connection, call)
}
