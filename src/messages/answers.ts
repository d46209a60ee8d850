/**
 * What a service answers, inspected on its way to the client: JSON whole and under a cap, event streams event by event.
 * What cannot be inspected is not passed. It knows no upstream and no socket.
 */
import { isUtf8 } from 'node:buffer'
import type { FailureCode } from '../errors.ts'
import type { AnswerFilter, AnswerFilterFactory, Metrics } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { countHeader, getHeader, type HeaderList, withoutFields } from '../http/headers.ts'
import { bodyCoding } from './content-coding.ts'
import { readEngineQuery } from './engineio-query.ts'
import { EventStream } from './event-stream.ts'
import { hidePayload, hidePayload3 } from './hidden-packets.ts'
import type { Hider } from './hide.ts'
import { bodyKind } from './media-type.ts'
import { type Cleaned, cleanDocument, cleanMessage, type MessageRules, UNREADABLE } from './rules.ts'

/** How texts of each kind are cleaned. */
export interface AnswerCleaner {
  readonly document: (json: string) => Cleaned
  /** Data of an event, which may be JSON or not. */
  readonly data: (text: string) => Cleaned
  /** An answer to a poll, by the query of the poll; null where Engine.IO is not spoken. */
  readonly poll: ((text: string, query: string) => Cleaned) | null
}

/** The rules for messages, applied to answers. */
export function ruledAnswers(rules: MessageRules): AnswerCleaner {
  return {
    document: (json) => cleanDocument(rules, json),
    data: (text) => cleanMessage(rules, text),
    poll: null,
  }
}

/** What is to be hidden, hidden in answers; behind `before`, where rules come first. */
export function hidingAnswers(hider: Hider, speaksSocketIo: boolean, before: AnswerCleaner | null): AnswerCleaner {
  const hide = (text: string): Cleaned => hider.document(text)
  return {
    document: before === null ? hide : (text) => both(before.document(text), hide),
    data: before === null ? hide : (text) => both(before.data(text), hide),
    poll: speaksSocketIo ? (text, query) => hidePoll(hider, text, query) : null,
  }
}

function both(first: Cleaned, then: (text: string) => Cleaned): Cleaned {
  if (first.outcome === 'refused') return first
  const second = then(first.text)
  return second.outcome === 'same' ? first : second
}

function hidePoll(hider: Hider, text: string, query: string): Cleaned {
  // What a service says to a POST.
  if (text === 'ok') return { outcome: 'same', text }
  const asked = readEngineQuery(query)
  if (asked === null) return UNREADABLE
  const shown = asked.version === 4 ? hidePayload(hider, text) : hidePayload3(hider, text)
  return shown === null ? UNREADABLE : { outcome: shown === text ? 'same' : 'changed', text: shown }
}

/** Fields that are true only of the body as the service wrote it. */
const UNTRUE: ReadonlySet<string> = new Set([
  'content-length',
  'etag',
  'accept-ranges',
  'content-digest',
  'repr-digest',
  'digest',
  'content-md5',
])

/** Makes filters; `maxBytes` bounds a document, and one event of a stream. Outcomes are counted as those of messages. */
export function answerFilters(cleaner: AnswerCleaner, maxBytes: number, metrics: Metrics): AnswerFilterFactory {
  return (x) => new Answer(cleaner, maxBytes, metrics, x)
}

const EMPTY = Buffer.alloc(0)

class Answer implements AnswerFilter {
  readonly #cleaner: AnswerCleaner
  readonly #maxBytes: number
  readonly #metrics: Metrics
  readonly #x: Exchange
  #events: EventStream | null = null
  /** Of a body that is read whole; null where it cannot be. */
  #clean: ((text: string) => Cleaned) | null = null
  #chunks: Buffer[] = []
  #bytes = 0
  held: HeaderList = []
  failure: FailureCode = 'answer-unreadable'

  constructor(cleaner: AnswerCleaner, maxBytes: number, metrics: Metrics, x: Exchange) {
    this.#cleaner = cleaner
    this.#maxBytes = maxBytes
    this.#metrics = metrics
    this.#x = x
  }

  onHead(status: number, headers: HeaderList): HeaderList | null {
    const kept = withoutFields(headers, (name) => UNTRUE.has(name))
    this.held = kept
    if (this.#x.method === 'HEAD' || status === 204 || status === 304) return kept
    // A part of a document is none.
    if (status === 206 || bodyCoding(headers) !== 'identity') return null
    if (isEventStream(headers)) {
      this.#events = new EventStream(this.#maxBytes, (data) => this.#counted(this.#cleaner.data, data))
      return kept
    }
    const { document, poll } = this.#cleaner
    const kind = bodyKind(headers)
    if (kind === 'json') this.#clean = document
    else if (poll !== null && (kind === 'text' || isOk(headers))) this.#clean = (text) => poll(text, this.#x.query)
    return null
  }

  onData(chunk: Buffer): Buffer | null {
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
    const text = isUtf8(body) ? body.toString() : null
    const cleaned = text === null ? null : this.#counted(this.#clean!, text)
    if (cleaned === null) return null
    return cleaned === text ? body : Buffer.from(cleaned)
  }

  #counted(clean: (text: string) => Cleaned, text: string): string | null {
    const cleaned = clean(text)
    this.#metrics.count('message_outcomes_total', cleaned.outcome)
    return cleaned.outcome === 'refused' ? null : cleaned.text
  }
}

function isEventStream(headers: HeaderList): boolean {
  if (countHeader(headers, 'content-type') !== 1) return false
  return /^text\/event-stream[\t ]*(?:;[\t ]*charset="?utf-?8"?[\t ]*)?$/i.test(getHeader(headers, 'content-type')!)
}

/** Engine.IO answers a POST with the word `ok` in this type. */
function isOk(headers: HeaderList): boolean {
  return countHeader(headers, 'content-type') === 1 && getHeader(headers, 'content-type') === 'text/html'
}
