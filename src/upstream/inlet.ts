/**
 * A socket to a service, whose bytes are all read into one buffer that every such socket shares: a download costs no memory
 * for what passes through. One that a proxy opened is read as any stream. It knows no HTTP.
 */
import { connect, type NetConnectOpts, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'
import type { TakeBytes } from '../exchange/client-inlet.ts'

/** A larger piece would be more to hold for a client that stops reading; smaller ones cost more of the processor. */
const READ_BYTES = 32 * 1024
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** Where to: host and port, or the path of a Unix socket. */
export interface InletPlace {
  readonly host: string
  readonly port: number
  readonly socketPath: string | null
}

export class Inlet {
  readonly socket: Socket
  readonly #isAdopted: boolean
  #take: TakeBytes | null = null

  /** Connects at once; TLS where there are options for it. `through`: a stream that leads there, connected and paused. */
  constructor(place: InletPlace, tls: ConnectionOptions | null, through: Socket | null = null) {
    this.#isAdopted = through !== null
    const { host, port, socketPath } = place
    if (through !== null) {
      // Without the host the certificate would be checked against the name of whoever the stream leads through.
      this.socket = tls === null ? through : connectTls({ ...tls, host, socket: through })
      return
    }
    const onread = { buffer: shared, callback: (length: number) => this.#onRead(length) }
    const to = socketPath === null ? { host, port, noDelay: true } : { path: socketPath }
    // What @types/node does not declare for TLS is declared for TCP, and the same.
    const options = { ...to, onread } as NetConnectOpts
    this.socket = tls === null ? connect(options) : connectTls({ ...tls, ...options } as ConnectionOptions)
  }

  /** From now on `take` gets what is read. */
  into(take: TakeBytes): void {
    this.#take = take
    if (this.#isAdopted) this.socket.on('data', take).resume()
  }

  /** From now on the socket is a stream as any other. */
  intoStream(): void {
    if (this.#isAdopted && this.#take !== null) this.socket.off('data', this.#take)
    this.#take = null
  }

  /** False stops the reading until the socket's own stream is read. */
  #onRead(length: number): boolean {
    const bytes = shared.subarray(0, length)
    if (this.#take === null) return this.socket.push(Buffer.from(bytes))
    this.#take(bytes)
    return true
  }
}
