/**
 * A real service to put behind the gateway: it echoes what it received, records every byte, and misbehaves on request. Paths
 * choose a behaviour (`/die/in-body`); `on` gives a path another one.
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { type AddressInfo, createServer as createNetServer, type Server as NetServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { setTimeout as sleep } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'

/** One request as it arrived. */
export interface Received {
  readonly method: string
  readonly url: string
  /** [name, value, ...] as it came. */
  readonly rawHeaders: readonly string[]
  body: Buffer
  rawTrailers: readonly string[]
  /** 'reading' until the body ended or the connection was lost. */
  state: 'reading' | 'complete' | 'aborted'
}

/** One connection, and all that came by it (TLS removed). */
export interface RecordedConnection {
  readonly socket: Socket
  readonly chunks: Buffer[]
  isOpen: boolean
}

/** May be async. A behaviour reads the body itself where it needs it. */
export type Behaviour = (request: IncomingMessage, response: ServerResponse, received: Received) => unknown

export interface Upstream {
  /** `http://127.0.0.1:port`, or https. */
  readonly url: string
  readonly port: number
  readonly received: Received[]
  readonly connections: RecordedConnection[]
  /** WebSockets that were accepted. */
  readonly sockets: WebSocket[]
  /** Paths that start so get this behaviour; the last one given wins. */
  on(path: string, behaviour: Behaviour): void
  /** All bytes of all connections, latin1. */
  bytes(): string
  openConnections(): number
  /** Stops listening and cuts what is open. */
  close(): Promise<void>
}

export interface UpstreamOptions {
  /** Serves HTTPS. PEM. */
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string; readonly requestCert?: boolean }
  readonly port?: number
  /** Milliseconds; default: node's own. Short ones provoke the reset of idle connections. */
  readonly keepAliveMs?: number
  readonly onSocket?: (socket: WebSocket, request: IncomingMessage) => void
}

export async function startUpstream(options: UpstreamOptions = {}): Promise<Upstream> {
  const server: Server =
    options.tls === undefined
      ? createServer({ requireHostHeader: false })
      : createTlsServer({ ...options.tls, requireHostHeader: false })
  if (options.keepAliveMs !== undefined) server.keepAliveTimeout = options.keepAliveMs
  const received: Received[] = []
  const connections: RecordedConnection[] = []
  const sockets: WebSocket[] = []
  const own: [path: string, behaviour: Behaviour][] = []

  server.on(options.tls === undefined ? 'connection' : 'secureConnection', (socket: Socket) => {
    connections.push(record(socket))
  })
  server.on('request', (request, response) => {
    const entry = note(request)
    received.push(entry)
    request.on('error', () => {})
    response.on('error', () => {})
    const chosen = own.findLast(([path]) => request.url!.startsWith(path))?.[1] ?? builtIn(request.url!)
    Promise.resolve(chosen(request, response, entry)).catch(() => response.destroy())
  })
  server.on('clientError', (_error, socket) => socket.destroy())

  const webSockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    handleProtocols: (protocols) => [...protocols][0] ?? false,
  })
  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    received.push({ ...note(request), state: 'complete' })
    socket.on('error', () => {})
    upgrade(request, socket, head, webSockets, (accepted) => {
      sockets.push(accepted)
      if (options.onSocket !== undefined) return options.onSocket(accepted, request)
      serveSocket(accepted, request.url!)
    })
  })

  const port = await listen(server, options.port ?? 0)
  return {
    url: `${options.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    received,
    connections,
    sockets,
    on: (path, behaviour) => own.push([path, behaviour]),
    bytes: () => Buffer.concat(connections.flatMap((each) => each.chunks)).toString('latin1'),
    openConnections: () => connections.filter((each) => each.isOpen).length,
    close: () => stop(server, connections),
  }
}

/** A bare TCP server for scripted bytes: `onConnection` may write whatever it likes. */
export interface RawUpstream {
  readonly url: string
  readonly port: number
  readonly connections: RecordedConnection[]
  close(): Promise<void>
}

export async function startRawUpstream(onConnection: (connection: RecordedConnection) => void): Promise<RawUpstream> {
  const connections: RecordedConnection[] = []
  const server = createNetServer((socket) => {
    const connection = record(socket)
    connections.push(connection)
    onConnection(connection)
  })
  const port = await listen(server, 0)
  return { url: `http://127.0.0.1:${port}`, port, connections, close: () => stop(server, connections) }
}

