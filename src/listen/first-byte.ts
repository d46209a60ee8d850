/**
 * Waits for the first byte of a client, which stays to be read: a handshake that is begun before it is there cannot take its
 * turn, since a crowd's bytes come all at once. It knows no listener.
 */
import type { Socket } from 'node:net'

/** `onByte` or `onNone` is told once; where there is none in `waitMs` milliseconds, or the client left, the socket is destroyed. */
export function awaitFirstByte(
  socket: Socket,
  waitMs: number,
  onByte: () => void,
  onNone: (why: 'timeout' | 'closed') => void,
): void {
  const leave = (): void => {
    clearTimeout(timer)
    socket.off('readable', onReadable).off('close', onClose)
  }
  const none = (why: 'timeout' | 'closed'): void => {
    leave()
    socket.destroy()
    onNone(why)
  }
  const onReadable = (): void => {
    // At the end of a stream too.
    if (socket.readableLength === 0) return none('closed')
    leave()
    onByte()
  }
  const onClose = (): void => none('closed')
  const timer = setTimeout(() => none('timeout'), waitMs)
  socket.on('readable', onReadable).on('close', onClose)
}
