/**
 * A socket that listens: bounds on connections before any byte is read, the TLS handshake, and the hand-over to the engine
 * that ALPN chose. What it serves is its plan, which a reload swaps; it knows no route.
 */
import { createServer, type Server, type Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { ConfigurationError } from '../errors.ts'
import type { AddressCaps } from '../exchange/address-caps.ts'
import type { Arrival, ClientCertificate, Connection, ConnectionOwner } from '../exchange/connection.ts'
import type { ListenerPlan } from '../exchange/contracts.ts'
import { Http1Connection } from '../exchange/http1.ts'
import { type HandledSocket, Http2Connection } from '../exchange/http2.ts'
import { clientKey, normaliseAddress } from '../http/address.ts'
import { Beginnings } from './beginnings.ts'
import { describeClient } from './client-certificates.ts'
import { awaitFirstByte } from './first-byte.ts'
import type { HandshakeFailure } from './handshake-failure.ts'
import { type HandshakeBounds, HandshakeGate } from './handshake-gate.ts'
import { ProxyHeaderReader } from './proxy-header-reader.ts'
import type { ProxyHeader } from './proxy-protocol.ts'
import { type ListenerTls, TlsFront } from './tls-front.ts'

/** The PROXY protocol header is required, from these senders. */
export interface ProxyProtocol {
  readonly isSender: (address: string) => boolean
  /** Milliseconds for the whole header. */
  readonly timeoutMs: number
}

/** What a listener is to be: a socket and its plan. A reload may change all of it but the address. */
export interface ListenerOptions {
  /** The setting to name when the address cannot be taken: `listeners.public.address`. */
  readonly setting: string
  readonly host: string
  readonly port: number
  /** Null: plain HTTP (redirect and admin listeners). */
  readonly tls: ListenerTls | null
  /** Null: a connection is its client's own. */
  readonly proxyProtocol: ProxyProtocol | null
  readonly maxConnections: number
  /** Counts connections per client key; shared by the listeners of a name over reloads. */
  readonly connectionCaps: AddressCaps
  /** Connections from there are closed at once. */
  readonly isBanned: (address: string) => boolean
  /** Milliseconds for the TLS handshake. */
  readonly handshakeMs: number
  /** Bounds on TLS handshakes; not read where `tls` is null. */
  readonly handshakes: HandshakeBounds
  /** Told of every TLS handshake that came to nothing, with the client's address ('' where it left at once). */
  readonly onHandshakeFailure: (failure: HandshakeFailure, address: string) => void
  /** Makes the data path's part; the listener tells which hosts its certificates cover. */
  readonly plan: (covers: ListenerPlan['isDirected']) => ListenerPlan
}

/** A TLS handshake under way. */
interface Handshake {
  readonly socket: Socket
  readonly arrival: Arrival
  readonly key: string
}

export class Listener implements ConnectionOwner {
  plan: ListenerPlan
  #options: ListenerOptions
  readonly #server: Server
  /** Null: plain HTTP. */
  readonly #front: TlsFront | null
  readonly #connections = new Set<Connection>()
  /** Connections whose PROXY protocol header has not come yet. */
  readonly #headerReaders = new Set<ProxyHeaderReader>()
  /** By both ends of the socket: connections whose TLS handshake is under way. */
  readonly #handshaking = new Map<string, Handshake>()
  readonly #gate: HandshakeGate
  readonly #onAcceptError: (setting: string, code: string) => void
  readonly #beginnings = new Beginnings()
  #draining = false
  #isCut = false

  /** Binds nothing yet. `onAcceptError` is called when the system has no socket left for a client. */
  constructor(options: ListenerOptions, onAcceptError: (setting: string, code: string) => void) {
    this.#options = options
    this.#onAcceptError = onAcceptError
    this.plan = options.plan((serverName, host) => this.covers(serverName, host))
    this.#server = createServer({ pauseOnConnect: false, noDelay: true }, (socket) => this.#onConnection(socket))
    this.#server.maxConnections = options.maxConnections
    this.#gate = new HandshakeGate(options.handshakes, performance.now())
    this.#front =
      options.tls === null
        ? null
        : new TlsFront(
            { tls: options.tls, handshakeMs: options.handshakeMs },
            (socket) => this.#onSecure(socket),
            (failure, socket) => this.#onHandshakeFailure(failure, socket),
          )
  }

  get port(): number {
    const address = this.#server.address()
    return address !== null && typeof address === 'object' ? address.port : this.#options.port
  }

  get connectionCount(): number {
    return this.#connections.size
  }

  /** Did this connection come by this listener, and is it open? */
  holds(connection: object): boolean {
    return (this.#connections as Set<object>).has(connection)
  }

  /** For 421: does the certificate that was served for `serverName` cover `host`? Always, without TLS. */
  covers(serverName: string, host: string): boolean {
    return this.#front === null || this.#front.covers(serverName, host)
  }

  /** Binds. Rejects with a ConfigurationError that names the setting. */
  open(): Promise<void> {
    const { host, port, setting } = this.#options
    return new Promise((resolve, reject) => {
      const onError = (error: NodeJS.ErrnoException): void =>
        reject(new ConfigurationError([bindProblem(setting, host, port, error)]))
      this.#server.once('error', onError)
      this.#server.listen({ host, port, backlog: 1024 }, () => {
        this.#server.off('error', onError)
        this.#server.on('error', (error: NodeJS.ErrnoException) => {
          this.#onAcceptError(setting, error.code ?? error.message)
        })
        resolve()
      })
    })
  }

  /** Serves something else from the next exchange and the next handshake on; what is open stays open. */
  serve(options: ListenerOptions): void {
    this.#options = options
    this.plan = options.plan((serverName, host) => this.covers(serverName, host))
    this.#server.maxConnections = options.maxConnections
    this.#gate.change(options.handshakes, performance.now())
    if (options.tls !== null) this.#front?.serve({ tls: options.tls, handshakeMs: options.handshakeMs })
  }

  /** Accepts no more, and ends every connection after its running answers. */
  drain(): void {
    if (this.#draining) return
    this.#draining = true
    this.#server.close()
    this.#front?.close()
    for (const connection of this.#connections) connection.drain()
  }

  /** Cuts what is left. */
  destroy(): void {
    this.#draining = true
    this.#isCut = true
    this.#server.close()
    this.#front?.close()
    for (const reader of this.#headerReaders) reader.destroy()
    for (const connection of this.#connections) connection.destroy('draining')
  }

  onConnectionEnd(connection: Connection): void {
    this.#connections.delete(connection)
  }

  #onConnection(socket: Socket): void {
    const own = ownArrival(socket)
    const proxy = this.#options.proxyProtocol
    if (proxy === null || own.address === '') {
      this.#admit(socket, own)
      return
    }
    if (!proxy.isSender(own.address)) {
      this.plan.onRefusedBytes('address-denied', own.address)
      destroy(socket)
      return
    }
    const reader = new ProxyHeaderReader(
      socket,
      proxy.timeoutMs,
      (header) => {
        this.#headerReaders.delete(reader)
        this.#onProxyHeader(socket, header, own)
      },
      (isBad) => {
        this.#headerReaders.delete(reader)
        if (isBad) this.plan.onRefusedBytes('bad-proxy-header', own.address)
      },
    )
    this.#headerReaders.add(reader)
  }

  #onProxyHeader(socket: Socket, { address, port }: ProxyHeader, own: Arrival): void {
    this.#admit(socket, address === '' ? own : { address, localPort: port, certificate: null })
    // The TLS server reads by itself; the engine for plain HTTP finds the socket as the header left it.
    if (this.#front === null) socket.resume()
  }

  /** Takes a slot of the client's address, and hands the socket over. */
  #admit(socket: Socket, arrival: Arrival): void {
    const key = clientKey(arrival.address, this.plan.ipv6Prefix)
    const caps = this.#options.connectionCaps
    if (arrival.address === '' || this.#options.isBanned(arrival.address) || !caps.take(key)) {
      destroy(socket)
      return
    }
    socket.once('close', () => caps.release(key))
    if (this.#front === null) this.#add(new Http1Connection(socket, arrival, '', false, this))
    else if (this.#mayBegin(key)) this.#queueHandshake(socket, arrival, key)
    else {
      this.plan.onRefusedBytes('too-many-handshakes', arrival.address)
      destroy(socket)
    }
  }

  /** Where handshakes that do not end have taken every place, the one that was begun first makes room. */
  #mayBegin(key: string): boolean {
    if (this.#gate.isFull) {
      for (const [ends, { socket }] of this.#handshaking) {
        this.#endHandshake(ends, false)
        socket.destroy()
        break
      }
    }
    return this.#gate.begin(key, performance.now())
  }

  /** One handshake begins in a turn of the loop, with its first bytes there. */
  #queueHandshake(socket: Socket, arrival: Arrival, key: string): void {
    const ends = endsOf(socket)
    this.#handshaking.set(ends, { socket, arrival, key })
    socket.once('close', () => this.#endHandshake(ends, false))
    // Until the TLS server has it, nobody else listens.
    socket.on('error', ignoreError)
    const begin = () =>
      this.#beginnings.push(() => {
        if (!socket.destroyed) this.#front?.take(socket)
      })
    // What came with a PROXY protocol header.
    if (socket.readableLength > 0) return begin()
    const { handshakeMs, onHandshakeFailure } = this.#options
    awaitFirstByte(socket, handshakeMs, begin, (why) => onHandshakeFailure(why, arrival.address))
  }

  #onHandshakeFailure(failure: HandshakeFailure, socket: TLSSocket): void {
    // Its own socket is closed after this, and leaves the table then.
    const address = this.#handshaking.get(endsOf(socket))?.arrival.address ?? ''
    this.#options.onHandshakeFailure(failure, address)
  }

  /** Where the connection came from; null where it is gone. */
  #endHandshake(ends: string, wasResumed: boolean): Arrival | null {
    const handshake = this.#handshaking.get(ends)
    if (handshake === undefined) return null
    this.#handshaking.delete(ends)
    this.#gate.end(handshake.key, wasResumed)
    return handshake.arrival
  }

  #onSecure(socket: TLSSocket): void {
    const certificate = this.#identify(socket)
    const arrival = this.#endHandshake(endsOf(socket), socket.isSessionReused())
    if (arrival === null || certificate === undefined) {
      socket.destroy()
      return
    }
    const name = socket.servername
    const serverName = typeof name === 'string' ? name.toLowerCase() : ''
    if (socket.alpnProtocol === 'h2') this.#queueSession(socket, { ...arrival, certificate }, serverName)
    else this.#add(new Http1Connection(socket, { ...arrival, certificate }, serverName, true, this))
  }

  /** One HTTP/2 session begins in a turn too. What its client sends meanwhile waits with the system. */
  #queueSession(socket: TLSSocket, arrival: Arrival, serverName: string): void {
    const mustWait = this.#beginnings.isBusy
    if (mustWait) {
      socket.on('error', ignoreError)
      ;(socket as HandledSocket)._handle?.readStop()
    }
    this.#beginnings.push(() => {
      if (this.#isCut) socket.destroy()
      if (socket.destroyed) return
      this.#add(new Http2Connection(socket, arrival, serverName, this))
      if (mustWait) (socket as HandledSocket)._handle?.readStart()
    })
  }

  /** What the client showed, null for none; undefined where services could not be told of it. */
  #identify(socket: TLSSocket): ClientCertificate | null | undefined {
    const clients = this.#options.tls?.clients ?? null
    const shown = clients !== null && socket.authorized ? socket.getPeerX509Certificate() : undefined
    if (clients === null || shown === undefined) return null
    const described = describeClient(shown, clients.forwardsCertificate)
    if (described !== null) return described
    this.#onHandshakeFailure('client-certificate-untrusted', socket)
    return undefined
  }

  #add(connection: Connection): void {
    this.#connections.add(connection)
    // A handshake that was under way when the drain began.
    if (this.#draining) connection.drain()
  }
}

function bindProblem(setting: string, host: string, port: number, error: NodeJS.ErrnoException): string {
  const where = `${host.includes(':') ? `[${host}]` : host}:${port}`
  switch (error.code) {
    case 'EADDRINUSE':
      return `${setting}: ${where} is taken by another program; stop it or choose another port`
    case 'EADDRNOTAVAIL':
      return `${setting}: ${where} is not an address of this machine`
    case 'EACCES':
      return `${setting}: ${where} may not be bound by this user; choose a port from 1024 up`
    default:
      return `${setting}: ${where} cannot be bound (${error.code ?? error.message})`
  }
}

function ownArrival(socket: Socket): Arrival {
  return { address: normaliseAddress(socket.remoteAddress ?? ''), localPort: socket.localPort ?? 0, certificate: null }
}

/** The same for a socket and for the TLS socket upon it; no two open connections of a listener share it. */
const endsOf = (socket: Socket): string => `${socket.remoteAddress} ${socket.remotePort} ${socket.localAddress}`

function destroy(socket: Socket): void {
  socket.on('error', ignoreError)
  socket.destroy()
}

function ignoreError(): void {}
