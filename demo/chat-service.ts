/**
 * A small real chat service to put behind the gateway: REST, socket.io, plain WebSocket and a page, in one process. It
 * does what a service in a trusted network often does: no TLS, no limits, no cleaning, no security headers.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { type PageFile, readPageFiles } from './page-files.ts'
import { Room, readDraft } from './room.ts'
import { attachSocketIo } from './socket-io.ts'
import { attachWebSocket } from './web-socket.ts'

const MAX_BODY = 64 * 1024

export interface Demo {
  readonly port: number
  /** Ends every connection and frees the port. */
  close(): Promise<void>
}

/** Listens on 127.0.0.1; rejects where the port is taken. Port 0 (the default) takes a free one. */
export async function startDemo(options: { port?: number } = {}): Promise<Demo> {
  const room = new Room()
  const files = readPageFiles()
  const server = createServer((request, response) => answer(room, files, request, response))
  // Longer than any gateway keeps an idle connection: the gateway must be the one that closes.
  server.keepAliveTimeout = 75_000

  const io = attachSocketIo(server, room)
  const webSocket = attachWebSocket(room)
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const path = pathOf(request)
    if (path === '/ws') webSocket.upgrade(request, socket, head)
    else if (!path.startsWith('/socket.io/')) socket.destroy()
  })

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(options.port ?? 0, '127.0.0.1', resolve)
  })
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      webSocket.close()
      const closed = io.close()
      server.closeAllConnections()
      await closed
    },
  }
}

function pathOf(request: IncomingMessage): string {
  return (request.url ?? '/').split('?', 1)[0]!
}

function answer(room: Room, files: ReadonlyMap<string, PageFile>, request: IncomingMessage, response: ServerResponse) {
  const path = pathOf(request)
  // Engine.IO answers these itself.
  if (path.startsWith('/socket.io/')) return
  const reads = request.method === 'GET' || request.method === 'HEAD'
  const file = reads ? files.get(path) : undefined
  if (file !== undefined) {
    response.writeHead(200, { 'content-type': file.type, 'content-length': file.body.length })
    response.end(file.body)
  } else if (reads && path === '/api/health') {
    sendJson(response, 200, { status: 'ok' })
  } else if (reads && path === '/api/messages') {
    const after = Number(new URLSearchParams(request.url!.split('?')[1]).get('after') ?? 0)
    sendJson(response, 200, { messages: room.since(Number.isSafeInteger(after) ? after : 0), people: room.people })
  } else if (request.method === 'POST' && path === '/api/messages') {
    receivePost(room, request, response)
  } else if (reads && path === '/internal/stats') {
    // What must not be seen from outside: no route of the public listener leads here.
    sendJson(response, 200, { messages: room.messageCount, people: room.people, memory: process.memoryUsage().rss })
  } else {
    request.resume()
    sendJson(response, 404, { error: 'nothing is here' })
  }
}

function receivePost(room: Room, request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  let size = 0
  request.on('data', (chunk: Buffer) => {
    size += chunk.length
    if (size <= MAX_BODY) chunks.push(chunk)
  })
  request.on('end', () => {
    if (size > MAX_BODY) return sendJson(response, 413, { error: 'too large' })
    const draft = readDraft(parse(Buffer.concat(chunks).toString()))
    if (draft === null) return sendJson(response, 400, { error: 'send {"name": "...", "text": "..."}' })
    sendJson(response, 201, room.post(draft, 'rest'))
  })
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

function sendJson(response: ServerResponse, status: number, value: unknown): void {
  const body = Buffer.from(JSON.stringify(value))
  response.writeHead(status, { 'content-type': 'application/json; charset=utf-8', 'content-length': body.length })
  response.end(body)
}
