/**
 * The engine for what is not hot, by undici: HTTP/2 to the endpoint. It stands behind the same seam as the engine of our
 * own, and is the only file that imports undici.
 */
import { Readable } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'
import { buildConnector, Pool, type Dispatcher as Undici } from 'undici'
import { lasting } from '../exchange/client-inlet.ts'
import type { HeaderList } from '../http/headers.ts'
import { expectStream, type StreamUser } from './cut-streams.ts'
import { type BodyWriter, type Dispatcher, type UpstreamCall, type UpstreamControl, UpstreamError } from './dispatch.ts'
import { type Destination, Opening } from './opening.ts'

/** Where the origin is, and how much of it there may be. */
export interface UndiciOptions extends Destination {
  readonly origin: string
  readonly tls: ConnectionOptions
  readonly maxConnections: number
  readonly maxWaiting: number
  readonly connectMs: number
  readonly keepAliveMs: number
}

/** undici reads `servername` and does not declare it. */
interface NamedDispatch extends Undici.DispatchOptions {
  readonly servername: string
}

export class UndiciEndpoint implements Dispatcher {
  readonly #pool: Pool
  readonly #options: UndiciOptions
  readonly #running = new Map<UpstreamCall, Run>()
  waiting = 0
  /** True while a call is told that it failed. */
  #isTelling = false

  constructor(options: UndiciOptions) {
    this.#options = options
    this.#pool = new Pool(options.origin, {
      connections: Math.min(options.maxConnections, 8),
      pipelining: 100,
      allowH2: true,
      keepAliveTimeout: options.keepAliveMs,
      maxHeaderSize: 64 * 1024,
      connect: options.proxy === null ? straight(options) : through(options),
    })
  }

  dispatch(call: UpstreamCall): void {
    if (this.waiting >= this.#options.maxWaiting + this.#options.maxConnections) {
      call.onFailure(new UpstreamError('TOO_MANY_WAITING'))
      return
    }
    const run = new Run(call, this)
    this.#running.set(call, run)
    this.waiting++
    // undici counts its requests once it has told of an error, and ends the process where one came in between.
    if (this.#isTelling) process.nextTick(() => this.#start(call, run))
    else this.#start(call, run)
  }

  #start(call: UpstreamCall, run: Run): void {
    if (run.isOver) return
    // undici takes null for no body, and declares it for requests only.
    const options = {
      path: call.path,
      method: call.method,
      headers: framed(call),
      body: call.body ?? run.stream,
      headersTimeout: call.firstByteMs,
      bodyTimeout: call.betweenBytesMs,
      servername: this.#options.tls.servername ?? '',
    } as NamedDispatch
    try {
      this.#pool.dispatch(options, run)
    } catch (error) {
      run.onResponseError(null, error as Error)
    }
  }

  /** Whoever is told may send again before this returns. */
  tellFailure(call: UpstreamCall, error: Error): void {
    const wasTelling = this.#isTelling
    this.#isTelling = true
    try {
      call.onFailure(error)
    } finally {
      this.#isTelling = wasTelling
    }
  }

  cancel(call: UpstreamCall): void {
    this.#running.get(call)?.abort()
  }

  onRunEnd(call: UpstreamCall): void {
    this.#running.delete(call)
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async destroy(): Promise<void> {
    await this.#pool.destroy()
  }
}

/** The name and the place are the endpoint's, whatever Host the request carries. */
function straight({ tls, connectMs, host, port }: UndiciOptions): buildConnector.connector {
  const connect = buildConnector({ ...tls, timeout: connectMs, allowH2: true } as never)
  const servername = tls.servername ?? ''
  return (wish, done) => connect({ ...wish, hostname: host, port: String(port), servername }, done)
}

/** Never but through the proxy. */
function through(options: UndiciOptions): buildConnector.connector {
  const to = { ...options, tls: { ...options.tls, ALPNProtocols: ['h2', 'http/1.1'] } }
  let session: Buffer | undefined
  return (_wish, done) => {
    new Opening(to, session, options.connectMs, {
      onOpen: (_opening, { socket }) => {
        // Until undici listens.
        socket.on('error', () => {})
        done(null, socket)
      },
      onOpenFailed: (_opening, error) => done(error, null),
      onSession: (fresh) => {
        session = fresh
      },
    })
  }
}

