/**
 * What a message from a client is called in limits and metrics: a name of the configuration or a fixed word, never one
 * that the client chose. It cleans nothing.
 */
import type { MessageRules } from './rules.ts'
import { jsonStart } from './socketio-packets.ts'

const OTHER = 'other'

/** `text` is null for a binary message. Null: nothing that counts by itself (heartbeats, attachments, the joining of a namespace). */
export type LabelMessage = (rules: MessageRules, text: string | null) => string | null

export const plainLabel: LabelMessage = (_rules, text) => (text === null ? 'binary' : 'message')

const EVENT_NAME = /\[[\t\n\r ]*("(?:[^"\\]|\\.)*")/y

/** Of a socket.io packet: its event where the rules name it, else `other`; acknowledgements are `other` too. */
export const packetLabel: LabelMessage = (rules, text) => {
  if (text === null || text.charCodeAt(0) !== 52 || text[1] === '0' || text[1] === '1') return null
  const start = jsonStart(text)
  if (start === -1 || (text[1] !== '2' && text[1] !== '5')) return OTHER
  EVENT_NAME.lastIndex = start
  const found = EVENT_NAME.exec(text)
  const name = found === null ? null : readString(found[1]!)
  return name !== null && rules.events.has(name) ? name : OTHER
}

/** Binary messages that belong to a packet and follow it. */
export function attachmentsOf(packet: string): number {
  const found = /^4[56](\d{1,2})-/.exec(packet)
  return found === null ? 0 : Number(found[1])
}

/** Escapes are read as the service will read them. */
function readString(literal: string): string | null {
  try {
    return JSON.parse(literal)
  } catch {
    return null
  }
}
