/**
 * Forwards an exchange to a service and relays the answer, with back-pressure and aborts both ways. The rules of retry:
 * nothing was sent, or the method is idempotent, has no body, and not a byte of an answer came; then once, elsewhere.
 */
import type { Duplex } from 'node:stream'
import type { Dispatcher } from 'undici'
import { Failure } from '../errors.ts'
import { DONE, type Metrics, type Stage, type UpstreamHalf } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { getHeader, type HeaderList, HOP_BY_HOP } from '../http/headers.ts'
import { RequestBody } from './request-body.ts'
import { nominatedNames, requestHeaders } from './request-headers.ts'
import type { Endpoint, Service } from './service.ts'
import { openTunnel } from './tunnel.ts'
import { upstreamFailure } from './upstream-failure.ts'
import { acceptsHandshake, type Handshake, handshakeHeaders, makeHandshake } from './websocket-handshake.ts'

const MAX_TRIES = 2
const MAX_INFORMATIONAL = 16

/** Makes the stage that hands the exchange to a service. */
export function makeForward(service: Service, metrics: Metrics): Stage {
  return (x) => {
    new Forwarding(x, service, metrics).start()
    return DONE
  }
}

class Forwarding implements UpstreamHalf, Dispatcher.DispatchHandler {
  readonly #x: Exchange
  readonly #service: Service
  readonly #metrics: Metrics
  readonly #handshake: Handshake | null
  #endpoint: Endpoint | null = null
  #controller: Dispatcher.DispatchController | null = null
  #body: RequestBody | null = null
  #tries = 0
  #waits = false
  #sent = false
  #answerBegun = false
  #informational = 0
  #over = false

  constructor(x: Exchange, service: Service, metrics: Metrics) {
    this.#x = x
    this.#service = service
    this.#metrics = metrics
    this.#handshake = x.isWebSocket ? makeHandshake(x) : null
    x.upstream = this
  }

