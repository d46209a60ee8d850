/**
 * Real clients for the gateway's matrix of transports: requests over HTTP/1.1 and HTTP/2, and bare bytes over TLS. They show
 * what arrived, also when the answer was cut; they judge nothing.
 */
import { type ClientHttp2Session, connect as connectHttp2, constants, type OutgoingHttpHeaders } from 'node:http2'
import { Agent, request as requestHttps } from 'node:https'
import { connect as connectNet, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { within } from './wait.ts'

/** Where the gateway listens. */
export interface Place {
  readonly port: number
  /** What Host, :authority and SNI say; default `localhost`. */
  readonly host?: string
  /** Default 127.0.0.1. */
  readonly address?: string
  /** PEM; without it the certificate is not verified. */
  readonly ca?: string
  /** Where this client comes from: another address of 127.0.0.0/8 is another client for the limits. */
  readonly from?: string
  /** A client certificate to show, PEM. */
  readonly certificate?: { readonly cert: string; readonly key: string }
}

export interface Ask {
  readonly method?: string
  readonly path: string
  /** [name, value, ...]; `host` replaces Host and :authority. */
  readonly headers?: readonly string[]
  /** Several pieces are sent without a length (chunked in HTTP/1.1). */
  readonly body?: string | Buffer | readonly (string | Buffer)[] | AsyncIterable<Buffer>
  readonly trailers?: Record<string, string>
  /** The client leaves when it fires. */
  readonly signal?: AbortSignal
  /** Called as the pieces of the answer come. */
  readonly onData?: (chunk: Buffer) => void
  /** Called with the head of the answer. */
  readonly onHead?: (status: number) => void
}

export interface Reply {
  /** 0 where no head came. */
  readonly status: number
  /** [name, value, ...]: lower-case names, order and duplicates kept. */
  readonly headers: string[]
  readonly body: Buffer
  readonly text: string
  readonly trailers: string[]
  readonly informational: { status: number; headers: string[] }[]
  /** True where the answer ended as its protocol says; false where it was cut. */
  readonly isComplete: boolean
  /** Why it was not complete; ''. */
  readonly error: string
  header(name: string): string | null
  json(): unknown
}

export interface RequestClient {
  /** Never rejects for what the other side does: a cut answer is a reply that is not complete. */
  ask(ask: Ask): Promise<Reply>
  close(): Promise<void>
}

export interface RequestTransport {
  readonly name: 'h1' | 'h2'
  open(place: Place): RequestClient
}

/** Both ways to ask: run a behaviour test for each. */
export const requestTransports: readonly RequestTransport[] = [
  { name: 'h1', open: openHttp1 },
  { name: 'h2', open: openHttp2 },
]

const BODILESS = new Set(['GET', 'HEAD', 'DELETE', 'OPTIONS'])

class Collected {
  status = 0
  headers: string[] = []
  readonly chunks: Buffer[] = []
  trailers: string[] = []
  readonly informational: { status: number; headers: string[] }[] = []

  toReply(error: string): Reply {
    const body = Buffer.concat(this.chunks)
    const { status, headers, trailers, informational } = this
    return {
      ...{ status, headers, trailers, informational, body, error },
      text: body.toString('utf8'),
      isComplete: error === '',
      header: (name) => {
        for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]!
        return null
      },
      json: () => JSON.parse(body.toString('utf8')),
    }
  }
}

/** HTTP/1.1 over TLS with kept connections. */
export function openHttp1(place: Place): RequestClient {
  const agent = new Agent({ keepAlive: true, maxSockets: 64, ALPNProtocols: ['http/1.1'] })
  const ask = (wish: Ask): Promise<Reply> =>
    new Promise((resolve) => {
      const got = new Collected()
      const method = wish.method ?? 'GET'
      const request = requestHttps({
        ...tlsOptions(place),
        agent,
        method,
        path: wish.path,
        headers: { host: authorityOf(place), ...framed(wish), ...toObject(wish.headers) },
      })
      request.on('information', (info) => {
        got.informational.push({ status: info.statusCode, headers: lowerNames(info.rawHeaders) })
      })
      request.on('error', (error: NodeJS.ErrnoException) => resolve(got.toReply(error.code ?? error.message)))
      request.on('response', (response) => {
        got.status = response.statusCode!
        got.headers = lowerNames(response.rawHeaders)
        wish.onHead?.(got.status)
        response.on('data', (chunk: Buffer) => {
          got.chunks.push(chunk)
          wish.onData?.(chunk)
        })
        response.on('error', () => {})
        response.on('close', () => {
          got.trailers = lowerNames(response.rawTrailers)
          resolve(got.toReply(response.complete ? '' : 'aborted'))
        })
      })
      wish.signal?.addEventListener('abort', () => request.destroy(), { once: true })
      if (wish.trailers !== undefined) request.addTrailers(wish.trailers)
      sendBody(request, wish.body)
    })
  return { ask: (wish) => within(ask(wish), `the answer to ${wish.path}`), close: async () => agent.destroy() }
}