class Run implements Undici.DispatchHandler, UpstreamControl, BodyWriter, StreamUser {
  readonly stream: StreamedBody | null
  readonly #call: UpstreamCall
  readonly #endpoint: UndiciEndpoint
  #controller: Undici.DispatchController | null = null
  #waits = true
  #over = false
  #isCut = false

  constructor(call: UpstreamCall, endpoint: UndiciEndpoint) {
    this.#call = call
    this.#endpoint = endpoint
    this.stream = call.streamLength === 0 ? null : new StreamedBody(call, this)
  }

  /** Ended, or taken back. */
  get isOver(): boolean {
    return this.#over
  }

  // --- undici's side ---

  onRequestStart(controller: Undici.DispatchController): void {
    this.#controller = controller
    this.#leaveQueue()
    if (this.#over) {
      controller.abort(new UpstreamError('CLOSED'))
      return
    }
    // undici makes the stream right after this.
    this.#isCut = false
    expectStream(this)
    this.#call.onStart(this)
  }

  onCut(): void {
    this.#isCut = true
  }

  onResponseStart(controller: Undici.DispatchController, status: number, headers: Record<string, unknown>): void {
    if (this.#over) return
    const list = readHeaders(controller.rawHeaders, headers)
    if (status < 200) {
      if (status !== 100) this.#call.onInformational(status, list)
    } else this.#call.onHead(status, list, null)
  }

  onResponseData(_controller: Undici.DispatchController, chunk: Buffer): void {
    if (!this.#over) this.#call.onData(chunk)
  }

  onResponseEnd(controller: Undici.DispatchController, trailers: Record<string, unknown>): void {
    if (this.#over) return
    this.#end()
    if (this.#isCut) {
      this.#endpoint.tellFailure(this.#call, new UpstreamError('CLOSED'))
      return
    }
    const list = readHeaders(controller.rawTrailers, trailers)
    this.#call.onEnd(list.length === 0 ? null : list)
  }

  onResponseError(_controller: Undici.DispatchController | null, error: Error): void {
    this.#leaveQueue()
    if (this.#over) return
    this.#end()
    this.#endpoint.tellFailure(this.#call, error)
  }

  // --- the call's side ---

  pause(): void {
    if (!this.#over) this.#controller?.pause()
  }

  resume(): void {
    if (!this.#over) this.#controller?.resume()
  }

  abort(): void {
    this.#end()
    this.#controller?.abort(new UpstreamError('CLOSED'))
  }

  write(chunk: Buffer): void {
    this.stream?.accept(lasting(chunk))
  }

  end(): void {
    this.stream?.finish()
  }

  #end(): void {
    this.#over = true
    this.#leaveQueue()
    this.#endpoint.onRunEnd(this.#call)
  }

  #leaveQueue(): void {
    if (!this.#waits) return
    this.#waits = false
    this.#endpoint.waiting--
  }
}

/** undici destroys the body it is given: this, never the client's own stream, which still owes an answer. */
class StreamedBody extends Readable {
  readonly #call: UpstreamCall
  readonly #writer: BodyWriter
  #begun = false

  constructor(call: UpstreamCall, writer: BodyWriter) {
    super({ highWaterMark: 64 * 1024 })
    this.#call = call
    this.#writer = writer
  }

  override _read(): void {
    if (this.#begun) this.#call.onBodyResume()
    else {
      this.#begun = true
      this.#call.onBodyWanted(this.#writer)
    }
  }

  accept(chunk: Buffer): void {
    if (!this.destroyed && !this.push(chunk)) this.#call.onBodyPause()
  }

  finish(): void {
    if (!this.destroyed) this.push(null)
  }
}

function framed(call: UpstreamCall): HeaderList {
  const headers = [...call.headers]
  if (call.body !== null) headers.push('content-length', String(call.body.length))
  else if (call.streamLength > 0) headers.push('content-length', String(call.streamLength))
  return headers
}

/** HTTP/1.1 gives a raw list of buffers, HTTP/2 an object. */
function readHeaders(raw: unknown, parsed: Record<string, unknown>): HeaderList {
  const out: HeaderList = []
  if (Array.isArray(raw)) {
    for (let i = 0; i + 1 < raw.length; i += 2) out.push(text(raw[i]).toLowerCase(), text(raw[i + 1]))
    return out
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (name.startsWith(':')) continue
    for (const each of Array.isArray(value) ? value : [value]) out.push(name.toLowerCase(), String(each))
  }
  return out
}

const text = (value: unknown): string => (Buffer.isBuffer(value) ? value.toString('latin1') : String(value))