  start(): void {
    const x = this.#x
    const endpoint = this.#service.pick(this.#endpoint)
    this.#endpoint = endpoint
    this.#tries++
    this.#sent = false
    x.endpoint = endpoint.name
    if (endpoint.waiting >= endpoint.maxWaiting) return this.#fail(new Failure('upstream-busy'))
    const headers = requestHeaders(x)
    let body: Buffer | RequestBody | null = null
    if (x.bodyBytes !== null) {
      if (x.bodyBytes.length > 0 || x.head.bodyLength !== 0) {
        body = x.bodyBytes
        headers.push('content-length', String(body.length))
      }
    } else if (x.head.bodyLength !== 0) {
      body = new RequestBody(x)
      this.#body = body
      if (x.head.bodyLength > 0) headers.push('content-length', String(x.head.bodyLength))
    } else if (x.method === 'POST' || x.method === 'PUT' || x.method === 'PATCH') {
      headers.push('content-length', '0')
    }
    if (this.#handshake !== null) for (const each of handshakeHeaders(this.#handshake)) headers.push(each)
    const timeouts = x.route!.timeouts
    this.#waits = true
    endpoint.waiting++
    try {
      endpoint.pool.dispatch(
        {
          path: x.path + x.query,
          method: x.method,
          headers,
          body,
          upgrade: this.#handshake === null ? null : 'websocket',
          headersTimeout: timeouts.firstByteMs,
          bodyTimeout: timeouts.betweenBytesMs,
        },
        this,
      )
    } catch (error) {
      this.#failed(error as Error)
    }
  }

  // --- undici's side ---

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#leaveQueue()
    this.#controller = controller
    if (this.#over) controller.abort(new Failure('client-gone'))
    else this.#sent = true
  }

  onResponseStart(controller: Dispatcher.DispatchController, status: number): void {
    if (this.#over) return
    const x = this.#x
    const headers = readHeaders(controller.rawHeaders as Buffer[])
    if (status < 200) {
      if (++this.#informational > MAX_INFORMATIONAL) controller.abort(new Failure('upstream-bad-answer', '1xx'))
      else if (status === 103) x.sendInformational(status, withoutHopByHop(headers))
      return
    }
    // Over HTTP/2 a 2xx would say that the WebSocket is open, which it is not.
    if (this.#handshake !== null && status < 300) {
      controller.abort(new Failure('upstream-upgrade-refused'))
      return
    }
    this.#answerBegun = true
    x.upstreamMs = performance.now() - x.startedAt
    const type = getHeader(headers, 'content-type')
    if (type?.startsWith('text/event-stream')) x.deadline = 0
    x.respondHead(status, relayable(status, headers))
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (!this.#over && !this.#x.sendData(chunk)) controller.pause()
  }

  onResponseEnd(controller: Dispatcher.DispatchController): void {
    if (this.#over) return
    this.#over = true
    this.#x.upstream = null
    const trailers = controller.rawTrailers as Buffer[] | null | undefined
    this.#x.sendEnd(trailers && trailers.length > 0 ? withoutHopByHop(readHeaders(trailers)) : null)
  }

  onRequestUpgrade(controller: Dispatcher.DispatchController, status: number, _headers: unknown, socket: Duplex): void {
    const x = this.#x
    const headers = readHeaders(controller.rawHeaders as Buffer[])
    const handshake = this.#handshake
    if (this.#over || handshake === null || status !== 101 || !acceptsHandshake(handshake, headers)) {
      socket.on('error', ignoreError)
      socket.destroy()
      if (!this.#over) this.#fail(new Failure('upstream-upgrade-refused'))
      return
    }
    this.#over = true
    x.upstream = null
    x.upstreamMs = performance.now() - x.startedAt
    openTunnel(x, socket, withoutHopByHop(headers))
  }

  onResponseError(_controller: Dispatcher.DispatchController | null, error: Error): void {
    this.#leaveQueue()
    this.#failed(error)
  }

  // --- the exchange's side ---

  onClientDrain(): void {
    this.#controller?.resume()
  }

  onExchangeAbort(why: Failure): void {
    if (this.#over) return
    this.#over = true
    this.#body?.destroy()
    this.#controller?.abort(why)
  }

  #failed(error: Error): void {
    if (this.#over) return
    const failure = error instanceof Failure ? error : upstreamFailure(error, this.#sent)
    const x = this.#x
    this.#metrics.count('upstream_failures_total', failure.code)
    if (!this.#answerBegun && this.#tries < MAX_TRIES && this.#mayRetry(failure)) {
      this.#controller = null
      this.start()
      return
    }
    if (x.upstreamMs < 0) x.upstreamMs = performance.now() - x.startedAt
    this.#fail(failure)
  }

  #mayRetry(failure: Failure): boolean {
    const x = this.#x
    // A streamed body is used up with the first byte that was read of it.
    if (this.#body !== null && x.bytesIn > 0) return false
    if (failure.retry) return this.#body === null
    const idempotent = x.method === 'GET' || x.method === 'HEAD' || x.method === 'OPTIONS'
    return idempotent && this.#body === null && failure.code === 'upstream-closed'
  }

  #fail(failure: Failure): void {
    if (this.#over) return
    this.#over = true
    this.#x.upstream = null
    this.#body?.destroy()
    this.#x.fail(failure)
  }

  #leaveQueue(): void {
    if (!this.#waits) return
    this.#waits = false
    if (this.#endpoint !== null) this.#endpoint.waiting--
  }
}

/** undici's raw list of buffers as a header list: lower-case names, latin1 values. */
function readHeaders(raw: readonly Buffer[]): HeaderList {
  const out: HeaderList = []
  for (let i = 0; i + 1 < raw.length; i += 2) {
    out.push(raw[i]!.toString('latin1').toLowerCase(), raw[i + 1]!.toString('latin1'))
  }
  return out
}

/** Without a length that does not count: beside a transfer coding, or in a 204 (RFC 9112, 6.2; RFC 9110, 8.6). */
function relayable(status: number, headers: HeaderList): HeaderList {
  const kept = withoutHopByHop(headers)
  if (status !== 204 && getHeader(headers, 'transfer-encoding') === null) return kept
  const out: HeaderList = []
  for (let i = 0; i < kept.length; i += 2) if (kept[i] !== 'content-length') out.push(kept[i]!, kept[i + 1]!)
  return out
}

function withoutHopByHop(headers: HeaderList): HeaderList {
  const nominated = nominatedNames(headers)
  const out: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    if (!HOP_BY_HOP.has(name) && !nominated?.has(name)) out.push(name, headers[i + 1]!)
  }
  return out
}

function ignoreError(): void {}
