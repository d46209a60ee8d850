/**
 * An answer that is compressed on its way to the client, where that is safe and the client takes it: small ones whole, others
 * as they come, no faster than they are read. It knows no service and no socket.
 */
import { Failure, type FailureCode } from '../errors.ts'
import type { AnswerOutlet, AnswerOutletFactory } from '../exchange/answer-outlet.ts'
import type { Metrics, UpstreamHalf } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { KeptAnswer } from '../exchange/kept-answer.ts'
import { PendingBytes } from '../exchange/pending-bytes.ts'
import { type ContentCoding, chooseCoding } from '../http/accept-encoding.ts'
import { hasOnlyWeak, weakTag } from '../http/entity-tags.ts'
import { DIGESTS, getHeader, type HeaderList, joinHeader, withoutFields } from '../http/headers.ts'
import { type Compressible, codedFields, isCompressible } from './compressible.ts'
import { Compressor, compressWhole, type Levels, openCompressors } from './compressors.ts'
import { plainlyAsked } from './plainly-asked.ts'
import { type CompressionMode, mayCompress } from './secrecy.ts'
import { varyByCoding } from './vary.ts'

export interface CodingRules extends Compressible {
  /** The first is taken of those that a client likes equally. */
  readonly order: readonly ContentCoding[]
  readonly levels: Levels
  /** Compressors that may be open in this process. */
  readonly maxOpen: number
}

/** Bytes of an answer that is compressed in one go, here and now: half a millisecond at the default levels, two at the highest. */
const WHOLE_BYTES = 64 * 1024
/** What waits for a compressor before its service has to. */
const WAITING_BYTES = 64 * 1024

/** Compresses what services answer on a route. WebSockets pass. */
export function answerCoder(rules: CodingRules, mode: CompressionMode, metrics: Metrics): AnswerOutletFactory {
  return (x) => {
    if (x.isWebSocket) return x
    const isOld = x.head.protocol === 'http/1.0'
    const coding = isOld ? null : chooseCoding(joinHeader(x.headers, 'accept-encoding'), rules.order)
    const coded = new CodedAnswer(x, rules, mode, coding, metrics)
    x.headers = plainlyAsked(x.headers)
    return coded
  }
}

class CodedAnswer implements AnswerOutlet, UpstreamHalf {
  readonly #x: Exchange
  readonly #rules: CodingRules
  readonly #mode: CompressionMode
  readonly #coding: ContentCoding | null
  readonly #metrics: Metrics

  // of one that is compressed
  #status = 0
  #fields: HeaderList | null = null
  /** Bytes that the service promised; -1 where it did not. */
  #declared = -1
  #bytesIn = 0
  #bytesOut = 0
  readonly #waiting = new PendingBytes()
  #compressor: Compressor | null = null
  /** Who sends the answer, while it does. */
  #sender: UpstreamHalf | null = null
  #senderWaits = false
  #isArmed = false
  #isWorking = false
  #isWhole = false
  #trailers: HeaderList | null = null

  constructor(x: Exchange, rules: CodingRules, mode: CompressionMode, coding: ContentCoding | null, metrics: Metrics) {
    this.#x = x
    this.#rules = rules
    this.#mode = mode
    this.#coding = coding
    this.#metrics = metrics
  }

