/**
 * An independent reading of HTTP/1.1 bytes: node's own parser (llhttp), strict or lenient, fed without a socket. It knows
 * nothing of the gateway.
 */
import { createServer, get, type IncomingMessage, type Server } from 'node:http'
import { Duplex } from 'node:stream'

export interface ReadRequest {
  readonly method: string
  readonly url: string
  /** [name, value, ...] as they came. */
  readonly rawHeaders: readonly string[]
  body: Buffer
  isWhole: boolean
}

/** Bytes in, nothing out: a socket as far as node:http can tell. */
class Feed extends Duplex {
  readonly written: Buffer[] = []
  override _read(): void {}
  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written.push(chunk)
    done()
  }
  setTimeout(): this {
    return this
  }
  setNoDelay(): this {
    return this
  }
  setKeepAlive(): this {
    return this
  }
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
}

export interface RequestReading {
  readonly requests: readonly ReadRequest[]
  /** Code of the parser's error; ''. */
  readonly error: string
}

function makeServer(lenient: boolean): Server {
  const server = createServer({
    insecureHTTPParser: lenient,
    requireHostHeader: false,
    keepAliveTimeout: 0,
    maxHeaderSize: 64 * 1024,
  })
  // Everything is a request to be read, whatever it expects or wants to become.
  server.on('checkContinue', (request, response) => server.emit('request', request, response))
  server.on('checkExpectation', (request, response) => server.emit('request', request, response))
  return server
}
const servers = { strict: makeServer(false), lenient: makeServer(true) }
for (const server of Object.values(servers)) {
  server.on('request', (request: IncomingMessage, response) => {
    const reading = readings.get(request.socket as unknown as Feed)!
    const { method, url, rawHeaders } = request
    const read: ReadRequest = { method: method!, url: url!, rawHeaders, body: Buffer.alloc(0), isWhole: false }
    reading.requests.push(read)
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => {})
    request.on('end', () => {
      read.body = Buffer.concat(chunks)
      read.isWhole = true
      response.end()
    })
  })
  server.on('connect', (request, socket) => {
    readings.get(socket as unknown as Feed)!.error = 'CONNECT'
    request.resume()
  })
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    const reading = readings.get(socket as unknown as Feed)
    // Not destroyed yet: whole requests before the error are still to be read.
    if (reading !== undefined) reading.error ||= error.code ?? error.message
  })
}
const readings = new WeakMap<Feed, { requests: ReadRequest[]; error: string }>()

/** What a server makes of the bytes of one connection, which then ends. */
export async function readRequests(bytes: Buffer, parser: 'strict' | 'lenient'): Promise<RequestReading> {
  const feed = new Feed({ autoDestroy: true })
  const reading = { requests: [] as ReadRequest[], error: '' }
  readings.set(feed, reading)
  feed.on('error', () => {})
  const ended = new Promise<void>((resolve) => feed.once('close', () => resolve()))
  servers[parser].emit('connection', feed)
  feed.push(bytes)
  feed.push(null)
  await Promise.race([ended, settled(feed, () => reading.error !== '')])
  feed.destroy()
  return reading
}

const TURNS = 40
const TURNS_AFTER_ERROR = 12

/** The parser reads in its own turns of the loop: some more than any case has requests. */
async function settled(feed: Feed, failed: () => boolean): Promise<void> {
  let last = TURNS
  for (let turn = 0; turn < last && !feed.destroyed; turn++) {
    await new Promise((resolve) => setImmediate(resolve))
    if (failed()) last = Math.min(last, turn + TURNS_AFTER_ERROR)
  }
}

export interface AnswerReading {
  /** 0 where there is no answer. */
  status: number
  rawHeaders: readonly string[]
  body: Buffer
  isWhole: boolean
  error: string
}

/** What a client makes of the bytes that answer one request; `ends`: the connection ends after them. */
export async function readAnswer(bytes: Buffer, method: string, ends: boolean): Promise<AnswerReading> {
  const feed = new Feed({ autoDestroy: false })
  const reading: AnswerReading = { status: 0, rawHeaders: [], body: Buffer.alloc(0), isWhole: false, error: '' }
  const done = Promise.withResolvers<void>()
  feed.on('error', () => {})
  const request = get({ method, createConnection: () => feed as never, host: 'localhost', path: '/' })
  request.on('error', (error: NodeJS.ErrnoException) => {
    reading.error ||= error.code ?? error.message
    done.resolve()
  })
  request.on('upgrade', () => {
    reading.error = 'UPGRADE'
    done.resolve()
  })
  request.on('response', (response) => {
    reading.status = response.statusCode!
    reading.rawHeaders = response.rawHeaders
    const chunks: Buffer[] = []
    response.on('data', (chunk: Buffer) => {
      chunks.push(chunk)
      reading.body = Buffer.concat(chunks)
    })
    response.on('error', (error: NodeJS.ErrnoException) => {
      reading.error ||= error.code ?? error.message
    })
    response.on('close', () => {
      reading.isWhole = response.complete
      done.resolve()
    })
  })
  request.once('finish', () => {
    feed.push(bytes)
    if (ends) feed.push(null)
  })
  await Promise.race([done.promise, settled(feed, () => false)])
  request.destroy()
  feed.destroy()
  return reading
}
