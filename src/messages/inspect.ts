/**
 * The stage that applies the message rules to an exchange: a body is collected under a cap, cleaned and put in place of
 * what came; a WebSocket gets a filter. What cannot be read is refused, never waved through.
 */
import { isUtf8 } from 'node:buffer'
import { DONE, GO, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { DIGESTS, getHeader, type HeaderList, withoutFields } from '../http/headers.ts'
import { hasCardInTarget } from './cards.ts'
import { bodyCoding, type Coding, decodeBody } from './content-coding.ts'
import { readEngineQuery } from './engineio-query.ts'
import { cleanForm } from './forms.ts'
import { type BodyKind, bodyKind, boundaryOf, isOctets } from './media-type.ts'
import { packetLabel } from './message-label.ts'
import { type CleanedBytes, cleanMultipart } from './multipart.ts'
import { cleanLines } from './ndjson.ts'
import { admitPackets, type PollingLimit } from './packet-limits.ts'
import {
  BINARY_3,
  type CleanedPayload,
  cleanBinary3,
  cleanForm3,
  cleanPayload,
  cleanPayload3,
  FORM_3,
  type OnDrop,
  PAYLOAD,
  PAYLOAD_3,
  type Packets,
} from './polling.ts'
import { cleanDocument, cleanMessage, cleanPlain, type MessageRules, UNREADABLE } from './rules.ts'
import { cleanPacket, cleanPacket3 } from './socketio-packets.ts'
import { webSocketFilter } from './websocket-filter.ts'

/** A body of several messages, as queue up between two polls: so many of the allowed size. */
const BATCH_MESSAGES = 8
const BATCH_LEAST = 64 * 1024
/** A form writes one byte as up to three. */
const FORM_GROWTH = 3
/** Fields that would no longer be true of a decoded or changed body. */
const UNTRUE: ReadonlySet<string> = new Set(['content-encoding', ...DIGESTS])

/** One way to read a body. `kind` is the only media type that is accepted. */
interface Reading {
  readonly kind: BodyKind | 'octets'
  readonly maxBytes: number
  readonly clean: (rules: MessageRules, body: Buffer, headers: HeaderList, onDrop: OnDrop) => CleanedBytes
  /** Of a body that holds several messages. */
  readonly packets: Packets | null
}

/** Builds the stage for one set of rules. Outcomes are counted as `same`, `changed`, `refused`. */
export function makeInspect(
  rules: MessageRules,
  metrics: Metrics,
  speaksSocketIo: boolean,
  limit: PollingLimit | null = null,
): Stage {
  return speaksSocketIo ? makePacketInspect(rules, metrics, limit) : makePlainInspect(rules, metrics)
}

/** Bodies are what their media types say, WebSocket messages text or JSON. */
function makePlainInspect(rules: MessageRules, metrics: Metrics): Stage {
  const { maxBytes } = rules
  const socket = webSocketFilter(rules, cleanMessage, metrics)
  // Files need more room than words; the bound of the route counts for them.
  const multipartBytes = rules.passesFiles ? Number.POSITIVE_INFINITY : maxBytes
  const readings: Readonly<Record<Exclude<BodyKind, 'unreadable'>, Reading>> = {
    json: { kind: 'json', maxBytes, clean: ofText(cleanDocument), packets: null },
    lines: { kind: 'lines', maxBytes: batchBytes(rules), clean: ofText(cleanRuledLines), packets: null },
    text: { kind: 'text', maxBytes, clean: ofText(cleanPlain), packets: null },
    form: { kind: 'form', maxBytes, clean: ofText(cleanForm), packets: null },
    multipart: {
      kind: 'multipart',
      maxBytes: multipartBytes,
      clean: (each, body, headers) => cleanMultipart(each, body, boundaryOf(headers)!),
      packets: null,
    },
  }
  const means: Means = { rules, metrics, limit: null }
  return function inspect(x: Exchange) {
    if (rules.refusesCardsInUrl && hasCardInTarget(x.path, x.query)) return refuseUrl(x, metrics)
    if (x.isWebSocket) {
      x.tunnelFilter = socket
      return GO
    }
    if (x.head.bodyLength === 0) return GO
    const { kind } = bodyFields(x)
    return collect(means, x, kind === 'unreadable' ? null : readings[kind])
  }
}

/** Everything is Engine.IO: the query says which, the body and the messages hold packets. */
function makePacketInspect(rules: MessageRules, metrics: Metrics, limit: PollingLimit | null): Stage {
  const maxBytes = batchBytes(rules)
  const socket = webSocketFilter(rules, cleanPacket, metrics, packetLabel)
  const socket3 = webSocketFilter(rules, cleanPacket3, metrics, packetLabel)
  const payload: Reading = { kind: 'text', maxBytes, clean: ofText(cleanPayload), packets: PAYLOAD }
  const payload3: Reading = { kind: 'text', maxBytes, clean: ofText(cleanPayload3), packets: PAYLOAD_3 }
  const form3: Reading = { kind: 'form', maxBytes: maxBytes * FORM_GROWTH, clean: ofText(cleanForm3), packets: FORM_3 }
  const binary3: Reading = {
    kind: 'octets',
    maxBytes,
    clean: ofText(cleanBinary3, BINARY_3.encoding),
    packets: BINARY_3,
  }
  const means: Means = { rules, metrics, limit }
  return function inspectPackets(x: Exchange) {
    if (rules.refusesCardsInUrl && hasCardInTarget(x.path, x.query)) return refuseUrl(x, metrics)
    const asked = readEngineQuery(x.query)
    if (asked === null || (asked.transport === 'websocket') !== x.isWebSocket) {
      return refuse(x, metrics, 'message-unreadable', 'not Engine.IO')
    }
    if (x.isWebSocket) {
      x.tunnelFilter = asked.version === 4 ? socket : socket3
      return GO
    }
    if (x.head.bodyLength === 0) return GO
    if (asked.version === 3 && !asked.isJsonp && isOctets(x.headers)) return collect(means, x, binary3)
    const reading = asked.isJsonp ? form3 : asked.version === 4 ? payload : payload3
    return collect(means, x, bodyFields(x).kind === reading.kind ? reading : null)
  }
}

function batchBytes(rules: MessageRules): number {
  return Math.max(rules.maxBytes, Math.min(rules.maxBytes * BATCH_MESSAGES, BATCH_LEAST))
}

function cleanRuledLines(rules: MessageRules, body: string): CleanedPayload {
  return cleanLines((json) => cleanDocument(rules, json), rules.maxBytes, body)
}

/** Reads the body as text for a cleaner of texts. */
function ofText(
  clean: (rules: MessageRules, text: string, onDrop: OnDrop) => CleanedPayload,
  encoding: Packets['encoding'] = 'utf8',
): Reading['clean'] {
  return (rules, body, _headers, onDrop) => {
    if (encoding === 'utf8' && !isUtf8(body)) return UNREADABLE
    const cleaned = clean(rules, body.toString(encoding), onDrop)
    if (cleaned === 'too-large' || cleaned.outcome === 'refused') return cleaned
    return { outcome: cleaned.outcome, bytes: cleaned.outcome === 'same' ? body : Buffer.from(cleaned.text, encoding) }
  }
}

/** What the fields say of the body, kept with a head that comes again. */
function bodyFields(x: Exchange): { readonly kind: BodyKind; readonly coding: Coding | null } {
  const { headers } = x
  const { memo } = x.head
  let fields = memo.bodyFields
  if (fields === null || fields.headers !== headers) {
    fields = { headers, kind: bodyKind(headers), coding: bodyCoding(headers) }
    memo.bodyFields = fields
  }
  return fields as typeof fields & { kind: BodyKind; coding: Coding | null }
}

/** What a stage works with. */
interface Means {
  readonly rules: MessageRules
  readonly metrics: Metrics
  readonly limit: PollingLimit | null
}

function collect(means: Means, x: Exchange, reading: Reading | null): Step {
  const { rules, metrics } = means
  if (reading === null) {
    // A body of unknown length may yet be none (HTTP/2 without Content-Length).
    if (x.head.bodyLength > 0) return refuse(x, metrics, 'wrong-media-type', 'not inspectable')
    return new Collecting(means, x, null).start(rules.maxBytes)
  }
  if (x.head.bodyLength > reading.maxBytes) return refuse(x, metrics, 'message-too-large', 'over maxSize')
  return new Collecting(means, x, reading).start(reading.maxBytes)
}

/** A body on its way in. It may be there already: then the stage goes on at once, without `resume`. */
class Collecting {
  readonly #means: Means
  readonly #x: Exchange
  readonly #reading: Reading | null
  #step: Step = WAIT
  #isStarting = true

  constructor(means: Means, x: Exchange, reading: Reading | null) {
    this.#means = means
    this.#x = x
    this.#reading = reading
  }

  start(cap: number): Step {
    this.#x.collectBody(cap, (body) => this.#onBody(body))
    this.#isStarting = false
    return this.#x.finished ? DONE : this.#step
  }

  #onBody(body: Buffer): void {
    const x = this.#x
    const { rules, metrics, limit } = this.#means
    const step = inspectBody(x, rules, metrics, this.#reading, body)
    const packets = this.#reading?.packets ?? null
    if (step !== GO || limit === null || packets === null || body.length === 0) return this.#conclude(step)
    const cleaned = x.bodyBytes!.toString(packets.encoding)
    admitPackets(x, rules, cleaned, packets, limit, metrics, (kept) =>
      this.#onAdmitted(cleaned, kept, packets.encoding),
    )
  }

  #onAdmitted(cleaned: string, kept: string | null, encoding: Packets['encoding']): void {
    const x = this.#x
    if (kept === null) {
      x.refuse('rate-limited')
      return this.#conclude(DONE)
    }
    if (kept === cleaned) return this.#conclude(GO)
    this.#conclude(kept === '' ? answerOk(x) : replaceBody(x, Buffer.from(kept, encoding)))
  }

  #conclude(step: Step): void {
    this.#step = step
    if (!this.#isStarting && step === GO) this.#x.resume()
  }
}

