/**
 * Packets of Engine.IO and socket.io as a service sends them, one by one or as the answer to a poll, each cleaned. What
 * breaks a rule or cannot be read is left out, or ends the poll. It knows no transport but polling.
 */
import { joinBinary, splitBinary } from './binary-payload.ts'
import { attachmentsOf } from './message-label.ts'
import { packetAt3 } from './polling.ts'
import { type Cleaned, UNREADABLE } from './rules.ts'
import type { AnswerCleaner } from './shown.ts'

/** Type, attachments, namespace, acknowledgement id, and where the JSON begins. */
const HEAD = /^(?:([0-4])|([56])\d{1,2}-)(\/[^,[{"]{0,255}(?:,|$))?(\d{1,15})?(?=[[{"]|$)/
const HEAD_LENGTH = 300
const EVENT = '2'
const BINARY_EVENT = '5'
const SEPARATOR = '\x1e'
const NOOP = '6'
const BASE64 = /^b4?[A-Za-z0-9+/]*={0,2}$/
/** Packets of one answer. */
const MAX_PACKETS = 10_000
/** What a script tag gets (Engine.IO 3): a call with one string. */
const SCRIPT = /^(___eio\[\d{1,9}\]\()(".*")(\);)$/s

/** Told of every packet that is left out. */
export type OnLeftOut = (reason: 'rule' | 'unreadable') => void

/** The packet for the client. */
export function showPacket(cleaner: AnswerCleaner, packet: string): Cleaned {
  switch (packet[0]) {
    case '4':
      return showSocketPacket(cleaner, packet)
    case '0':
      return behind(packet, 1, cleaner.opening(packet.slice(1)))
    case '1':
    case '5':
    case NOOP:
      return packet.length === 1 ? same(packet) : UNREADABLE
    case '2':
    case '3':
      return packet.length === 1 || packet.slice(1) === 'probe' ? same(packet) : UNREADABLE
    case 'b':
      return cleaner.passesBinary && BASE64.test(packet) ? same(packet) : UNREADABLE
    default:
      return UNREADABLE
  }
}

function showSocketPacket(cleaner: AnswerCleaner, packet: string): Cleaned {
  const head = HEAD.exec(packet.slice(1, HEAD_LENGTH))
  if (head === null) return UNREADABLE
  const [matched, plainType, binaryType] = head
  if (plainType === undefined && !cleaner.passesBinary) return UNREADABLE
  const start = 1 + matched.length
  const json = packet.slice(start)
  if (json === '') return plainType === undefined ? UNREADABLE : same(packet)
  return behind(packet, start, cleaner.packet(json, plainType === EVENT || binaryType === BINARY_EVENT))
}

function behind(packet: string, start: number, cleaned: Cleaned): Cleaned {
  if (cleaned.outcome === 'refused') return cleaned
  return cleaned.outcome === 'same' ? same(packet) : { outcome: 'changed', text: packet.slice(0, start) + cleaned.text }
}

function same(text: string): Cleaned {
  return { outcome: 'same', text }
}

/** The packets of one poll of Engine.IO 4. */
export function showPayload(cleaner: AnswerCleaner, payload: string, onLeftOut: OnLeftOut = ignore): Cleaned {
  const shown = showAll(cleaner, payload.split(SEPARATOR, MAX_PACKETS + 1), onLeftOut)
  // A poll is answered by one packet at least.
  return concluded(payload, shown?.length === 0 ? NOOP : (shown?.join(SEPARATOR) ?? null))
}

/** The same in the form of Engine.IO 3. */
export function showPayload3(cleaner: AnswerCleaner, payload: string, onLeftOut: OnLeftOut = ignore): Cleaned {
  const packets: string[] = []
  for (let at = 0; at < payload.length; ) {
    const cut = packetAt3(payload, at)
    if (cut === null) return UNREADABLE
    packets.push(cut.packet)
    at = cut.end
  }
  const shown = showAll(cleaner, packets, onLeftOut)
  if (shown?.length === 0) shown.push(NOOP)
  return concluded(payload, shown?.map((packet) => `${packet.length}:${packet}`).join('') ?? null)
}

/** The same with attachments as bytes; a character of `payload` is a byte. */
export function showBinary3(cleaner: AnswerCleaner, payload: string, onLeftOut: OnLeftOut = ignore): Cleaned {
  const packets = splitBinary(payload, MAX_PACKETS)
  const shown = packets === null ? null : showAll(cleaner, packets, onLeftOut)
  // In a body without bytes clients expect the same frames, by its type.
  if (shown?.length === 0) shown.push(NOOP)
  return concluded(payload, shown === null ? null : joinBinary(shown))
}

/** The same for a script tag. */
export function showScript3(cleaner: AnswerCleaner, script: string, onLeftOut: OnLeftOut = ignore): Cleaned {
  const found = SCRIPT.exec(script)
  const payload = found === null ? undefined : readString(found[2]!)
  if (payload === undefined) return UNREADABLE
  const cleaned = showPayload3(cleaner, payload, onLeftOut)
  if (cleaned.outcome !== 'changed') return cleaned.outcome === 'same' ? same(script) : cleaned
  return { outcome: 'changed', text: found![1] + writeString(cleaned.text) + found![3] }
}

function readString(literal: string): string | undefined {
  try {
    const value: unknown = JSON.parse(literal)
    return typeof value === 'string' ? value : undefined
  } catch {
    return undefined
  }
}

/** Also for scripts of before 2019, to which these two ended a line. */
function writeString(text: string): string {
  return JSON.stringify(text).replaceAll('\u2028', '\\u2028').replaceAll('\u2029', '\\u2029')
}

function ignore(): void {}

/** Null where the whole is to be refused. */
function showAll(cleaner: AnswerCleaner, packets: readonly string[], onLeftOut: OnLeftOut): string[] | null {
  if (packets.length > MAX_PACKETS) return null
  const shown: string[] = []
  let dropsBinary = 0
  for (const packet of packets) {
    const isAttachment = packet.startsWith('b')
    if (!isAttachment) dropsBinary = 0
    const cleaned = showPacket(cleaner, packet)
    if (cleaned.outcome === 'refused') {
      if (cleaner.closesOnViolation) return null
      onLeftOut(cleaned.reason)
      // What belongs to an event that is left out would end the conversation where it came alone.
      if (!isAttachment) dropsBinary = attachmentsOf(packet)
    } else if (isAttachment && dropsBinary > 0) dropsBinary--
    else shown.push(cleaned.text)
  }
  return shown
}

function concluded(before: string, after: string | null): Cleaned {
  if (after === null) return UNREADABLE
  return { outcome: after === before ? 'same' : 'changed', text: after }
}
