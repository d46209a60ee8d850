/**
 * Takes the PROXY protocol header off a fresh connection: whole, within a time and a number of bytes, before anybody else
 * reads. It knows no TLS and no HTTP.
 */
import type { Socket } from 'node:net'
import { type ProxyHeader, readProxyHeader } from './proxy-protocol.ts'

export class ProxyHeaderReader {
  readonly #socket: Socket
  readonly #timer: NodeJS.Timeout
  readonly #onHeader: (header: ProxyHeader) => void
  readonly #onEnd: (isBad: boolean) => void
  #bytes: Buffer | null = null

  /**
   * @param onHeader The header has come: the socket is paused, and the next byte it gives is the client's.
   * @param onEnd None will come, and the socket is destroyed; `isBad` where something else came, or nothing in time.
   */
  constructor(
    socket: Socket,
    timeoutMs: number,
    onHeader: (header: ProxyHeader) => void,
    onEnd: (isBad: boolean) => void,
  ) {
    this.#socket = socket
    this.#onHeader = onHeader
    this.#onEnd = onEnd
    this.#timer = setTimeout(this.#onLate, timeoutMs)
    socket.on('data', this.#onData)
    socket.on('close', this.#onClose)
    socket.on('error', ignoreError)
  }

  /** Gives up, without a word. */
  destroy(): void {
    this.#end(false)
  }

  readonly #onData = (chunk: Buffer): void => {
    const bytes = this.#bytes === null ? chunk : Buffer.concat([this.#bytes, chunk])
    const header = readProxyHeader(bytes)
    if (header === 'more') this.#bytes = bytes
    else if (header === 'bad') this.#end(true)
    else {
      this.#leave()
      this.#socket.pause()
      if (header.used < bytes.length) this.#socket.unshift(bytes.subarray(header.used))
      this.#onHeader(header)
    }
  }

  // A sender that ends before its header is whole was checking the port, or gave up.
  readonly #onClose = (): void => this.#end(false)
  readonly #onLate = (): void => this.#end(true)

  #end(isBad: boolean): void {
    this.#leave()
    this.#socket.on('error', ignoreError)
    this.#socket.destroy()
    this.#onEnd(isBad)
  }

  #leave(): void {
    clearTimeout(this.#timer)
    this.#bytes = null
    this.#socket.off('data', this.#onData)
    this.#socket.off('close', this.#onClose)
    this.#socket.off('error', ignoreError)
  }
}

function ignoreError(): void {}
