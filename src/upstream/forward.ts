/**
 * Forwards an exchange to a service and relays the answer, with back-pressure and aborts both ways. The rules of
 * another try: nothing was sent, or the method is idempotent, the body at hand, and not a byte of an answer came.
 */
import type { Duplex } from 'node:stream'
import { Failure, type FailureCode } from '../errors.ts'
import type { AnswerOutlet } from '../exchange/answer-outlet.ts'
import { type AnswerFilter, type BodySink, DONE, type Stage, type UpstreamHalf } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { KeptAnswer } from '../exchange/kept-answer.ts'
import { fieldLines, getHeader, type HeaderList } from '../http/headers.ts'
import { repeatsSingleton } from '../http/singletons.ts'
import type { BodyWriter, Dispatcher, UpstreamCall, UpstreamControl } from './dispatch.ts'
import type { Endpoint } from './endpoint.ts'
import type { ForwardParts } from './forward-parts.ts'
import { relayable, wholeAndPlain, withoutHopByHop } from './relayed-fields.ts'
import { requestHeaders, requestText } from './request-headers.ts'
import { isRepeatable } from './second-try.ts'
import { Seeker } from './seeker.ts'
import type { Service } from './service.ts'
import { openTunnel } from './tunnel.ts'
import { type Turning, takeTurn } from './turns.ts'
import { upstreamFailure } from './upstream-failure.ts'
import { acceptsHandshake, type Handshake, handshakeHeaders, makeHandshake } from './websocket-handshake.ts'

/** What passes in one go while its client takes all of it: the system's own buffers for it hold megabytes. */
const TURN_BYTES = 128 * 1024

/** Makes the stage that hands the exchange to a service. */
export function makeForward(service: Service, parts: ForwardParts): Stage {
  return (x) => {
    const forwarding = new Forwarding(x, service, parts)
    if (service.admits()) service.seek(forwarding)
    else forwarding.onNotPlaced('upstream-resting')
    return DONE
  }
}

class Forwarding extends Seeker implements UpstreamHalf, UpstreamCall, BodySink, Turning {
  // what an engine reads
  readonly method: string
  readonly path: string
  readonly body: Buffer | null
  readonly streamLength: number
  firstByteMs: number
  readonly betweenBytesMs: number

  readonly #x: Exchange
  readonly #parts: ForwardParts
  readonly #handshake: Handshake | null
  readonly #answer: AnswerFilter | null
  readonly #out: AnswerOutlet
  /** Of a head that waits for the body's inspection; 0 for none. */
  #heldStatus = 0
  #dispatcher: Dispatcher | null = null
  #control: UpstreamControl | null = null
  #writer: BodyWriter | null = null
  /** Bytes of the answer that came since others had their turn. */
  #sinceTurn = 0
  #bodyBegun = false
  #answerBegun = false
  #over = false

  constructor(x: Exchange, service: Service, parts: ForwardParts) {
    super(service, x.isWebSocket)
    const { affinity, keyOf } = service
    const { firstByteMs, betweenBytesMs } = x.route!.timeouts
    this.#x = x
    this.#parts = parts
    this.#handshake = x.isWebSocket ? makeHandshake(x) : null
    this.method = x.method
    if (keyOf !== null) this.key = keyOf(x)
    const target = x.sentTarget ?? x.path + x.query
    this.path = affinity === null ? target : affinity.read(x, this, target)
    const inspected = parts.answers === null ? null : parts.answers(x)
    this.#answer = affinity === null ? inspected : affinity.filter(x, this, inspected)
    this.#out = parts.outlets === null ? x : parts.outlets(x)
    this.firstByteMs = firstByteMs
    this.betweenBytesMs = betweenBytesMs
    const hasBody = x.head.bodyLength !== 0 && !x.isWebSocket
    this.body = hasBody ? x.bodyBytes : null
    this.streamLength = hasBody && x.bodyBytes === null ? x.head.bodyLength : 0
    x.upstream = this
  }

