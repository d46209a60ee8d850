/**
 * Bodies of Engine.IO's long-polling: the packets of one POST are cleaned one by one, and what breaks a rule is left out, or
 * refuses the whole, as a WebSocket message would be dropped or end its socket. A body is made so
 * that it reads the same whatever the session was opened as, because a server goes by that and not by the request. It
 * knows no exchange.
 */
import { BYTES, joinBinary, splitBinary } from './binary-payload.ts'
import { decodeFormText, encodeFormText } from './forms.ts'
import { attachmentsOf } from './message-label.ts'
import { type Cleaned, type MessageRules, type RefusalReason, UNREADABLE } from './rules.ts'
import { cleanPacket, cleanPacket3, jsonStart } from './socketio-packets.ts'

/** Separates packets in Engine.IO 4. */
const SEPARATOR = '\x1e'
/** Packets of one body; a client that waited long sends dozens. */
const MAX_PACKETS = 256
/** Length of a packet in Engine.IO 3, in UTF-16 units. */
const LENGTH = /([1-9]\d{0,8}):/y
/** What a session opened with `j` would take for its form field: a server reads bodies as the session began. */
const FORM_FIELD = /&(?:d|%64)=/

/** Told of every packet that is left out. */
export type OnDrop = (packet: string, reason: RefusalReason) => void

export type CleanedPayload = Cleaned | 'too-large'
type CleanPacket = (rules: MessageRules, packet: string) => Cleaned

/** Cleans a body of Engine.IO 4. Each packet is bounded by `rules.maxBytes`. */
export function cleanPayload(rules: MessageRules, payload: string, onDrop: OnDrop = ignore): CleanedPayload {
  const packets = payload.split(SEPARATOR, MAX_PACKETS + 1)
  const whole = cleanAll(rules, packets, cleanPacket, onDrop)
  return whole === CHANGED ? { outcome: 'changed', text: PAYLOAD.join(packets) } : (whole ?? same(payload))
}

/** Cleans a body of Engine.IO 3: `length:packet` again and again. */
export function cleanPayload3(rules: MessageRules, payload: string, onDrop: OnDrop = ignore): CleanedPayload {
  const packets = splitPayload3(payload)
  if (packets === null) return UNREADABLE
  const whole = cleanAll(rules, packets, cleanPacket3, onDrop)
  return whole === CHANGED ? { outcome: 'changed', text: joinPayload3(packets) } : (whole ?? same(payload))
}

/** The same with attachments as bytes; a character of `payload` is a byte. */
export function cleanBinary3(rules: MessageRules, payload: string, onDrop: OnDrop = ignore): CleanedPayload {
  const packets = splitBinary(payload, MAX_PACKETS)
  if (packets === null) return UNREADABLE
  const whole = cleanAll(rules, packets, cleanPacket3, onDrop)
  return whole === CHANGED ? { outcome: 'changed', text: joinBinary(packets) } : (whole ?? same(payload))
}

/**
 * Cleans the form that clients of Engine.IO 3 post where they have nothing better: the one field `d`, a body as above in
 * which line feeds are written `\n` and what was `\n` before is written `\\n`.
 */
export function cleanForm3(rules: MessageRules, body: string, onDrop: OnDrop = ignore): CleanedPayload {
  const value = body.startsWith('d=') && !/[&;=]/.test(body.slice(2)) ? decodeFormText(body.slice(2)) : null
  if (value === null) return UNREADABLE
  const payload = readNewlines(value)
  const cleaned = cleanPayload3(rules, payload, onDrop)
  if (cleaned === 'too-large' || cleaned.outcome === 'refused') return cleaned
  if (cleaned.outcome === 'same') return same(body)
  // Where writing is not the reverse of reading, the service would see other words.
  if (readNewlines(writeNewlines(cleaned.text)) !== cleaned.text) return UNREADABLE
  return { outcome: 'changed', text: writeForm3(cleaned.text) }
}

/** '' where no packet is left. */
function writeForm3(payload: string): string {
  return payload === '' ? '' : `d=${encodeFormText(writeNewlines(payload))}`
}

/** Takes a body apart that was cleaned, and puts packets of it together; '' without any. */
export interface Packets {
  /** How a body becomes a string. */
  readonly encoding: 'utf8' | typeof BYTES
  split(body: string): string[]
  join(packets: readonly string[]): string
}

