/**
 * A connection to an endpoint that is being opened: straight, by a Unix socket, or through a forward proxy, and TLS where it is asked
 * for, all within one deadline. Where a proxy is set nothing is ever opened but to the proxy. It knows no request.
 */
import type { Socket } from 'node:net'
import type { ConnectionOptions, TLSSocket } from 'node:tls'
import { UpstreamError } from './dispatch.ts'
import type { ForwardProxy } from './forward-proxy.ts'
import { Inlet } from './inlet.ts'
import { ProxyTunnel } from './proxy-tunnel.ts'

/** Where an endpoint listens. */
export interface Destination {
  readonly host: string
  readonly port: number
  /** Path of a Unix socket; then host and port mean nothing. */
  readonly socketPath: string | null
  /** Null: plain TCP. */
  readonly tls: ConnectionOptions | null
  /** Null: straight. */
  readonly proxy: ForwardProxy | null
}

export interface OpeningListener {
  onOpen(opening: Opening, inlet: Inlet): void
  /** Once, in place of `onOpen`; not after `destroy`. Never before the opening stands. */
  onOpenFailed(opening: Opening, error: Error): void
  /** For resumption (RFC 8446, 2.2). */
  onSession(session: Buffer): void
}

export class Opening {
  readonly #to: Destination
  readonly #session: Buffer | undefined
  readonly #listener: OpeningListener
  readonly #timer: NodeJS.Timeout
  #tunnel: ProxyTunnel | null = null
  #socket: Socket | null = null
  #isOver = false

  /** `connectMs` counts for all steps together. */
  constructor(to: Destination, session: Buffer | undefined, connectMs: number, listener: OpeningListener) {
    this.#to = to
    this.#session = session
    this.#listener = listener
    this.#timer = setTimeout(() => this.#expire(), connectMs)
    if (to.proxy === null) this.#connect(null)
    else this.#tunnel = new ProxyTunnel(to.proxy, to.host, to.port, this)
  }

  onTunnel(socket: Socket): void {
    this.#tunnel = null
    if (this.#to.tls === null) this.#finish(new Inlet(this.#to, null, socket))
    else this.#connect(socket)
  }

  onTunnelFailed(error: Error): void {
    this.#fail(error)
  }

  /** Gives it up. */
  destroy(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#tunnel?.destroy()
    this.#socket?.destroy()
  }

  #expire(): void {
    if (this.#tunnel !== null) this.#tunnel.expire()
    else this.#fail(new UpstreamError('CONNECT_TIMEOUT'))
  }

  #fail(error: Error): void {
    if (this.#isOver) return
    this.destroy()
    this.#listener.onOpenFailed(this, error)
  }

  #finish(inlet: Inlet): void {
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#listener.onOpen(this, inlet)
  }

  #connect(through: Socket | null): void {
    const { tls } = this.#to
    const inlet = new Inlet(this.#to, tls === null ? null : { ...tls, session: this.#session }, through)
    const { socket } = inlet
    this.#socket = socket
    const onError = (error: Error): void => this.#fail(error)
    const onClose = (): void => this.#fail(new UpstreamError('CLOSED'))
    // It stays: what is given up may still fail.
    socket.on('error', onError)
    socket.on('close', onClose)
    // A tunnel that is lost ends what goes through it.
    through?.on('error', (error) => socket.destroy(error))
    socket.once(tls === null ? 'connect' : 'secureConnect', () => {
      if (this.#isOver) return
      socket.off('error', onError)
      socket.off('close', onClose)
      this.#finish(inlet)
    })
    if (tls !== null) (socket as TLSSocket).on('session', (session: Buffer) => this.#listener.onSession(session))
  }
}
