/** WebSocket clients for the matrix of transports: over HTTP/1.1 (RFC 6455) and over HTTP/2 (RFC 8441), by one interface. */
import type { ClientHttp2Session } from 'node:http2'
import type { Duplex } from 'node:stream'
import { connect as connectTls } from 'node:tls'
import * as library from 'ws'
import { type ClientOptions, WebSocket } from 'ws'
import { authorityOf, openSession, type Place, tlsOptions, toObject, withoutPseudo } from './clients.ts'
import { within } from './wait.ts'

export interface SocketWish {
  readonly path: string
  /** [name, value, ...] beside those of the handshake; `origin` and `host` too. */
  readonly headers?: readonly string[]
  readonly protocols?: readonly string[]
  /** Offers permessage-deflate, and compresses messages from so many bytes on. */
  readonly compressFrom?: number
}

export interface SocketMessage {
  readonly data: Buffer
  readonly text: string
  readonly isBinary: boolean
}

export interface SocketClient {
  /** Subprotocol that was chosen; ''. */
  readonly protocol: string
  /** [name, value, ...] of the answer to the handshake. */
  readonly headers: string[]
  /** Messages that nobody has taken with `next` yet. */
  readonly waiting: SocketMessage[]
  readonly closed: Promise<{ code: number; reason: string }>
  send(message: string | Buffer, options?: { fin?: boolean; binary?: boolean }): void
  /** The next message; rejects where the socket closes instead. */
  next(): Promise<SocketMessage>
  ping(): Promise<void>
  /** The byte stream under the frames, for bytes that are no WebSocket. */
  readonly stream: Duplex
  close(code?: number, reason?: string): Promise<{ code: number; reason: string }>
  /** Cuts the connection without a closing handshake. */
  terminate(): void
}

/** The handshake was answered with something else, or not at all (status 0). */
export class HandshakeRefused extends Error {
  readonly status: number
  readonly headers: string[]
  readonly body: string

  constructor(status: number, headers: string[], body: string) {
    super(`the handshake was answered with ${status}: ${body}`)
    this.status = status
    this.headers = headers
    this.body = body
  }
}

export interface SocketTransport {
  readonly name: 'ws' | 'ws-over-h2'
  /** Rejects with HandshakeRefused. */
  open(place: Place, wish: SocketWish): Promise<SocketClient>
}

/** Both ways to open a WebSocket: run a behaviour test for each. */
export const socketTransports: readonly SocketTransport[] = [
  { name: 'ws', open: (place, wish) => within(openHttp1Socket(place, wish), `the handshake for ${wish.path}`) },
  { name: 'ws-over-h2', open: (place, wish) => within(openHttp2Socket(place, wish), `the handshake for ${wish.path}`) },
]

function openHttp1Socket(place: Place, wish: SocketWish): Promise<SocketClient> {
  return new Promise((resolve, reject) => {
    const socket = new WebSocket(`wss://${authorityOf(place)}${wish.path}`, [...(wish.protocols ?? [])], {
      // The name in the URL is not looked up: the place says where to go.
      createConnection: () => connectTls({ ...tlsOptions(place), ALPNProtocols: ['http/1.1'] }),
      perMessageDeflate: wish.compressFrom === undefined ? false : { threshold: wish.compressFrom },
      headers: { host: authorityOf(place), ...toObject(wish.headers) } as Record<string, string>,
    })
    let headers: string[] = []
    let client: SocketClient | null = null
    socket.on('upgrade', (response) => {
      headers = response.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))
      // Before the first frame can arrive.
      client = wrap(socket, headers, () => (response.socket as Duplex) ?? null)
    })
    socket.on('open', () => resolve(client!))
    socket.on('unexpected-response', (_request, response) => {
      const chunks: Buffer[] = []
      const raw = response.rawHeaders.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', () => {})
      response.on('close', () => {
        reject(new HandshakeRefused(response.statusCode!, raw, Buffer.concat(chunks).toString()))
        socket.terminate()
      })
    })
    socket.on('error', (error) => reject(new HandshakeRefused(0, [], error.message)))
  })
}

async function openHttp2Socket(place: Place, wish: SocketWish): Promise<SocketClient> {
  const session = openSession(place)
  try {
    await extendedConnect(session)
    return await connectOver(session, place, wish)
  } catch (error) {
    session.destroy()
    throw error
  }
}

/** Resolves when the server's settings allow extended CONNECT (RFC 8441, 3). */
function extendedConnect(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.on('error', (error) => reject(new HandshakeRefused(0, [], error.message)))
    session.on('close', () => reject(new HandshakeRefused(0, [], 'the connection was closed')))
    session.on('remoteSettings', (settings) => {
      if (settings.enableConnectProtocol) resolve()
      else reject(new HandshakeRefused(0, [], 'extended CONNECT is not offered'))
    })
  })
}

