/**
 * What those who come by a route are shown of what its service sends: cleaned by the rules for answers, then with fields
 * hidden by their roles. It knows texts, documents and packets, no transport.
 */
import type { Hider, HiderFor } from './hide.ts'
import { cleanLines } from './ndjson.ts'
import type { CleanedPayload } from './polling.ts'
import { type Cleaned, cleanDocument, cleanMessage, cleanPlain, type MessageRules, UNREADABLE } from './rules.ts'
import type { LinkSealer } from './seal-links.ts'
import { cleanPacketJson } from './socketio-packets.ts'
import { parseStrict } from './strict-json.ts'

/** How everything that a service can send is cleaned. */
export interface AnswerCleaner {
  readonly document: (json: string) => Cleaned
  /** Documents on a line each, none longer than so many bytes. */
  readonly lines: (body: string, maxBytes: number) => CleanedPayload
  /** Plain text. */
  readonly text: (text: string) => Cleaned
  /** A message of which nobody says whether it is JSON: WebSocket, and the data of an event stream. */
  readonly message: (text: string) => Cleaned
  /** The JSON of a socket.io packet. */
  readonly packet: (json: string, isEvent: boolean) => Cleaned
  /** The handshake of Engine.IO. */
  readonly opening: (json: string) => Cleaned
  /** True for the id or the type of an event that may pass: nothing else can be put in its place. */
  readonly isPlainWord: (word: string) => boolean
  /** Bytes that nobody can inspect may pass. */
  readonly passesBinary: boolean
  /** A WebSocket message, or a poll, that breaks a rule ends it. */
  readonly closesOnViolation: boolean
  /** What becomes of the value of Location; null: it stays. */
  readonly location: ((value: string) => string) | null
}

/** The cleaner for an exchange of someone with these roles; null where all passes as it is. */
export type CleanerFor = (roles: readonly string[]) => AnswerCleaner | null

/** The rules come first, then what is hidden. Either may be null. */
export function answerCleaners(rules: MessageRules | null, hiders: HiderFor | null): CleanerFor {
  const ruled = rules === null ? null : ruledAnswers(rules)
  if (hiders === null) return () => ruled
  const made = new Map<Hider | null, AnswerCleaner | null>()
  return (roles) => {
    const hider = hiders(roles)
    let cleaner = made.get(hider)
    if (cleaner === undefined) {
      cleaner = hider === null ? ruled : hidingAnswers(hider, ruled)
      made.set(hider, cleaner)
    }
    return cleaner
  }
}

/** What `before` leaves (null: all), with identifiers in links sealed. */
export function sealingCleaners(links: LinkSealer, before: CleanerFor | null): CleanerFor {
  const made = new Map<AnswerCleaner | null, AnswerCleaner>()
  return (roles) => {
    const first = before === null ? null : before(roles)
    let cleaner = made.get(first)
    if (cleaner === undefined) {
      cleaner = { ...hidingAnswers(links, first), location: links.location }
      made.set(first, cleaner)
    }
    return cleaner
  }
}

/** What a service says of itself is not bound to the names that clients may not use. */
const NONE_RESERVED: ReadonlySet<string> = new Set()

function ruledAnswers(rules: MessageRules): AnswerCleaner {
  const document = (json: string): Cleaned => cleanDocument(rules, json)
  return {
    document,
    lines: (body, maxBytes) => cleanLines(document, maxBytes, body),
    text: (text) => cleanPlain(rules, text),
    message: (text) => cleanMessage(rules, text),
    packet: (json, isEvent) => cleanPacketJson(rules, json, isEvent, NONE_RESERVED),
    opening: (json) => (parseStrict(json) === undefined ? UNREADABLE : { outcome: 'same', text: json }),
    isPlainWord: (word) => rules.visit(word) === word,
    passesBinary: rules.passesBinary,
    closesOnViolation: rules.closesOnViolation,
    location: null,
  }
}

function hidingAnswers(hider: Hider, rules: AnswerCleaner | null): AnswerCleaner {
  const hide = (json: string): Cleaned => hider.document(json)
  const document = rules === null ? hide : (json: string) => both(rules.document(json), hide)
  return {
    document,
    lines: (body, maxBytes) => cleanLines(document, maxBytes, body),
    // In words nobody can find a field.
    text: () => UNREADABLE,
    message: rules === null ? hide : (text) => both(rules.message(text), hide),
    packet: (json, isEvent) =>
      rules === null
        ? hider.packet(json, isEvent)
        : both(rules.packet(json, isEvent), (text) => hider.packet(text, isEvent)),
    opening: hide,
    isPlainWord: rules === null ? () => true : rules.isPlainWord,
    passesBinary: false,
    closesOnViolation: rules?.closesOnViolation ?? false,
    location: rules?.location ?? null,
  }
}

function both(first: Cleaned, then: (text: string) => Cleaned): Cleaned {
  if (first.outcome === 'refused') return first
  const second = then(first.text)
  return second.outcome === 'same' ? first : second
}
