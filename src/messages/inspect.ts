/**
 * The stage that applies the message rules to an exchange: a body is collected under a cap, cleaned and put in place of
 * what came; a WebSocket gets a filter. What cannot be read is refused, never waved through.
 */
import { isUtf8 } from 'node:buffer'
import { DONE, GO, type Metrics, type Stage, type Step, WAIT } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import type { HeaderList } from '../http/headers.ts'
import { cleanForm } from './forms.ts'
import { type BodyKind, bodyKind } from './media-type.ts'
import { type Cleaned, cleanDocument, cleanMessage, cleanPlain, type MessageRules } from './rules.ts'
import { cleanPacket, cleanPayload } from './socketio-packets.ts'
import { webSocketFilter } from './websocket-filter.ts'

/** A polling body holds what queued up since the last one: so many messages of the allowed size. */
const POLLING_MESSAGES = 8
const POLLING_LEAST = 64 * 1024
/** Query parameters; query parsers stop at different counts. */
const MAX_PARAMETERS = 100
/** Fields that would no longer be true of a changed body (RFC 9530, RFC 3230, RFC 1864). */
const DIGESTS: ReadonlySet<string> = new Set(['content-digest', 'repr-digest', 'digest', 'content-md5'])

/** Which treatment an exchange gets: by its query, Engine.IO 4 or not; `unknown` where the query is not clear. */
type Transport = 'plain' | 'polling' | 'websocket' | 'unknown'

/** Builds the stage for one set of rules. Outcomes are counted as `same`, `changed`, `refused`. */
export function makeInspect(rules: MessageRules, metrics: Metrics): Stage {
  const plainSocket = webSocketFilter(rules, cleanMessage, metrics)
  const packetSocket = webSocketFilter(rules, cleanPacket, metrics)
  const pollingBytes = Math.max(rules.maxBytes, Math.min(rules.maxBytes * POLLING_MESSAGES, POLLING_LEAST))

  return function inspect(x: Exchange) {
    if (!x.isWebSocket && x.head.bodyLength === 0) return GO
    const transport = transportOf(x.query)
    if (transport === 'unknown' || (transport === 'websocket') !== (x.isWebSocket && transport !== 'plain')) {
      return refuse(x, metrics, 'message-unreadable', 'Engine.IO transport')
    }
    if (x.isWebSocket) {
      x.tunnelFilter = transport === 'websocket' ? packetSocket : plainSocket
      return GO
    }
    const kind = bodyKind(x.headers)
    const isPolling = transport === 'polling'
    // A body of unknown length may yet be none (HTTP/2 without Content-Length).
    if (x.head.bodyLength > 0 && (kind === 'unreadable' || (isPolling && kind !== 'text'))) {
      return refuse(x, metrics, 'wrong-media-type', 'not inspectable')
    }
    const cap = isPolling ? pollingBytes : rules.maxBytes
    if (x.head.bodyLength > cap) return refuse(x, metrics, 'message-too-large', 'over maxSize')
    const collecting = new Collecting(x, rules, metrics, kind, isPolling)
    return collecting.start(cap)
  }
}

/** A body on its way in. It may be there already: then the stage goes on at once, without `resume`. */
class Collecting {
  readonly #x: Exchange
  readonly #rules: MessageRules
  readonly #metrics: Metrics
  readonly #kind: BodyKind
  readonly #isPolling: boolean
  #step: Step = WAIT
  #isStarting = true

  constructor(x: Exchange, rules: MessageRules, metrics: Metrics, kind: BodyKind, isPolling: boolean) {
    this.#x = x
    this.#rules = rules
    this.#metrics = metrics
    this.#kind = kind
    this.#isPolling = isPolling
  }

  start(cap: number): Step {
    this.#x.collectBody(cap, (body) => this.#onBody(body))
    this.#isStarting = false
    return this.#x.finished ? DONE : this.#step
  }

  #onBody(body: Buffer): void {
    this.#step = inspectBody(this.#x, this.#rules, this.#metrics, this.#kind, this.#isPolling, body)
    if (!this.#isStarting && this.#step === GO) this.#x.resume()
  }
}

function inspectBody(
  x: Exchange,
  rules: MessageRules,
  metrics: Metrics,
  kind: BodyKind,
  isPolling: boolean,
  body: Buffer,
): Step {
  if (body.length === 0) return GO
  if (kind === 'unreadable' || (isPolling && kind !== 'text')) {
    return refuse(x, metrics, 'wrong-media-type', 'not inspectable')
  }
  if (!isUtf8(body)) return refuse(x, metrics, 'message-unreadable', 'not UTF-8')
  const text = body.toString()
  const cleaned = isPolling ? cleanPayload(rules, text) : cleanBody(rules, kind, text)
  if (cleaned === 'too-large') return refuse(x, metrics, 'message-too-large', 'over maxSize')
  if (cleaned.outcome === 'refused') {
    return refuse(x, metrics, cleaned.reason === 'rule' ? 'message-refused' : 'message-unreadable', kind)
  }
  metrics.count('message_outcomes_total', cleaned.outcome)
  if (cleaned.outcome === 'changed') {
    x.bodyBytes = Buffer.from(cleaned.text)
    x.headers = withoutDigests(x.headers)
  }
  return GO
}

function cleanBody(rules: MessageRules, kind: BodyKind, text: string): Cleaned {
  if (kind === 'json') return cleanDocument(rules, text)
  return kind === 'form' ? cleanForm(rules, text) : cleanPlain(rules, text)
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

/** Engine.IO says its version and transport in the query; without `EIO=4` a server may take it for version 3. */
function transportOf(query: string): Transport {
  if (query === '' || query === '?') return 'plain'
  const parameters = new URLSearchParams(query)
  const versions = parameters.getAll('EIO')
  const transports = parameters.getAll('transport')
  if (versions.length === 0 && transports.length === 0) return 'plain'
  if (parameters.size > MAX_PARAMETERS || versions.length !== 1 || transports.length !== 1) return 'unknown'
  if (versions[0] !== '4') return 'unknown'
  return transports[0] === 'polling' || transports[0] === 'websocket' ? transports[0] : 'unknown'
}

function withoutDigests(headers: HeaderList): HeaderList {
  const kept: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) {
    if (!DIGESTS.has(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  }
  return kept
}
