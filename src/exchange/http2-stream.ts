/**
 * One HTTP/2 stream as the client half of an exchange. It knows the stream and its exchange; of the session only that it
 * wants to be told about the end.
 */
import { constants, type ServerHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import { Failure, type FailureCode } from '../errors.ts'
import { streamBodyLength } from '../http/framing.ts'
import { getHeader, type HeaderList, TOKEN } from '../http/headers.ts'
import { httpDate, TICK_MS } from './clock.ts'
import type { Peer } from './connection.ts'
import type { ClientHalf, HeaderEdits, ListenerPlan } from './contracts.ts'
import { Exchange } from './exchange.ts'
import { HeadMemo } from './head-memo.ts'
import { joinLines, record, soundFields } from './http2-fields.ts'
import { SlowReader } from './slow-reader.ts'
import type { Reader } from './unsent-bytes.ts'
import { writeCopy } from './write-copy.ts'
import { tookOutside } from './young-garbage.ts'

const { NGHTTP2_NO_ERROR, NGHTTP2_INTERNAL_ERROR, NGHTTP2_PROTOCOL_ERROR } = constants

const NOTHING: HeaderList = []
/** What a client may send of one body before it hears of it: as the session's settings say. */
export const WINDOW_BYTES = 64 * 1024

/** The session, as a stream sees it. */
export interface StreamOwner extends Peer {
  /** The stream became an exchange; bytes of its field names and values. */
  onRequest(fieldBytes: number): void
  onStreamEnd(half: Http2Stream): void
}

export class Http2Stream implements ClientHalf, Reader {
  readonly #stream: ServerHttp2Stream
  readonly #connection: StreamOwner
  readonly #plan: ListenerPlan
  #x: Exchange | null = null
  #reading = false
  #bodyEnded = false
  /** True while a request that says it has no body may still send one. */
  #held = false
  #ended = false
  #bodyBytes = 0
  #bodyFlowingMs = 0
  readonly #reader = new SlowReader()
  #sentBytes = 0
  #declaredLength = -1
  #tunnelled = false
  #arrivedBefore = 0
  /** Bytes of a body that nobody wants which may have been sent before its client knew. */
  #onTheWay = 0
  #trailersWanted = false
  #trailers: HeaderList | null = null

  constructor(stream: ServerHttp2Stream, connection: StreamOwner, plan: ListenerPlan) {
    this.#stream = stream
    this.#connection = connection
    this.#plan = plan
  }

  begin(raw: string[], endStream: boolean): void {
    const stream = this.#stream
    const plan = this.#plan
    stream.on('close', () => this.onGone())
    const headers: HeaderList = []
    let method = ''
    let target = ''
    let authority: string | null = null
    let connectProtocol: string | null = null
    let scheme: string | null = null
    let cookie = ''
    let hosts = 0
    let fieldBytes = 0
    for (let i = 0; i < raw.length; i += 2) {
      const name = raw[i]!
      const value = raw[i + 1]!
      fieldBytes += name.length + value.length
      if (name.charCodeAt(0) === 0x3a) {
        if (name === ':method') method = value
        else if (name === ':path') target = value
        else if (name === ':authority') authority = value
        else if (name === ':protocol') connectProtocol = value
        else if (name === ':scheme') scheme = value
        continue
      }
      if (name === 'cookie') {
        // One field for upstreams that speak HTTP/1.1 (RFC 9113, 8.2.3).
        cookie = cookie === '' ? value : `${cookie}; ${value}`
        continue
      }
      if (name === 'host') hosts++
      headers.push(name, value)
    }
    if (cookie !== '') headers.push('cookie', cookie)
    const host = getHeader(headers, 'host')
    const isConnect = method === 'CONNECT'
    const bodyLength = streamBodyLength(headers, endStream)
    // RFC 9113, 8.2.1 and 8.3.1: what could change meaning on the way to HTTP/1.1 is refused, not cleaned.
    const sound =
      TOKEN.test(method) &&
      hosts <= 1 &&
      // Another scheme would exempt :path from the checks of nghttp2; a bare CONNECT has none.
      (scheme === 'https' || scheme === 'http' || (scheme === null && isConnect)) &&
      (authority === null || host === null || authority === host) &&
      soundFields(headers)
    if (!sound || bodyLength === 'bad-framing') {
      plan.onRefusedBytes('bad-header', this.#connection.address)
      stream.close(NGHTTP2_PROTOCOL_ERROR)
      return
    }
    this.#connection.onRequest(fieldBytes)
    this.#trailersWanted = getHeader(headers, 'te') === 'trailers'
    this.#declaredLength = bodyLength
    this.#bodyEnded = endStream
    const x = new Exchange(
      {
        protocol: 'h2',
        method,
        target,
        authority: authority ?? host,
        headers,
        bodyLength: isConnect ? 0 : bodyLength,
        connectProtocol: isConnect ? connectProtocol : null,
        memo: new HeadMemo(),
      },
      this,
      this.#connection,
      plan,
    )
    this.#x = x
    if (!isConnect && !endStream) {
      stream.on('data', (chunk: Buffer) => this.#onData(chunk))
      stream.on('end', () => this.#onEnd())
      stream.pause()
    }
    stream.on('aborted', () => this.onGone())
    stream.on('drain', () => this.#x?.upstream?.onClientDrain())
    // DATA may still contradict a length of 0: the end of the stream is waited for, as for any body.
    this.#held = bodyLength === 0 && !endStream && !isConnect
    if (this.#held) this.resumeBody()
    else plan.run(x)
  }

  #onData(chunk: Buffer): void {
    this.#bodyBytes += chunk.length
    tookOutside(chunk.length)
    this.#x?.onBodyData(chunk)
  }

  #onEnd(): void {
    this.#bodyEnded = true
    // RFC 9113, 8.1.1; nghttp2 checks it too, this is the bound that does not depend on it.
    if (this.#declaredLength !== -1 && this.#bodyBytes !== this.#declaredLength) {
      this.#x?.refuse('bad-framing')
      return
    }
    this.#x?.onBodyEnd()
    if (!this.#held) return
    this.#held = false
    this.#x?.listener.run(this.#x)
  }

  resumeBody(): void {
    this.#reading = true
    this.#stream.resume()
  }

  pauseBody(): void {
    this.#reading = false
    this.#stream.pause()
  }

  sendInformational(status: number, headers: HeaderList): void {
    if (!this.#usable()) return
    try {
      this.#stream.additionalHeaders({ ':status': status, ...record(headers) })
    } catch {
      // As in #respond; a hint is only a hint.
    }
  }

  sendHead(status: number, headers: HeaderList, edits: HeaderEdits, body: Buffer | null): void {
    if (!this.#usable()) return this.#finished()
    const stream = this.#stream
    const bodiless = this.#x?.method === 'HEAD' || status === 204 || status === 304
    const endStream = body !== null ? body.length === 0 : bodiless
    if (getHeader(headers, 'date') === null) headers.push('date', httpDate())
    const trailersWanted = body === null && !endStream && this.#trailersWanted
    if (trailersWanted) stream.on('wantTrailers', this.#onWantTrailers)
    if (!this.#respond(status, headers, edits.set, endStream, trailersWanted)) return
    if (body !== null) {
      if (!endStream) stream.end(body)
      this.#finished()
    }
  }

  /**
   * Node throws for fields that HTTP/2 does not carry, and where one stands twice that it takes for a singleton. Those of
   * answers that are singletons do not come this far; the others, Content-Language say, are lists (RFC 9110, 5.3).
   */
  #respond(
    status: number,
    headers: HeaderList,
    more: HeaderList,
    endStream: boolean,
    waitForTrailers: boolean,
  ): boolean {
    const fields = [':status', String(status), ...headers, ...more]
    const options = { endStream, waitForTrailers }
    if (this.#tryToRespond(fields, options) || this.#tryToRespond(joinLines(fields), options)) return true
    const x = this.#x
    this.#stream.close(NGHTTP2_INTERNAL_ERROR)
    this.#finished()
    x?.onClientGone(new Failure('upstream-bad-answer'))
    return false
  }

  #tryToRespond(fields: HeaderList, options: { endStream: boolean; waitForTrailers: boolean }): boolean {
    try {
      this.#stream.respond(fields as never, options)
      return true
    } catch {
      return false
    }
  }

  readonly #onWantTrailers = (): void => {
    if (this.#stream.destroyed || this.#stream.closed) return
    try {
      this.#stream.sendTrailers(record(this.#trailers ?? []))
    } catch {
      // As in #respond; the answer is whole without them.
      this.#stream.sendTrailers({})
    }
  }

  /** Field compression wants fields, not a text of them. */
  repeatHead(): boolean {
    return false
  }

  sendData(chunk: Buffer): boolean {
    if (!this.#usable()) return true
    this.#sentBytes += chunk.length
    // HTTP/2 sends when its windows allow it.
    return writeCopy(this.#stream, chunk)
  }

  sendEnd(trailers: HeaderList | null): void {
    if (this.#usable()) {
      this.#trailers = trailers
      this.#stream.end()
    }
    this.#finished()
  }

  abort(_why: Failure): void {
    this.#ended = true
    this.#connection.onStreamEnd(this)
    // close() would end the stream before it resets it: the client would take a cut answer for a whole one.
    this.#stream.destroy(new Error('aborted'))
  }

  openTunnel(headers: HeaderList): Duplex {
    this.#tunnelled = true
    this.#stream.removeAllListeners('drain')
    this.#respond(200, headers, NOTHING, false, false)
    return this.#stream
  }

  /**
   * The exchange is over; the stream is once the client has taken what waits for it, and is watched until then. A body that
   * nobody will read is refused to the client without an error once the answer is out (RFC 9113, 8.1).
   */
  #finished(): void {
    this.#ended = true
    this.#x = null
    const stream = this.#stream
    if (this.#bodyEnded || stream.destroyed) return
    const left = this.#declaredLength === -1 ? WINDOW_BYTES : this.#declaredLength - this.#bodyBytes
    this.#onTheWay = Math.max(0, Math.min(WINDOW_BYTES, left))
    stream.once('finish', () => {
      if (!stream.destroyed) stream.close(NGHTTP2_NO_ERROR)
    })
  }

  cut(): void {
    this.onGone('unread-answer')
    this.#stream.destroy(new Error('the client reads nothing'))
  }

  onGone(code: FailureCode = 'client-gone'): void {
    this.#plan.unsent.tell(this, 0, true)
    this.#connection.onStreamEnd(this)
    if (this.#ended) return
    this.#ended = true
    const x = this.#x
    this.#x = null
    if (x !== null && !this.#tunnelled) x.onClientGone(new Failure(code))
  }

  #usable(): boolean {
    return !this.#ended && !this.#stream.destroyed && !this.#stream.closed
  }

  /** Bytes of a body, or of a tunnel, that came since the last time, read or not. */
  takeArrived(): number {
    const taken = this.#tunnelled ? (this.#x?.bytesIn ?? this.#arrivedBefore) : this.#bodyBytes
    const arrived = taken + this.#onTheWay + this.#stream.readableLength
    const more = Math.max(0, arrived - this.#arrivedBefore)
    this.#arrivedBefore += more
    return more
  }

  /** Whether bytes wait for the client. */
  get isWaiting(): boolean {
    return this.#stream.writableLength > 0
  }

  /** `sharers`: streams of the connection for which bytes wait. */
  onTick(now: number, sharers: number): void {
    const { limits } = this.#plan
    if (this.#tunnelled) return
    this.#x?.onTick(now)
    if (this.#reading && !this.#bodyEnded && this.#x !== null) {
      this.#bodyFlowingMs += TICK_MS
      const judgedMs = this.#bodyFlowingMs - limits.bodyGraceMs
      if (judgedMs > 0 && this.#bodyBytes < (judgedMs / 1000) * limits.bodyMinRate) this.#x.refuse('body-timeout')
    }
    const waiting = this.#stream.writableLength
    if (!this.#stream.destroyed && this.#reader.isStuck(this.#sentBytes, waiting, limits, sharers)) this.cut()
    else this.#plan.unsent.tell(this, waiting, this.#reader.tookAny)
  }
}