/** HTTP/2 over TLS: one connection, opened again where it was closed. */
export function openHttp2(place: Place): RequestClient {
  let session: ClientHttp2Session | null = null
  const current = (): ClientHttp2Session => {
    if (session === null || session.closed || session.destroyed) session = openSession(place)
    return session
  }
  const ask = (wish: Ask): Promise<Reply> =>
    new Promise((resolve) => {
      const got = new Collected()
      const method = wish.method ?? 'GET'
      const { host, ...fields } = toObject(wish.headers)
      const hasBody = wish.body !== undefined
      const stream = current().request(
        {
          ':method': method,
          ':path': wish.path,
          ':scheme': 'https',
          ':authority': (host as string | undefined) ?? authorityOf(place),
          ...framed(wish),
          ...fields,
        },
        { endStream: !hasBody, waitForTrailers: wish.trailers !== undefined },
      )
      let failure = ''
      let ended = false
      stream.on('wantTrailers', () => stream.sendTrailers(wish.trailers!))
      stream.on('headers', (headers, _flags, raw) => {
        got.informational.push({ status: headers[':status']!, headers: withoutPseudo(raw as unknown as string[]) })
      })
      stream.on('response', (headers, _flags, raw) => {
        got.status = headers[':status']!
        got.headers = withoutPseudo(raw as unknown as string[])
        wish.onHead?.(got.status)
      })
      stream.on('trailers', (_headers, _flags, raw) => {
        got.trailers = withoutPseudo(raw as unknown as string[])
      })
      stream.on('data', (chunk: Buffer) => {
        got.chunks.push(chunk)
        wish.onData?.(chunk)
      })
      stream.on('end', () => {
        ended = true
      })
      stream.on('error', (error: NodeJS.ErrnoException) => {
        failure = error.code ?? error.message
      })
      stream.on('close', () => {
        const isClean = ended && got.status !== 0 && stream.rstCode === constants.NGHTTP2_NO_ERROR
        resolve(got.toReply(isClean ? '' : failure || `reset ${stream.rstCode}`))
      })
      wish.signal?.addEventListener('abort', () => stream.close(constants.NGHTTP2_CANCEL), { once: true })
      if (hasBody) sendBody(stream, wish.body)
    })
  return {
    ask: (wish) => within(ask(wish), `the answer to ${wish.path}`),
    close: async () => session?.destroy(),
  }
}

/** An HTTP/2 connection; for WebSocket over HTTP/2 and for tests that need frames. */
export function openSession(place: Place): ClientHttp2Session {
  const session = connectHttp2(`https://${authorityOf(place)}`, {
    createConnection: () => connectTls({ ...tlsOptions(place), ALPNProtocols: ['h2'] }),
  })
  session.on('error', () => {})
  return session
}

export interface RawResult {
  readonly bytes: Buffer
  /** latin1. */
  readonly text: string
  /** Status lines that came, in order. */
  readonly statuses: number[]
  readonly closedBy: 'server' | 'client'
  /** The system's code where the connection broke (`ECONNRESET`); ''. */
  readonly error: string
}

export interface RawOptions {
  /** False for a plain TCP connection. */
  readonly secure?: boolean
  /** The client closes as soon as this is true; without it, the server has to close. */
  readonly enough?: (text: string) => boolean
  /** Ends the client's side after the last piece. */
  readonly halfClose?: boolean
}