  respondHead(status: number, headers: HeaderList, kept: KeptAnswer | null = null): void {
    const x = this.#x
    if (status === 304) return x.respondHead(status, this.#unchanged(headers))
    if (!isCompressible(status, headers, this.#rules)) return x.respondHead(status, headers, kept)
    if (!mayCompress(x, headers, this.#mode)) {
      this.#metrics.count('answers_not_compressed_total', 'credentials')
      return x.respondHead(status, headers, kept)
    }
    const coding = this.#coding
    const length = getHeader(headers, 'content-length')
    if (coding !== null && x.method !== 'HEAD' && length !== null && Number(length) <= WHOLE_BYTES) {
      this.#status = status
      this.#fields = headers
      this.#declared = Number(length)
      return
    }
    varyByCoding(x, headers)
    if (coding === null) return x.respondHead(status, headers)
    if (x.method !== 'HEAD' && !this.#open(coding, length === null ? -1 : Number(length))) {
      return x.respondHead(status, headers)
    }
    x.respondHead(status, codedFields(headers, coding))
  }

  /** Who has the compressed form asks by its weak tag, and is told that one again (RFC 9110, 15.4.5). */
  #unchanged(headers: HeaderList): HeaderList {
    const tag = getHeader(headers, 'etag')
    const asked = joinHeader(this.#x.headers, 'if-none-match')
    if (tag === null || asked === null || !hasOnlyWeak(asked, tag)) return headers
    varyByCoding(this.#x, headers)
    return headers.map((value, i) => (headers[i - 1] === 'etag' && i % 2 === 1 ? weakTag(value)! : value))
  }

  sendData(chunk: Buffer): boolean {
    if (this.#compressor === null && this.#fields === null) return this.#x.sendData(chunk)
    this.#bytesIn += chunk.length
    if (this.#declared !== -1 && this.#bytesIn > this.#declared) {
      this.#fail('upstream-bad-answer', 'more than it promised')
      return true
    }
    this.#waiting.add(Buffer.from(chunk))
    if (this.#compressor === null) return true
    this.#arm()
    if (this.#waiting.length < WAITING_BYTES) return true
    this.#senderWaits = true
    return false
  }

  sendEnd(trailers: HeaderList | null): void {
    if (this.#compressor === null && this.#fields === null) return this.#x.sendEnd(trailers)
    this.#sender = null
    if (this.#compressor !== null) this.#x.upstream = this
    if (this.#declared !== -1 && this.#bytesIn < this.#declared) {
      return this.#fail('upstream-bad-answer', 'less than it promised')
    }
    this.#trailers = trailers === null ? null : withoutFields(trailers, (name) => DIGEST_NAMES.has(name))
    this.#isWhole = true
    if (this.#compressor === null) this.#sendWhole(this.#fields!)
    else this.#arm()
  }

  #fail(code: FailureCode, detail: string): void {
    this.#x.fail(new Failure(code, detail))
  }

  // --- small ones ---

  #sendWhole(headers: HeaderList): void {
    const x = this.#x
    const coding = this.#coding!
    const body = this.#waiting.take() ?? EMPTY
    const coded = compressWhole(body, coding, this.#rules.levels[coding])
    varyByCoding(x, headers)
    const sent = coded ?? body
    if (coded === null) this.#metrics.count('answers_not_compressed_total', 'incompressible')
    else this.#count(coding, body.length, sent.length)
    const fields = coded === null ? withoutFields(headers, isLength) : codedFields(headers, coding)
    x.respondHead(this.#status, [...fields, 'content-length', String(sent.length)])
    if (sent.length > 0) x.sendData(sent)
    x.sendEnd(this.#trailers)
  }

  // --- the others ---

  /** False where there is no room for another one. */
  #open(coding: ContentCoding, declared: number): boolean {
    const x = this.#x
    if (openCompressors() >= this.#rules.maxOpen) {
      this.#metrics.count('answers_not_compressed_total', 'busy')
      return false
    }
    const compressor = new Compressor(coding, this.#rules.levels[coding], declared)
    this.#declared = declared
    this.#compressor = compressor
    this.#sender = x.upstream
    x.upstream = this
    compressor.stream.on('data', this.#onCoded)
    compressor.stream.on('end', this.#onCodedEnd)
    compressor.stream.on('error', this.#onError)
    return true
  }

  /** What comes in one go is compressed in one go. */
  #arm(): void {
    if (this.#isArmed || this.#isWorking) return
    this.#isArmed = true
    process.nextTick(this.#work)
  }

  readonly #work = (): void => {
    this.#isArmed = false
    const compressor = this.#compressor
    if (compressor === null) return
    const bytes = this.#waiting.take()
    this.#isWorking = true
    if (this.#isWhole) compressor.stream.end(bytes ?? undefined)
    else if (bytes !== null) compressor.stream.write(bytes, this.#onWorked)
    else this.#isWorking = false
  }

  readonly #onWorked = (error?: Error | null): void => {
    this.#isWorking = false
    if (error || this.#compressor === null) return
    if (this.#isWhole || this.#waiting.length > 0) this.#work()
    if (!this.#senderWaits) return
    this.#senderWaits = false
    this.#sender?.onClientDrain()
  }

  readonly #onCoded = (piece: Buffer): void => {
    this.#bytesOut += piece.length
    if (!this.#x.sendData(piece)) this.#compressor?.stream.pause()
  }

  readonly #onCodedEnd = (): void => {
    if (this.#compressor === null) return
    this.#close()
    this.#x.upstream = null
    this.#x.sendEnd(this.#trailers)
  }

  readonly #onError = (error: Error): void => {
    if (this.#compressor === null) return
    this.#metrics.count('answers_not_compressed_total', 'failed')
    this.#x.fail(new Failure('internal', 'a compressor failed', error))
  }

  onClientDrain(): void {
    this.#compressor?.stream.resume()
  }

  onExchangeAbort(why: Failure): void {
    this.#close()
    this.#sender?.onExchangeAbort(why)
  }

  #close(): void {
    if (this.#compressor === null) return
    this.#compressor.close()
    this.#compressor = null
    this.#waiting.clear()
    this.#count(this.#coding!, this.#bytesIn, this.#bytesOut)
  }

  #count(coding: ContentCoding, bytesIn: number, bytesOut: number): void {
    this.#metrics.count('answers_compressed_total', coding)
    this.#metrics.count('compression_bytes_total', 'in', '', bytesIn)
    this.#metrics.count('compression_bytes_total', 'out', '', bytesOut)
  }
}

const EMPTY = Buffer.alloc(0)
const DIGEST_NAMES: ReadonlySet<string> = new Set(DIGESTS)

function isLength(name: string): boolean {
  return name === 'content-length'
}