/** A port on which nobody listens (any more). */
export async function freePort(): Promise<number> {
  const server = createNetServer()
  const port = await listen(server, 0)
  await stop(server, [])
  return port
}

/** The whole body. */
async function readBody(request: IncomingMessage, received: Received): Promise<Buffer> {
  const chunks: Buffer[] = []
  try {
    for await (const chunk of request) {
      chunks.push(chunk)
      received.body = Buffer.concat(chunks)
    }
  } catch {
    received.state = 'aborted'
    return received.body
  }
  received.state = 'complete'
  received.rawTrailers = request.rawTrailers
  return received.body
}

const echo: Behaviour = async (request, response, received) => {
  await readBody(request, received)
  if (received.state === 'aborted') return
  const body = JSON.stringify({
    method: received.method,
    url: received.url,
    headers: received.rawHeaders,
    body: received.body.toString('utf8'),
    trailers: received.rawTrailers,
  })
  response.writeHead(200, ['content-type', 'application/json', 'content-length', String(Buffer.byteLength(body))])
  response.end(body)
}

/** Writes bytes to the connection, past node's HTTP, and maybe ends it. */
const bytes =
  (text: string, then: 'destroy' | 'end' | 'keep'): Behaviour =>
  async (request, response, received) => {
    await readBody(request, received)
    const socket = response.socket
    if (socket === null) return
    socket.write(text, 'latin1', () => {
      if (then === 'destroy') socket.destroy()
      if (then === 'end') socket.end()
    })
  }

const HEAD = 'HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n'

/** Longer paths first. */
const BUILT_IN: readonly [path: string, behaviour: Behaviour][] = [
  ['/die/before-head', bytes('', 'destroy')],
  ['/die/in-head', bytes('HTTP/1.1 200 OK\r\ncontent-le', 'destroy')],
  ['/die/after-head', bytes(`${HEAD}content-length: 100\r\n\r\n`, 'destroy')],
  ['/die/in-body', bytes(`${HEAD}content-length: 100\r\n\r\n${'x'.repeat(50)}`, 'destroy')],
  ['/die/in-chunk', bytes(`${HEAD}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\na\r\nhal`, 'destroy')],
  ['/die/while-reading', (request) => request.once('data', () => request.socket.destroy())],
  ['/lie/short', bytes(`${HEAD}content-length: 10\r\n\r\nhello`, 'end')],
  ['/lie/long', bytes(`${HEAD}content-length: 5\r\n\r\nhelloHTTP/1.1 200 OK\r\n\r\nforged`, 'keep')],
  [
    '/lie/both-lengths',
    bytes(`${HEAD}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n`, 'keep'),
  ],
  ['/lie/two-lengths', bytes(`${HEAD}content-length: 5\r\ncontent-length: 6\r\n\r\nhello!`, 'keep')],
  ['/lie/bad-chunk', bytes(`${HEAD}transfer-encoding: chunked\r\n\r\nzz\r\nhello\r\n0\r\n\r\n`, 'keep')],
  ['/lie/garbage', bytes('I am not HTTP\r\n\r\n', 'keep')],
  ['/lie/bad-header', bytes(`${HEAD}content-length: 2\r\nx y: z\x00\r\n\r\nok`, 'keep')],
  ['/until-close', bytes(`${HEAD}connection: close\r\n\r\nhello`, 'end')],
  ['/never/body', bytes(`${HEAD}content-length: 5\r\n\r\n`, 'keep')],
  ['/never/read', (request) => request.pause()],
  ['/never', (request, _response, received) => readBody(request, received)],
  [
    '/early-hints',
    async (request, response, received) => {
      response.writeEarlyHints({ link: '</style.css>; rel=preload' })
      await echo(request, response, received)
    },
  ],
  [
    '/early-answer',
    (_request, response) => {
      response.writeHead(409, { 'content-type': 'text/plain', 'content-length': '5' })
      response.end('early')
    },
  ],
  [
    '/trailers',
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/plain', trailer: 'x-checksum' })
      response.write('hello')
      response.addTrailers({ 'x-checksum': 'abc' })
      response.end()
    },
  ],
  [
    '/trickle',
    async (request, response) => {
      const { count, ms } = numbers(request, { count: 5, ms: 5 })
      for (let i = 0; i < count && !response.destroyed; i++) {
        response.write(`${i}\n`)
        await sleep(ms)
      }
      response.end()
    },
  ],
  [
    '/events',
    async (request, response) => {
      const { count, ms } = numbers(request, { count: 3, ms: 5 })
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-cache' })
      for (let i = 0; i < count && !response.destroyed; i++) {
        response.write(`id: ${i}\ndata: event ${i}\n\n`)
        await sleep(ms)
      }
      response.end()
    },
  ],
  [
    '/huge',
    (request, response) => {
      let left = numbers(request, { bytes: 10_000_000 }).bytes
      const chunk = Buffer.alloc(65_536, 'x')
      response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': String(left) })
      const more = () => {
        while (left > 0 && !response.destroyed) {
          const piece = chunk.subarray(0, Math.min(left, chunk.length))
          left -= piece.length
          if (!response.write(piece)) return
        }
        if (left === 0) response.end()
      }
      response.on('drain', more)
      more()
    },
  ],
  [
    '/status/',
    async (request, response, received) => {
      await readBody(request, received)
      const status = Number(/\d{3}/.exec(request.url!)?.[0] ?? 200)
      const isEmpty = status === 204 || status === 304
      response.writeHead(status, isEmpty ? {} : { 'content-type': 'text/plain', 'content-length': '2' })
      response.end(isEmpty ? undefined : 'ok')
    },
  ],
  [
    '/talkative',
    (_request, response) => {
      // Everything that must not leave the gateway.
      response.writeHead(200, [
        ...['content-type', 'text/html', 'content-length', '2', 'server', 'Apache/2.2', 'x-powered-by', 'PHP/5'],
        ...['connection', 'keep-alive, x-nominated', 'x-nominated', '1', 'keep-alive', 'timeout=5'],
        ...['x-aspnet-version', '4', 'set-cookie', 'a=1', 'set-cookie', 'b=2', 'x-mine', 'kept'],
      ])
      response.end('ok')
    },
  ],
]