function connectOver(session: ClientHttp2Session, place: Place, wish: SocketWish): Promise<SocketClient> {
  const { host, ...fields } = toObject(wish.headers)
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': wish.path,
      ':authority': (host as string | undefined) ?? authorityOf(place),
      'sec-websocket-version': '13',
      ...(wish.compressFrom === undefined ? {} : { [EXTENSIONS]: OFFER }),
      ...(wish.protocols === undefined ? {} : { 'sec-websocket-protocol': wish.protocols.join(', ') }),
      ...fields,
    },
    { endStream: false },
  )
  return new Promise((resolve, reject) => {
    stream.on('error', (error) => reject(new HandshakeRefused(0, [], error.message)))
    stream.on('close', () => reject(new HandshakeRefused(0, [], `reset ${stream.rstCode}`)))
    stream.on('response', (headers, _flags, raw) => {
      const list = withoutPseudo(raw as unknown as string[])
      if (headers[':status'] === 200) {
        const answer = headers[EXTENSIONS] as string | undefined
        const deflate = answer === undefined ? null : acceptDeflate(answer, wish.compressFrom!)
        const socket = frameOver(stream, (headers['sec-websocket-protocol'] as string | undefined) ?? '', deflate)
        socket.on('close', () => session.destroy())
        return resolve(wrap(socket, list, () => stream))
      }
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('end', () => reject(new HandshakeRefused(headers[':status']!, list, Buffer.concat(chunks).toString())))
    })
  })
}

/** What `ws` keeps to itself: a client side of its framing on a stream that is open already. */
interface OpenWebSocket {
  _isServer: boolean
  _protocol: string
  _extensions: object
  setSocket(stream: Duplex, head: Buffer, options: object): void
}

const EXTENSIONS = 'sec-websocket-extensions'
const OFFER = 'permessage-deflate; client_max_window_bits'

interface Deflate {
  accept(offers: object[]): object
}
/** What the library exports and its types do not know. */
const { PerMessageDeflate, extension } = library as unknown as {
  PerMessageDeflate: new (options: object) => Deflate
  extension: { parse(field: string): Record<string, object[]> }
}

function acceptDeflate(answer: string, threshold: number): Deflate {
  const deflate = new PerMessageDeflate({ threshold })
  deflate.accept(extension.parse(answer)['permessage-deflate']!)
  return deflate
}

function frameOver(stream: Duplex, protocol: string, deflate: Deflate | null): WebSocket {
  const socket = new WebSocket(
    null as unknown as string,
    undefined as unknown as string[],
    {
      autoPong: true,
      closeTimeout: 10_000,
    } as ClientOptions,
  )
  const inner = socket as unknown as OpenWebSocket
  inner._isServer = false
  inner._protocol = protocol
  if (deflate !== null) inner._extensions = { 'permessage-deflate': deflate }
  inner.setSocket(stream, Buffer.alloc(0), {
    allowSynchronousEvents: true,
    maxPayload: 0,
    skipUTF8Validation: false,
  })
  return socket
}

function wrap(socket: WebSocket, headers: string[], stream: () => Duplex): SocketClient {
  const under = stream()
  const waiting: SocketMessage[] = []
  const takers: { resolve: (message: SocketMessage) => void; reject: (error: Error) => void }[] = []
  let isClosed = false
  socket.on('error', () => {})
  socket.on('message', (raw, isBinary) => {
    const data = raw as Buffer
    const message = { data, isBinary, text: data.toString('utf8') }
    const taker = takers.shift()
    if (taker === undefined) waiting.push(message)
    else taker.resolve(message)
  })
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.on('close', (code, reason) => {
      isClosed = true
      for (const taker of takers) taker.reject(new Error(`the socket closed with ${code} ${reason}`))
      resolve({ code, reason: reason.toString() })
    })
  })
  const next = () =>
    new Promise<SocketMessage>((resolve, reject) => {
      const message = waiting.shift()
      if (message !== undefined) resolve(message)
      else if (isClosed) reject(new Error('the socket is closed'))
      else takers.push({ resolve, reject })
    })
  return {
    get protocol() {
      return socket.protocol
    },
    headers,
    waiting,
    closed,
    stream: under,
    send: (message, options) => socket.send(message, { binary: typeof message !== 'string', ...options }),
    next: () => within(next(), 'a message'),
    ping: () => {
      const pong = new Promise<void>((resolve) => {
        socket.once('pong', () => resolve())
      })
      socket.ping()
      return within(pong, 'a pong')
    },
    close: (code = 1000, reason = '') => {
      socket.close(code, reason)
      return within(closed, 'the closing handshake')
    },
    terminate: () => socket.terminate(),
  }
}
