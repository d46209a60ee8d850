/**
 * A client's socket, whose bytes are read into one buffer that all such sockets share, each piece over the one before: a request
 * costs no memory outside of the heap, whose collection is dear. It knows no protocol.
 *
 * Node offers this for sockets that a program opens itself (`onread`), and does it for accepted ones by the same means, which
 * it keeps to itself. Where they are not to be found a socket is read as any stream.
 */
import { Socket } from 'node:net'

/** Takes bytes that are overwritten once it has returned: what is kept has to be `lasting`. */
export type TakeBytes = (bytes: Buffer) => void

/** TLS hands over one record at a time, 16 KB at most. */
const READ_BYTES = 32 * 1024
const shared = Buffer.allocUnsafeSlow(READ_BYTES)

/** A socket by the names that Node gives to its parts. False from `onRead`: nothing more is read until somebody reads the stream. */
type Opened = Record<symbol, unknown> & { readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null }
type OnRead = (length: number) => boolean

const names = Object.getOwnPropertySymbols(new Socket())
const BUFFER = names.find((each) => each.description === 'kBuffer')
const ON_READ = names.find((each) => each.description === 'kBufferCb')

export class ClientInlet {
  readonly #socket: Socket
  readonly #take: TakeBytes
  #isPaused = false

  /** From now on `take` gets what is read; what was read already comes first, soon. */
  constructor(socket: Socket, take: TakeBytes) {
    this.#socket = socket
    this.#take = take
    if (!this.#setOnRead(this.#onRead)) {
      socket.on('data', take)
      return
    }
    const early = socket.read() as Buffer | null
    if (early !== null) process.nextTick(take, early)
    socket.resume()
  }

  pause(): void {
    this.#isPaused = true
    this.#socket.pause()
  }

  /** After `pause`; nothing happens otherwise. */
  resume(): void {
    if (!this.#isPaused) return
    this.#isPaused = false
    this.#socket.resume()
  }

  /** From now on the socket is a stream as any other, and paused. */
  intoStream(): void {
    this.#socket.off('data', this.#take)
    this.#socket.pause()
    this.#setOnRead(this.#onPush)
  }

  /** False: this Node has no place for it, or the socket no handle. */
  #setOnRead(onRead: OnRead): boolean {
    const opened = this.#socket as unknown as Opened
    const handle = opened._handle
    if (BUFFER === undefined || ON_READ === undefined || typeof handle?.useUserBuffer !== 'function') return false
    if (opened[BUFFER] !== shared) {
      opened[BUFFER] = shared
      handle.useUserBuffer(shared)
    }
    opened[ON_READ] = onRead
    return true
  }

  readonly #onRead: OnRead = (length) => {
    this.#take(shared.subarray(0, length))
    return true
  }

  readonly #onPush: OnRead = (length) => this.#socket.push(Buffer.from(shared.subarray(0, length)))
}

/** True for bytes that will be written over. */
export function isPassing(bytes: Buffer): boolean {
  return bytes.buffer === shared.buffer
}

/** The bytes, as a copy where they would be written over. */
export function lasting(bytes: Buffer): Buffer {
  return isPassing(bytes) ? Buffer.from(bytes) : bytes
}