const builtIn = (url: string): Behaviour => BUILT_IN.find(([path]) => url.startsWith(path))?.[1] ?? echo

/** `/ws/refuse` 403, `/ws/bad-accept`, `/ws/die` after the handshake, `/ws/close?code=`, otherwise an echo. */
function upgrade(
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  server: WebSocketServer,
  onAccepted: (socket: WebSocket) => void,
): void {
  const url = request.url!
  if (url.startsWith('/ws/refuse')) {
    socket.end('HTTP/1.1 403 Forbidden\r\ncontent-type: text/plain\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno')
  } else if (url.startsWith('/ws/bad-accept')) {
    socket.write(
      'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\nsec-websocket-accept: bm90IHRoZSByaWdodCBvbmU=\r\n\r\n',
    )
  } else if (url.startsWith('/ws/before-head')) {
    socket.destroy()
  } else if (!url.startsWith('/ws/never')) {
    server.handleUpgrade(request, socket, head, onAccepted)
  }
}

function serveSocket(socket: WebSocket, url: string): void {
  socket.on('error', () => {})
  if (url.startsWith('/ws/die')) return socket.terminate()
  if (url.startsWith('/ws/close')) return socket.close(Number(/code=(\d+)/.exec(url)?.[1] ?? 1000), 'as asked')
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

function note(request: IncomingMessage): Received {
  return {
    method: request.method!,
    url: request.url!,
    rawHeaders: request.rawHeaders,
    body: Buffer.alloc(0),
    rawTrailers: [],
    state: 'reading',
  }
}

function numbers<K extends string>(request: IncomingMessage, defaults: Record<K, number>): Record<K, number> {
  const query = new URLSearchParams(request.url!.split('?')[1] ?? '')
  const found = { ...defaults }
  for (const name of Object.keys(defaults) as K[]) if (query.has(name)) found[name] = Number(query.get(name))
  return found
}

function record(socket: Socket): RecordedConnection {
  const connection: RecordedConnection = { socket, chunks: [], isOpen: true }
  socket.on('data', (chunk: Buffer) => connection.chunks.push(chunk))
  socket.on('error', () => {})
  socket.on('close', () => {
    connection.isOpen = false
  })
  return connection
}

function listen(server: NetServer, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, '127.0.0.1', () => resolve((server.address() as AddressInfo).port))
  })
}

function stop(server: NetServer, connections: readonly RecordedConnection[]): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    for (const each of connections) each.socket.destroy()
  })
}
