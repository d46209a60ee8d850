/**
 * The Node part of the upstream: echoes WebSocket messages and posted bodies, and serves the pages where there is no
 * nginx. It trusts its clients and reads only what the benchmark sends: unfragmented frames.
 */
import { createHash } from 'node:crypto'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import { CHAT_ANSWER, ECHO_PATH, LARGE_BODY, LARGE_PATH, SMALL_BODY } from './place.ts'

const LARGE = Buffer.from(LARGE_BODY)
const SMALL = Buffer.from(SMALL_BODY)
const CLOSE = 8
const NO_BYTES = Buffer.alloc(0)

const server = createServer({ keepAliveTimeout: 75_000 }, (request, response) => {
  if (request.method === 'POST') return answerPost(request, response)
  const body = request.url === LARGE_PATH ? LARGE : SMALL
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': body.length }).end(body)
})

function answerPost(request: IncomingMessage, response: ServerResponse): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk) => chunks.push(chunk))
  request.on('end', () => {
    const body = request.url === ECHO_PATH ? Buffer.concat(chunks) : Buffer.from(CHAT_ANSWER)
    response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length }).end(body)
  })
}

server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
  const accept = createHash('sha1')
    .update(`${request.headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`)
    .digest('base64')
  socket.write(
    `HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: ${accept}\r\n\r\n`,
  )
  socket.on('error', () => socket.destroy())
  const echo = new Echo(socket)
  socket.on('data', (chunk: Buffer) => echo.onData(chunk))
  socket.on('end', () => socket.end())
})

class Echo {
  readonly #socket: Duplex
  #rest: Buffer = NO_BYTES

  constructor(socket: Duplex) {
    this.#socket = socket
  }

  onData(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (bytes.length - at >= 2) {
      const short = bytes[at + 1]! & 0x7f
      const headBytes = short === 126 ? 4 : 2
      if (bytes.length - at < headBytes + 4) break
      const length = short === 126 ? bytes.readUInt16BE(at + 2) : short
      const end = at + headBytes + 4 + length
      if (bytes.length < end) break
      this.#answer(bytes, at, headBytes, length)
      at = end
    }
    this.#rest = at === bytes.length ? NO_BYTES : Buffer.from(bytes.subarray(at))
  }

  #answer(bytes: Buffer, at: number, headBytes: number, length: number): void {
    const frame = Buffer.allocUnsafe(headBytes + length)
    bytes.copy(frame, 0, at, at + headBytes)
    frame[1]! &= 0x7f
    const mask = at + headBytes
    for (let i = 0; i < length; i++) frame[headBytes + i] = bytes[mask + 4 + i]! ^ bytes[mask + (i & 3)]!
    this.#socket.write(frame)
    if ((frame[0]! & 0x0f) === CLOSE) this.#socket.end()
  }
}

server.listen(Number(process.argv[2]), '127.0.0.1', 4096)