export const PAYLOAD: Packets = {
  encoding: 'utf8',
  split: (body) => body.split(SEPARATOR),
  join: (packets) => packets.join(SEPARATOR),
}

export const PAYLOAD_3: Packets = {
  encoding: 'utf8',
  split: (body) => splitPayload3(body) ?? [],
  join: joinPayload3,
}

export const BINARY_3: Packets = {
  encoding: BYTES,
  split: (body) => splitBinary(body, MAX_PACKETS) ?? [],
  join: joinBinary,
}

export const FORM_3: Packets = {
  encoding: 'utf8',
  split: (body) => splitPayload3(readNewlines(decodeFormText(body.slice(2)) ?? '')) ?? [],
  join: (packets) => writeForm3(joinPayload3(packets)),
}

const CHANGED = 'changed'

function ignore(): void {}

/** Cleans the packets in place. Null: nothing to do; else `CHANGED` or what ends it. */
function cleanAll(
  rules: MessageRules,
  packets: string[],
  clean: CleanPacket,
  onDrop: OnDrop,
): typeof CHANGED | CleanedPayload | null {
  if (packets.length > MAX_PACKETS) return 'too-large'
  let changed = false
  let kept = 0
  let dropsBinary = 0
  for (const packet of packets) {
    if (packet.length > rules.maxBytes || Buffer.byteLength(packet) > rules.maxBytes) return 'too-large'
    const isAttachment = packet.startsWith('b')
    if (!isAttachment) dropsBinary = 0
    const cleaned = harmless(clean(rules, packet))
    if (cleaned.outcome === 'refused' && rules.closesOnViolation) return cleaned
    if (cleaned.outcome === 'refused' || (isAttachment && dropsBinary > 0)) {
      changed = true
      if (cleaned.outcome === 'refused') onDrop(packet, cleaned.reason)
      // What belongs to a dropped event would end the session where it came alone.
      dropsBinary = isAttachment ? dropsBinary - 1 : attachmentsOf(packet)
      continue
    }
    if (cleaned.text !== packet) changed = true
    packets[kept++] = cleaned.text
  }
  packets.length = kept
  return changed ? CHANGED : null
}

/** A packet that holds nothing that reads as a form's field. */
function harmless(cleaned: Cleaned): Cleaned {
  if (!FORM_FIELD.test(cleaned.text)) return cleaned
  const text = withoutFormField(cleaned.text)
  return text === null ? UNREADABLE : { outcome: 'changed', text }
}

/** The same packet, the ampersands of its JSON written as escapes; null where one stands in its head. */
function withoutFormField(packet: string): string | null {
  const start = jsonStart(packet)
  if (start === -1 || packet.slice(0, start).includes('&')) return null
  return packet.slice(0, start) + packet.slice(start).replaceAll('&', '\\u0026')
}

/** The packet of Engine.IO 3 that begins at a place of its payload, and where it ends; null where its length is no length. */
export function packetAt3(payload: string, at: number): { readonly packet: string; readonly end: number } | null {
  LENGTH.lastIndex = at
  const found = LENGTH.exec(payload)
  if (found === null) return null
  const start = at + found[0].length
  const end = start + Number(found[1])
  return end > payload.length ? null : { packet: payload.slice(start, end), end }
}

/** Null where a length is not what it says, or a packet could end elsewhere for another reader. */
function splitPayload3(payload: string): string[] | null {
  if (payload.includes(SEPARATOR)) return null
  const packets: string[] = []
  let at = 0
  while (at < payload.length) {
    const cut = packetAt3(payload, at)
    if (cut === null) return null
    const { packet } = cut
    at = cut.end
    if (!packet.isWellFormed()) return null
    packets.push(packet)
    // The caller tells that these are too many.
    if (packets.length > MAX_PACKETS) break
  }
  return packets
}

function joinPayload3(packets: readonly string[]): string {
  let payload = ''
  for (const packet of packets) payload += `${packet.length}:${packet}`
  return payload
}

/** As Engine.IO's servers read it. */
function readNewlines(text: string): string {
  return text.replace(/(\\)?\\n/g, (match, slash) => (slash === undefined ? '\n' : match)).replaceAll('\\\\n', '\\n')
}

function writeNewlines(text: string): string {
  return text.replaceAll('\\n', '\\\\n').replaceAll('\n', '\\n')
}

function same(text: string): Cleaned {
  return { outcome: 'same', text }
}