function inspectBody(x: Exchange, rules: MessageRules, metrics: Metrics, reading: Reading | null, body: Buffer): Step {
  if (body.length === 0) return GO
  const { coding } = bodyFields(x)
  if (reading === null || coding === null) return refuse(x, metrics, 'wrong-media-type', 'not inspectable')
  const decoded = decodeBody(coding, body, reading.maxBytes)
  if (decoded === 'too-large') return refuse(x, metrics, 'message-too-large', 'over maxSize')
  if (decoded === null) return refuse(x, metrics, 'message-unreadable', 'content coding')
  const cleaned = reading.clean(rules, decoded, x.headers, (packet, reason) => {
    metrics.count('message_outcomes_total', 'refused')
    metrics.count('socket_refusals_total', packetLabel(rules, packet) ?? 'other', reason)
  })
  if (cleaned === 'too-large') return refuse(x, metrics, 'message-too-large', 'over maxSize')
  if (cleaned.outcome === 'refused') {
    return refuse(x, metrics, cleaned.reason === 'rule' ? 'message-refused' : 'message-unreadable', reading.kind)
  }
  metrics.count('message_outcomes_total', cleaned.outcome)
  if (reading.packets !== null && cleaned.bytes.length === 0) return answerOk(x)
  return cleaned.outcome === 'changed' || coding !== 'identity' ? replaceBody(x, cleaned.bytes) : GO
}

