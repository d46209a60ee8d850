/**
 * A socket to a service, whose bytes are all read into one buffer that every such socket shares: a download costs no memory
 * for what passes through. It knows no HTTP.
 */
import { connect, type Socket } from 'node:net'
import { type ConnectionOptions, connect as connectTls } from 'node:tls'

/** A larger piece would be more to hold for a client that stops reading; smaller ones cost more of the processor. */
const READ_BYTES = 32 * 1024
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** Takes bytes that are overwritten once it has returned: what is kept has to be copied. */
export type TakeBytes = (bytes: Buffer) => void

export class Inlet {
  readonly socket: Socket
  #take: TakeBytes | null = null

  /** Connects at once; TLS where there are options for it. */
  constructor(host: string, port: number, tls: ConnectionOptions | null) {
    const onread = { buffer: shared, callback: (length: number) => this.#onRead(length) }
    // What @types/node does not declare for TLS is declared for TCP, and the same.
    const options = { host, port, noDelay: true, onread }
    this.socket = tls === null ? connect(options) : connectTls({ ...tls, ...options } as ConnectionOptions)
  }

  /** From now on `take` gets what is read. */
  into(take: TakeBytes): void {
    this.#take = take
  }

  /** From now on the socket is a stream as any other. */
  intoStream(): void {
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
