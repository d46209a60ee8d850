/**
 * What a service answers, inspected on its way to the client: JSON, lines, text and polls whole and under a cap, event
 * streams event by event. What cannot be inspected is not passed. It knows no upstream and no socket.
 */
import { isUtf8 } from 'node:buffer'
import type { FailureCode } from '../errors.ts'
import type { AnswerFilter, AnswerFilterFactory, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { countHeader, getHeader, type HeaderList, TRUE_OF_BYTES, withoutFields } from '../http/headers.ts'
import { BYTES } from './binary-payload.ts'
import { bodyCoding } from './content-coding.ts'
import { type EngineRequest, readEngineQuery } from './engineio-query.ts'
import { EventStream } from './event-stream.ts'
import { bodyKind, isOctets } from './media-type.ts'
import type { CleanedPayload } from './polling.ts'
import { UNREADABLE } from './rules.ts'
import type { AnswerCleaner, CleanerFor } from './shown.ts'
import { type OnLeftOut, showBinary3, showPayload, showPayload3, showScript3 } from './shown-packets.ts'

/** What was said of the body that the service wrote. */
const UNTRUE: ReadonlySet<string> = new Set(['content-length', ...TRUE_OF_BYTES])

/** Makes filters; `maxBytes` bounds a document, and one event of a stream. Outcomes are counted as those of messages. */
export function answerFilters(
  cleanerFor: CleanerFor,
  maxBytes: number,
  speaksSocketIo: boolean,
  metrics: Metrics,
): AnswerFilterFactory {
  return (x) => {
    const cleaner = cleanerFor(x.roles)
    return cleaner === null ? null : new Answer(cleaner, maxBytes, speaksSocketIo, metrics, x)
  }
}

const EMPTY = Buffer.alloc(0)

class Answer implements AnswerFilter {
  readonly #cleaner: AnswerCleaner
  readonly #maxBytes: number
  readonly #speaksSocketIo: boolean
  readonly #metrics: Metrics
  readonly #x: Exchange
  #events: EventStream | null = null
  /** Of a body that is read whole; null where it cannot be. */
  #clean: ((text: string) => CleanedPayload) | null = null
  #encoding: 'utf8' | typeof BYTES = 'utf8'
  /** The words of a redirect name its target once more. */
  #isLeftOut = false
  #chunks: Buffer[] = []
  #bytes = 0
  held: HeaderList = []
  failure: FailureCode = 'answer-unreadable'

  constructor(cleaner: AnswerCleaner, maxBytes: number, speaksSocketIo: boolean, metrics: Metrics, x: Exchange) {
    this.#cleaner = cleaner
    this.#maxBytes = maxBytes
    this.#speaksSocketIo = speaksSocketIo
    this.#metrics = metrics
    this.#x = x
  }

  onHead(status: number, headers: HeaderList): HeaderList | null {
    const kept = this.#withLocation(withoutFields(headers, (name) => UNTRUE.has(name)))
    this.held = kept
    if (this.#x.method === 'HEAD' || status === 204 || status === 304) return kept
    // A part of a document is none.
    if (status === 206 || bodyCoding(headers) !== 'identity') return null
    if (isEventStream(headers)) {
      const { message, isPlainWord } = this.#cleaner
      this.#events = new EventStream(this.#maxBytes, (data) => this.#counted(message, data), isPlainWord)
      return kept
    }
    this.#clean = this.#cleanOf(headers)
    this.#isLeftOut = this.#cleaner.location !== null && status >= 300 && status < 400 && bodyKind(headers) !== 'json'
    return null
  }

  #withLocation(headers: HeaderList): HeaderList {
    const { location } = this.#cleaner
    if (location === null) return headers
    return headers.map((value, i) => (i % 2 === 1 && headers[i - 1] === 'location' ? location(value) : value))
  }

  #cleanOf(headers: HeaderList): ((text: string) => CleanedPayload) | null {
    const { document, lines, text } = this.#cleaner
    const kind = bodyKind(headers)
    if (kind === 'json') return document
    if (this.#speaksSocketIo) return this.#pollOf(kind === 'text', headers)
    if (kind === 'lines') return (body) => lines(body, this.#maxBytes)
    return kind === 'text' ? text : null
  }

  /** The answer to a poll, by its query. */
  #pollOf(isText: boolean, headers: HeaderList): ((text: string) => CleanedPayload) | null {
    // What a service says to a POST.
    if (this.#x.method === 'POST' && (isText || isTyped(headers, OK_TYPE))) return onlyOk
    const asked = readEngineQuery(this.#x.query)
    if (asked !== null && asked.version === 3 && !asked.isJsonp && isOctets(headers)) {
      this.#encoding = BYTES
      return (bytes) => showBinary3(this.#cleaner, bytes, this.#onLeftOut)
    }
    const show = asked === null ? null : showFor(asked)
    if (show === null || !(isText || (asked!.isJsonp && isTyped(headers, SCRIPT_TYPE)))) return null
    return (text) => show(this.#cleaner, text, this.#onLeftOut)
  }

  readonly #onLeftOut: OnLeftOut = (reason) => {
    this.#metrics.count('message_outcomes_total', 'refused')
    this.#metrics.count('socket_refusals_total', 'service', reason)
  }

  onData(chunk: Buffer): Buffer | null {
    if (this.#isLeftOut) return EMPTY
    if (this.#events !== null) return this.#events.push(chunk)
    this.#bytes += chunk.length
    if (this.#clean === null || this.#bytes > this.#maxBytes) {
      if (this.#clean !== null) this.failure = 'answer-too-large'
      this.#metrics.count('message_outcomes_total', 'refused')
      return null
    }
    this.#chunks.push(chunk)
    return EMPTY
  }

  onEnd(): Buffer | null {
    // An event that was not ended is none (HTML, 9.2.6).
    if (this.#events !== null || this.#bytes === 0) return EMPTY
    const body = Buffer.concat(this.#chunks)
    this.#chunks = []
    const text = this.#encoding === BYTES || isUtf8(body) ? body.toString(this.#encoding) : null
    const cleaned = text === null ? null : this.#counted(this.#clean!, text)
    if (cleaned === null) return null
    return cleaned === text ? body : Buffer.from(cleaned, this.#encoding)
  }

  #counted(clean: (text: string) => CleanedPayload, text: string): string | null {
    const cleaned = clean(text)
    const isRefused = cleaned === 'too-large' || cleaned.outcome === 'refused'
    this.#metrics.count('message_outcomes_total', isRefused ? 'refused' : cleaned.outcome)
    return isRefused ? null : cleaned.text
  }
}

function onlyOk(text: string): CleanedPayload {
  return text === 'ok' ? { outcome: 'same', text } : UNREADABLE
}

function showFor({ version, isJsonp }: EngineRequest): typeof showPayload {
  if (isJsonp) return showScript3
  return version === 4 ? showPayload : showPayload3
}

/** Engine.IO answers a POST with the word `ok` in this type, and a script tag in plain text or in the other. */
const OK_TYPE = /^text\/html$/
const SCRIPT_TYPE = /^text\/javascript; ?charset=utf-8$/i

function isTyped(headers: HeaderList, type: RegExp): boolean {
  return countHeader(headers, 'content-type') === 1 && type.test(getHeader(headers, 'content-type')!)
}

function isEventStream(headers: HeaderList): boolean {
  if (countHeader(headers, 'content-type') !== 1) return false
  return /^text\/event-stream[\t ]*(?:;[\t ]*charset="?utf-?8"?[\t ]*)?$/i.test(getHeader(headers, 'content-type')!)
}
