/**
 * Bodies of Engine.IO's long-polling: the packets of one POST are cleaned one by one, all go on or none. A body is made so
 * that it reads the same whatever the session was opened as, because a server goes by that and not by the request. It
 * knows no exchange.
 */
import { type Cleaned, type MessageRules, UNREADABLE } from './rules.ts'
import { cleanPacket, cleanPacket3, jsonStart } from './socketio-packets.ts'

/** Separates packets in Engine.IO 4. */
const SEPARATOR = '\x1e'
/** Packets of one body; a client that waited long sends dozens. */
const MAX_PACKETS = 256
/** Length of a packet in Engine.IO 3, in UTF-16 units. */
const LENGTH = /([1-9]\d{0,8}):/y
/** What a session opened with `j` would take for its form field: a server reads bodies as the session began. */
const FORM_FIELD = /&(?:d|%64)=/

export type CleanedPayload = Cleaned | 'too-large'

/** Cleans a body of Engine.IO 4. Each packet is bounded by `rules.maxBytes`. */
export function cleanPayload(rules: MessageRules, payload: string): CleanedPayload {
  const packets = payload.split(SEPARATOR, MAX_PACKETS + 1)
  if (packets.length > MAX_PACKETS) return 'too-large'
  const outcome = cleanAll(rules, packets, cleanPacket)
  if (outcome !== 'changed') return typeof outcome === 'string' ? { outcome: 'same', text: payload } : outcome
  return { outcome, text: packets.join(SEPARATOR) }
}

/** Cleans a body of Engine.IO 3: `length:packet` again and again. */
export function cleanPayload3(rules: MessageRules, payload: string): CleanedPayload {
  const packets = splitPayload3(payload)
  if (packets === null) return UNREADABLE
  if (packets.length > MAX_PACKETS) return 'too-large'
  const outcome = cleanAll(rules, packets, cleanPacket3)
  if (outcome !== 'changed') return typeof outcome === 'string' ? { outcome: 'same', text: payload } : outcome
  return { outcome, text: packets.map((packet) => `${packet.length}:${packet}`).join('') }
}
