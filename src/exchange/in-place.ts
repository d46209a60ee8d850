/**
 * Reads what clients send into one buffer that all their sockets share, each piece over the one before: a request costs no
 * memory outside of the heap, whose collection is dear. It knows no protocol.
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

type OnRead = (length: number) => boolean
/** A socket by the names that Node gives to its parts. */
type Opened = Record<symbol, unknown> & { readonly _handle?: { useUserBuffer?: (buffer: Buffer) => void } | null }

const sample = Object.getOwnPropertySymbols(new Socket())
const BUFFER = sample.find((each) => each.description === 'kBuffer')
const ON_READ = sample.find((each) => each.description === 'kBufferCb')

/** From now on `take` gets what is read; what was read already comes first, soon. The socket flows. */
export function readInPlace(socket: Socket, take: TakeBytes): void {
  const opened = socket as unknown as Opened
  const useBuffer = opened._handle?.useUserBuffer
  if (BUFFER === undefined || ON_READ === undefined || useBuffer === undefined) {
    socket.on('data', take)
    return
  }
  const early = socket.read() as Buffer | null
  if (early !== null) process.nextTick(take, early)
  const onRead: OnRead = (length) => {
    take(shared.subarray(0, length))
    return true
  }
  opened[BUFFER] = shared
  opened[ON_READ] = onRead
  useBuffer.call(opened._handle, shared)
  socket.resume()
}

/** From now on the socket is a stream as any other, and paused. */
export function readAsStream(socket: Socket, take: TakeBytes): void {
  socket.off('data', take)
  socket.pause()
  const opened = socket as unknown as Opened
  if (ON_READ === undefined || opened[ON_READ] == null) return
  const onRead: OnRead = (length) => socket.push(Buffer.from(shared.subarray(0, length)))
  opened[ON_READ] = onRead
}

/** The bytes, as a copy where they would be overwritten. */
export function lasting(bytes: Buffer): Buffer {
  return bytes.buffer === shared.buffer ? Buffer.from(bytes) : bytes
}