  get headers(): HeaderList {
    const headers = this.#answer === null ? requestHeaders(this.#x) : wholeAndPlain(requestHeaders(this.#x))
    if (this.#handshake !== null) headers.push(...handshakeHeaders(this.#handshake))
    return headers
  }

  get headText(): string {
    if (this.#answer === null && this.#handshake === null) return requestText(this.#x, this.path)
    return `${this.method} ${this.path} HTTP/1.1\r\n${fieldLines(this.headers)}`
  }

  // --- the service's side ---

  onPlaced(endpoint: Endpoint): void {
    this.#dispatcher = this.isWebSocket ? endpoint.tunnels : endpoint.requests
    this.#control = null
    const { perTry } = this.service.config.retries
    const { firstByteMs } = this.#x.route!.timeouts
    // A last try has all the time there is, and a long poll, which only one endpoint can answer.
    const isBrief = perTry > 0 && perTry < firstByteMs && !this.isBound && this.#mayRepeat()
    this.firstByteMs = isBrief ? perTry : firstByteMs
    this.#x.endpoint = endpoint.name
    this.#dispatcher.dispatch(this)
  }

  onNotPlaced(code: FailureCode): void {
    this.#fail(new Failure(code))
  }

  // --- the engine's side ---

  onStart(control: UpstreamControl): void {
    this.#control = control
    // The client may have left while the call waited.
    if (this.#over) control.abort()
  }

  onBodyWanted(writer: BodyWriter): void {
    this.#writer = writer
    this.#bodyBegun = true
    this.#x.readBody(this)
  }

  onBodyPause(): void {
    this.#x.client.pauseBody()
  }

  onBodyResume(): void {
    if (!this.#over) this.#x.client.resumeBody()
  }

  onInformational(status: number, headers: HeaderList): void {
    if (!this.#over && status === 103) this.#x.sendInformational(status, this.#tidied(withoutHopByHop(headers)))
  }

  onHead(status: number, headers: HeaderList, kept: KeptAnswer | null): void {
    if (this.#over) return
    const x = this.#x
    if (kept?.isPlain && this.#handshake === null && this.#answer === null && this.service.affinity === null) {
      this.#answerBegun = true
      this.service.onSuccess(this.endpoint!)
      x.upstreamMs = performance.now() - x.startedAt
      this.#out.respondHead(status, headers, kept)
      return
    }
    // Over HTTP/2 a 2xx would say that the WebSocket is open, which it is not.
    if (this.#handshake !== null && status < 300) return this.#refuseHead('upstream-upgrade-refused')
    if (repeatsSingleton(headers)) return this.#refuseHead('upstream-repeated-field')
    const { retries, ejection } = this.service.config
    if (retries.statuses.includes(status) && this.#mayRepeat() && this.#isAffordable()) {
      this.#control?.abort()
      this.#lose(new Failure('upstream-closed', `status ${status}`))
      return
    }
    this.#answerBegun = true
    const isFailure = ejection.statuses.includes(status)
    if (isFailure) this.service.onFailure(this.endpoint!, `it answered ${status}`)
    else this.service.onSuccess(this.endpoint!)
    x.upstreamMs = performance.now() - x.startedAt
    const type = getHeader(headers, 'content-type')
    const isStream = type?.startsWith('text/event-stream') === true
    if (isStream) x.deadline = x.signInEndsAt
    const shown = this.#answer === null ? headers : this.#answer.onHead(status, headers)
    if (shown === null) {
      this.#heldStatus = status
      return
    }
    const relayed = this.#settled(relayable(status, shown))
    const isJudged = isFailure || retries.statuses.includes(status)
    const isSame = !isStream && !isJudged && relayed === headers && status !== 304
    if (kept !== null) kept.isPlain = isSame && this.#parts.care?.isNeutral(headers) === true
    this.#out.respondHead(status, relayed)
  }

  #refuseHead(code: FailureCode): void {
    this.#control?.abort()
    this.#fail(new Failure(code))
  }

  onData(chunk: Buffer): void {
    if (this.#over) return
    const shown = this.#answer === null ? chunk : this.#answer.onData(Buffer.from(chunk))
    if (shown === null) return this.#refuseAnswer()
    if (shown.length > 0 && !this.#out.sendData(shown)) return this.#control?.pause()
    this.#sinceTurn += chunk.length
    if (this.#sinceTurn < TURN_BYTES) return
    this.#sinceTurn = 0
    this.#control?.pause()
    takeTurn(this)
  }

  #refuseAnswer(): void {
    const control = this.#control
    this.#fail(new Failure(this.#answer!.failure))
    control?.abort()
  }

  onEnd(trailers: HeaderList | null): void {
    if (this.#over) return
    if (this.#answer !== null) return this.#endAnswer(this.#answer)
    this.#over = true
    this.letGo()
    this.#x.upstream = null
    this.#out.sendEnd(trailers === null ? null : this.#tidied(withoutHopByHop(trailers)))
  }

  /** Trailers of an inspected answer may vouch for what the service wrote: they stay behind. */
  #endAnswer(answer: AnswerFilter): void {
    const rest = answer.onEnd()
    if (rest === null) return this.#refuseAnswer()
    const x = this.#x
    this.#over = true
    this.letGo()
    x.upstream = null
    if (this.#heldStatus !== 0) {
      this.#out.respondHead(this.#heldStatus, [
        ...this.#settled(relayable(this.#heldStatus, answer.held)),
        'content-length',
        String(rest.length),
      ])
    }
    if (rest.length > 0) this.#out.sendData(rest)
    this.#out.sendEnd(null)
  }

  onUpgrade(headers: HeaderList, socket: Duplex): void {
    const x = this.#x
    const handshake = this.#handshake
    const bounds = this.#parts.bounds
    if (this.#over || handshake === null || bounds === null || !acceptsHandshake(handshake, headers)) {
      socket.on('error', ignoreError)
      socket.destroy()
      this.#fail(new Failure('upstream-upgrade-refused'))
      return
    }
    this.#over = true
    x.upstream = null
    x.upstreamMs = performance.now() - x.startedAt
    this.service.onSuccess(this.endpoint!)
    // The place is held as long as the socket is there.
    socket.once('close', this.#onSocketClose)
    openTunnel(x, socket, this.#settled(withoutHopByHop(headers)), bounds, this.#parts.metrics)
  }

  onFailure(error: Error): void {
    if (this.#over) return
    const failure = upstreamFailure(error, this.#control !== null)
    const x = this.#x
    if (!this.#answerBegun && this.#mayRetry(failure) && this.#isAffordable()) return this.#lose(failure)
    this.service.onLost(this.endpoint!, failure)
    if (x.upstreamMs < 0) x.upstreamMs = performance.now() - x.startedAt
    this.#fail(failure)
  }

  // --- the exchange's side ---

  onBodyData(chunk: Buffer): void {
    if (!this.#over) this.#writer?.write(chunk)
  }

  onBodyEnd(): void {
    if (!this.#over) this.#writer?.end()
  }

  onClientDrain(): void {
    takeTurn(this)
  }

  onTurn(): void {
    if (!this.#over) this.#control?.resume()
  }

  onExchangeAbort(why: Failure): void {
    if (this.#over) return
    this.#over = true
    const isLate = why.code === 'exchange-timeout' && this.#control !== null && !this.#answerBegun && this.#x.bodyEnded
    if (isLate) this.service.onFailure(this.endpoint!, why.code)
    if (this.#control === null) this.#dispatcher?.cancel(this)
    else this.#control.abort()
    this.letGo()
  }

  readonly #onSocketClose = (): void => this.letGo()

  #settled(headers: HeaderList): HeaderList {
    const tidied = this.#tidied(headers)
    return this.service.affinity?.settle(this.#x, this.endpoint!, tidied) ?? tidied
  }

  #tidied(headers: HeaderList): HeaderList {
    return this.#parts.care?.tidy(this.#x, headers) ?? headers
  }

  /** This try is lost, and another one follows. */
  #lose(failure: Failure): void {
    // The one that ends the exchange is counted with it.
    this.#parts.metrics.count('upstream_failures_total', failure.code)
    this.#parts.metrics.count('upstream_retries_total', 'made', this.service.name)
    this.service.onLost(this.endpoint!, failure)
    this.letGo()
    this.service.seek(this)
  }

  #mayRetry(failure: Failure): boolean {
    // A streamed body is used up with the first byte that was asked for.
    if (this.#bodyBegun || this.tries >= this.service.config.retries.tries) return false
    if (failure.retry) return true
    if (failure.code === 'upstream-timeout') return this.firstByteMs < this.#x.route!.timeouts.firstByteMs
    return failure.code === 'upstream-closed' && this.#mayRepeat()
  }

  /** It may be sent again, and another try is left. */
  #mayRepeat(): boolean {
    return this.tries < this.service.config.retries.tries && isRepeatable(this)
  }

  #isAffordable(): boolean {
    if (this.service.retryBudget.take(performance.now())) return true
    this.#parts.metrics.count('upstream_retries_total', 'over-budget', this.service.name)
    return false
  }

  #fail(failure: Failure): void {
    if (this.#over) return
    this.#over = true
    this.letGo()
    // The exchange tells the one that sends the answer, which may stand behind this one.
    this.#x.fail(failure)
  }
}

function ignoreError(): void {}
