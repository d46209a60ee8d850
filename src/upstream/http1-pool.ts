/**
 * The connections to one HTTP/1.1 endpoint: kept ones are used again, the last one first; new ones are opened up to a
 * bound; calls beyond it wait in a bounded queue. It knows sockets and calls, no exchange.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { type Dispatcher, type UpstreamCall, UpstreamError } from './dispatch.ts'
import { type ConnectionKeeper, UpstreamConnection } from './http1-connection.ts'
import { Inlet } from './inlet.ts'

export interface Http1PoolOptions {
  readonly host: string
  readonly port: number
  /** Null: plain TCP. */
  readonly tls: ConnectionOptions | null
  readonly maxConnections: number
  readonly maxWaiting: number
  /** Milliseconds until a connection stands, its TLS handshake included. */
  readonly connectMs: number
  /** Milliseconds that an unused connection is kept. */
  readonly keepAliveMs: number
}

export class Http1Pool implements Dispatcher, ConnectionKeeper {
  readonly #options: Http1PoolOptions
  readonly #idle: UpstreamConnection[] = []
  readonly #all = new Set<UpstreamConnection>()
  readonly #connecting = new Set<Socket>()
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
    const isFull = this.#all.size + this.#connecting.size >= maxConnections
    if (isFull && this.#queue.length - this.#connecting.size >= maxWaiting) {
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
    for (const socket of this.#connecting) socket.destroy()
  }

  #settle(): void {
    if (this.#closing !== null && this.#all.size === 0 && this.#queue.length === 0) this.#closing()
  }

  /** As many connections are under way as calls wait, within the bound. */
  #connectForQueue(): void {
    const { maxConnections } = this.#options
    while (this.#connecting.size < this.#queue.length && this.#all.size + this.#connecting.size < maxConnections) {
      this.#connect()
    }
  }

  #connect(): void {
    const { host, port, tls, connectMs } = this.#options
    const inlet = new Inlet(host, port, tls === null ? null : { ...tls, session: this.#session })
    const { socket } = inlet
    this.#connecting.add(socket)
    let failure: Error | null = null
    const timer = setTimeout(() => {
      failure = new UpstreamError('CONNECT_TIMEOUT')
      socket.destroy()
    }, connectMs)
    const onError = (error: Error): void => {
      failure ??= error
    }
    const onClose = (): void => {
      clearTimeout(timer)
      this.#connecting.delete(socket)
      // One attempt answers for one call: the oldest.
      this.#queue.shift()?.onFailure(failure ?? new UpstreamError('CLOSED'))
      this.#connectForQueue()
      this.#settle()
    }
    socket.on('error', onError)
    socket.on('close', onClose)
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      clearTimeout(timer)
      this.#connecting.delete(socket)
      socket.off('error', onError)
      socket.off('close', onClose)
      this.#take(inlet)
    })
    if (tls !== null) (socket as TLSSocket).on('session', (session: Buffer) => this.#onSession(session))
  }

  #onSession(session: Buffer): void {
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
