/**
 * The plain WebSocket side of the demo room: JSON text messages with a `type` of `message` or `typing`, from the service
 * also `people` and `error`.
 */
import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { type RawData, WebSocket, WebSocketServer } from 'ws'
import { type Listener, type Room, readDraft } from './room.ts'

const MAX_QUEUED_BYTES = 1024 * 1024

export interface WebSocketSide {
  upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): void
  close(): void
}

export function attachWebSocket(room: Room): WebSocketSide {
  const server = new WebSocketServer({ noServer: true, maxPayload: 64 * 1024, perMessageDeflate: false })
  server.on('connection', (socket: WebSocket) => serve(room, socket))
  return {
    upgrade(request, socket, head) {
      server.handleUpgrade(request, socket, head, (webSocket) => server.emit('connection', webSocket, request))
    },
    close() {
      for (const client of server.clients) client.terminate()
      server.close()
    },
  }
}

function serve(room: Room, socket: WebSocket): void {
  const send = (value: object) => {
    if (socket.readyState !== WebSocket.OPEN) return
    // A client that does not read is let go before it costs memory.
    if (socket.bufferedAmount > MAX_QUEUED_BYTES) socket.terminate()
    else socket.send(JSON.stringify(value))
  }
  const listener: Listener = {
    onMessage: (message) => send({ type: 'message', ...message }),
    onTyping: (name) => send({ type: 'typing', name }),
    onPeople: (count) => send({ type: 'people', count }),
  }
  socket.on('error', () => socket.terminate())
  if (!room.join(listener)) {
    socket.close(1013, 'the room is full')
    return
  }
  socket.on('close', () => room.leave(listener))
  socket.on('message', (data: RawData, isBinary: boolean) => {
    const value = isBinary ? null : parse(data.toString())
    if (value?.type === 'typing' && typeof value.name === 'string') return room.typing(listener, value.name)
    const draft = value?.type === 'typing' ? null : readDraft(value)
    if (draft === null) send({ type: 'error', error: 'send {"type": "message", "name": "...", "text": "..."}' })
    else room.post(draft, 'websocket')
  })
}

function parse(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}
