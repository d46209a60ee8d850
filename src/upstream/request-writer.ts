/** Writes the head of an HTTP/1.1 request, and its body where that is whole. It knows no answer. */
import type { Socket } from 'node:net'
import { holdToEndOfTurn } from '../exchange/end-of-turn.ts'
import type { UpstreamCall } from './dispatch.ts'

/** A body up to this size goes out in one write together with its head. */
const ONE_WRITE_BYTES = 16 * 1024

/** A streamed body follows by the connection. */
export function writeRequest(socket: Socket, call: UpstreamCall): void {
  const { body } = call
  holdToEndOfTurn(socket)
  const head = `${call.headText}${framing(call)}\r\n`
  if (body === null || body.length > ONE_WRITE_BYTES) {
    socket.write(head, 'latin1')
    if (body !== null) socket.write(body)
    return
  }
  const whole = Buffer.allocUnsafe(head.length + body.length)
  whole.write(head, 0, 'latin1')
  whole.set(body, head.length)
  socket.write(whole)
}

/** The fields that say how long the request is (RFC 9112, 6), or that it opens a WebSocket. */
function framing({ method, body, streamLength, isWebSocket }: UpstreamCall): string {
  if (body !== null) return `content-length: ${body.length}\r\n`
  if (streamLength > 0) return `content-length: ${streamLength}\r\n`
  if (streamLength === -1) return 'transfer-encoding: chunked\r\n'
  if (isWebSocket) return 'connection: Upgrade\r\nupgrade: websocket\r\n'
  return method === 'POST' || method === 'PUT' || method === 'PATCH' ? 'content-length: 0\r\n' : ''
}