/** A polling body of which nothing is left is answered as its service would have answered it. */
function answerOk(x: Exchange): Step {
  x.respond(200, ['content-type', 'text/plain; charset=UTF-8', 'cache-control', 'no-store', ...corsHeaders(x)], OK)
  return DONE
}

function replaceBody(x: Exchange, bytes: Buffer): Step {
  x.bodyBytes = bytes
  x.headers = withoutFields(x.headers, (name) => UNTRUE.has(name))
  return GO
}

const OK = Buffer.from('ok')

/** For a page of another origin, which the route has let in: it could not read its answer otherwise. */
function corsHeaders(x: Exchange): HeaderList {
  const origin = getHeader(x.headers, 'origin')
  if (origin === null) return []
  return ['access-control-allow-origin', origin, 'access-control-allow-credentials', 'true', 'vary', 'origin']
}

/** Services and proxies write URLs into their logs, and what is masked in one would ask for another thing. */
function refuseUrl(x: Exchange, metrics: Metrics): Step {
  return refuse(x, metrics, 'message-refused', 'card number in the URL')
}

function refuse(
  x: Exchange,
  metrics: Metrics,
  code: 'message-unreadable' | 'message-refused' | 'message-too-large' | 'wrong-media-type',
  detail: string,
): Step {
  metrics.count('message_outcomes_total', 'refused')
  x.refuse(code, detail)
  return DONE
}
