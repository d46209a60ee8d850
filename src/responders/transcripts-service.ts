/**
 * What a service of transcripts answers, on its way to a reader: cards masked in text of every kind, and a conversation or a
 * list in the shape of docs/transcripts.md as a page, where a person asks. What cannot be read is not passed.
 */
import type { FailureCode } from '../errors.ts'
import type { AnswerFilter, AnswerFilterFactory } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { countHeader, getHeader, type HeaderList, TRUE_OF_BYTES, withoutFields } from '../http/headers.ts'
import { accountFooter } from './account-html.ts'
import { prefersPage } from './page.ts'
import { readFilter } from './transcripts-filter.ts'
import { CARD_SURROUNDINGS, maskTranscript } from './transcripts-mask.ts'
import { conversationPage, listPage } from './transcripts-page.ts'
import type { TranscriptKind } from './transcripts-path.ts'
import { listOf } from './transcripts-service-list.ts'

/** Bytes of a JSON answer up to which it is shown as a page. */
const MOST_PAGE_BYTES = 1_048_576
/** Bytes that wait for each other, so that many small pieces are looked at together. */
const LEAST_LOOK = 16_384
const EMPTY = Buffer.alloc(0)
/** What has no type is read as text too: then it is known what is in it. */
const TEXT = /^(?:$|text\/|application\/(?:[a-z0-9.-]+\+)?(?:json|xml)$|application\/(?:x-)?ndjson$)/
/** Parts of the service's own pages, in which no conversation stands. */
const UNREAD = /^(?:image\/(?!svg)|font\/|text\/(?:css|javascript)$|application\/(?:javascript|manifest\+json)$)/

export const maskedAnswers: AnswerFilterFactory = (x) => new MaskedAnswer(x)

class MaskedAnswer implements AnswerFilter {
  readonly #x: Exchange
  #kind: TranscriptKind = 'txt'
  /** 'page': held until it is whole. */
  #way: 'refuse' | 'pass' | 'mask' | 'page' = 'refuse'
  /** Sent already, as the service wrote it: what stands before a piece decides what in it is a card. */
  #before: Buffer = EMPTY
  #waiting: Buffer = EMPTY
  held: HeaderList = []
  failure: FailureCode = 'answer-unreadable'

  constructor(x: Exchange) {
    this.#x = x
  }

  onHead(status: number, headers: HeaderList): HeaderList | null {
    if (this.#x.method === 'HEAD' || status === 204 || status === 304) return headers
    const type = typeOf(headers)
    const isPlain = countHeader(headers, 'content-encoding') === 0 && status !== 206
    if (UNREAD.test(type)) this.#way = 'pass'
    else if (!isPlain || !TEXT.test(type)) this.#way = getHeader(headers, 'content-length') === '0' ? 'pass' : 'refuse'
    else {
      this.#kind = /json$/.test(type) ? 'json' : 'txt'
      const isShown = status === 200 && this.#kind === 'json' && prefersPage(this.#x.headers) && !asksForData(this.#x)
      this.#way = isShown && lengthOf(headers) <= MOST_PAGE_BYTES ? 'page' : 'mask'
    }
    if (this.#way === 'refuse') return null
    // What the length and the digests say stays true of what is passed, and the length of what is masked.
    const kept = this.#way === 'pass' ? headers : withoutFields(headers, (name) => TRUE_OF_BYTES.has(name))
    this.held = kept
    return this.#way === 'page' ? null : kept
  }

  onData(chunk: Buffer): Buffer | null {
    if (this.#way === 'refuse') return null
    if (this.#way === 'pass') return chunk
    this.#waiting = this.#waiting.length === 0 ? chunk : Buffer.concat([this.#waiting, chunk])
    if (this.#way === 'page') {
      // More than the length that was told.
      return this.#waiting.length > MOST_PAGE_BYTES ? null : EMPTY
    }
    return this.#waiting.length < LEAST_LOOK ? EMPTY : this.#look(this.#waiting.length - CARD_SURROUNDINGS)
  }

  onEnd(): Buffer | null {
    if (this.#way !== 'page') return this.#look(this.#waiting.length)
    const json = this.#look(this.#waiting.length)
    const page = pageOf(this.#x, json)
    this.held = withoutFields(
      this.held,
      (name) => name === 'content-length' || (page !== null && name === 'content-type'),
    )
    if (page === null) return json
    this.held.push('content-type', 'text/html; charset=utf-8', 'vary', 'accept')
    return page
  }

  /** So many of the bytes that wait, masked by what stands around them. */
  #look(length: number): Buffer {
    if (length === 0) return EMPTY
    const all = Buffer.concat([this.#before, this.#waiting])
    const from = this.#before.length
    const shown = maskTranscript(all, this.#kind).subarray(from, from + length)
    this.#waiting = this.#waiting.subarray(length)
    this.#before = all.subarray(Math.max(0, from + length - CARD_SURROUNDINGS), from + length)
    return shown
  }
}

function typeOf(headers: HeaderList): string {
  const count = countHeader(headers, 'content-type')
  if (count !== 1) return count === 0 ? '' : 'repeated'
  return getHeader(headers, 'content-type')!.split(';', 1)[0]!.trim().toLowerCase()
}

function lengthOf(headers: HeaderList): number {
  const text = getHeader(headers, 'content-length')
  return text !== null && /^\d{1,15}$/.test(text) ? Number(text) : Number.POSITIVE_INFINITY
}

function asksForData(x: Exchange): boolean {
  const asked = new URLSearchParams(x.query)
  return asked.has('raw') || asked.has('download')
}

/** Null where the document has another shape. */
function pageOf(x: Exchange, json: Buffer): Buffer | null {
  let value: unknown
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(json))
  } catch {
    return null
  }
  const list = listOf(value, readFilter(x.query))
  const footer = accountFooter(x.principal)
  return list === null ? conversationPage(x.path, x.path, value, footer) : listPage(list, footer)
}