/** Sends pieces of bytes (strings are latin1), each in its own write, and gives what came until either side closed. */
export function rawExchange(
  place: Place,
  pieces: string | Buffer | readonly (string | Buffer)[],
  options: RawOptions = {},
): Promise<RawResult> {
  const list = typeof pieces === 'string' || Buffer.isBuffer(pieces) ? [pieces] : pieces
  const socket = openRaw(place, options.secure ?? true)
  const chunks: Buffer[] = []
  const run = new Promise<RawResult>((resolve) => {
    let error = ''
    let closedBy: RawResult['closedBy'] = 'server'
    socket.on('error', (cause: NodeJS.ErrnoException) => {
      error = cause.code ?? cause.message
    })
    socket.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      if (options.enough?.(Buffer.concat(chunks).toString('latin1'))) {
        closedBy = 'client'
        socket.destroy()
      }
    })
    socket.on('close', () => {
      const all = Buffer.concat(chunks)
      const text = all.toString('latin1')
      const statuses = [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map((found) => Number(found[1]))
      resolve({ bytes: all, text, statuses, closedBy, error })
    })
    socket.once(options.secure === false ? 'connect' : 'secureConnect', () => {
      writeInTurn(socket, list, () => {
        if (options.halfClose) socket.end()
      })
    })
  })
  return within(run, 'the end of the connection').finally(() => socket.destroy())
}

/** A connection to write bytes to, for tests that look at it themselves. */
export function openRaw(place: Place, secure = true): Socket {
  if (secure) return connectTls({ ...tlsOptions(place), ALPNProtocols: ['http/1.1'] })
  const { host, port, localAddress } = tlsOptions(place)
  return connectNet({ host, port, ...(localAddress === undefined ? {} : { localAddress }) })
}

function writeInTurn(socket: Socket, pieces: readonly (string | Buffer)[], onDone: () => void): void {
  const [piece, ...rest] = pieces
  if (piece === undefined || socket.destroyed) return onDone()
  const bytes = typeof piece === 'string' ? Buffer.from(piece, 'latin1') : piece
  // A turn of the loop between the writes, so that they travel apart.
  socket.write(bytes, () => setImmediate(() => writeInTurn(socket, rest, onDone)))
}

export function tlsOptions(place: Place) {
  const host = place.host ?? 'localhost'
  return {
    host: place.address ?? '127.0.0.1',
    port: place.port,
    servername: /^[\d.]+$|:/.test(host) ? '' : host,
    rejectUnauthorized: place.ca !== undefined,
    ...(place.ca === undefined ? {} : { ca: place.ca }),
    ...(place.from === undefined ? {} : { localAddress: place.from }),
    ...(place.certificate === undefined ? {} : { cert: place.certificate.cert, key: place.certificate.key }),
  }
}

export const authorityOf = (place: Place): string => `${place.host ?? 'localhost'}:${place.port}`

interface Writable {
  write(chunk: string | Buffer): boolean
  end(chunk?: string | Buffer): unknown
  once(event: 'drain' | 'close', listener: () => void): unknown
  off(event: 'drain' | 'close', listener: () => void): unknown
  readonly destroyed: boolean
}

function sendBody(out: Writable, body: Ask['body']): void {
  if (body === undefined) out.end()
  else if (typeof body === 'string' || Buffer.isBuffer(body)) out.end(body)
  else sendPieces(out, body).catch(() => {})
}

async function sendPieces(out: Writable, pieces: Iterable<string | Buffer> | AsyncIterable<Buffer>): Promise<void> {
  for await (const piece of pieces) {
    if (out.destroyed) return
    if (!out.write(piece)) await drained(out)
  }
  if (!out.destroyed) out.end()
}

function drained(out: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      out.off('drain', done)
      out.off('close', done)
      resolve()
    }
    out.once('drain', done)
    out.once('close', done)
  })
}

/** The length, where the body is known as a whole. */
function framed(wish: Ask): Record<string, string> {
  const { body } = wish
  if (body === undefined) return BODILESS.has(wish.method ?? 'GET') ? {} : { 'content-length': '0' }
  if (typeof body === 'string' || Buffer.isBuffer(body)) return { 'content-length': String(Buffer.byteLength(body)) }
  return {}
}

export function toObject(headers: readonly string[] = []): OutgoingHttpHeaders {
  const object: Record<string, string | string[]> = {}
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!.toLowerCase()
    const value = headers[i + 1]!
    const known = object[name]
    object[name] = known === undefined ? value : [...(Array.isArray(known) ? known : [known]), value]
  }
  return object
}

function lowerNames(raw: readonly string[]): string[] {
  return raw.map((text, i) => (i % 2 === 0 ? text.toLowerCase() : text))
}

export function withoutPseudo(raw: readonly string[]): string[] {
  return raw.filter((_, i) => !raw[i - (i % 2)]!.startsWith(':'))
}
