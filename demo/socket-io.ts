/**
 * The socket.io side of the demo room (Engine.IO 4, WebSocket and long-polling). Events both ways: `message`
 * {name, text}, `typing` {name}; from the service also `people` {count}.
 */
import type { Server as HttpServer } from 'node:http'
import { Server } from 'socket.io'
import { type ChatMessage, type Listener, type Room, readDraft } from './room.ts'

const MAX_QUEUED = 500

interface Queued {
  readonly writeBuffer: readonly unknown[]
}

export function attachSocketIo(server: HttpServer, room: Room): Server {
  const io = new Server(server, {
    path: '/socket.io/',
    serveClient: false,
    // The plain WebSocket lives on the same server: Engine.IO must leave its upgrades alone.
    destroyUpgrade: false,
    maxHttpBufferSize: 64 * 1024,
    perMessageDeflate: false,
    httpCompression: false,
  })
  io.on('connection', (socket) => {
    const send = (event: string, value: unknown) => {
      // A client that does not read is let go before it costs memory. Engine.IO has no public word for what is queued.
      if ((socket.conn as unknown as Queued).writeBuffer.length > MAX_QUEUED) socket.disconnect(true)
      else socket.emit(event, value)
    }
    const listener: Listener = {
      onMessage: (message: ChatMessage) => send('message', message),
      onTyping: (name) => send('typing', { name }),
      onPeople: (count) => send('people', { count }),
    }
    if (!room.join(listener)) {
      socket.disconnect(true)
      return
    }
    socket.on('message', (value: unknown, acknowledge: unknown) => {
      const draft = readDraft(value)
      const message = draft === null ? null : room.post(draft, 'socket.io')
      if (typeof acknowledge === 'function') acknowledge(message ?? { error: 'send {"name", "text"}' })
    })
    socket.on('typing', (value: unknown) => {
      const name = (value as { name?: unknown } | null)?.name
      if (typeof name === 'string') room.typing(listener, name)
    })
    socket.on('disconnect', () => room.leave(listener))
  })
  return io
}
