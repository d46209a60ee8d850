/**
 * Bodies of Engine.IO 3 that hold attachments as bytes (long-polling by XMLHttpRequest 2): a byte 0 (text) or 1 (bytes), the
 * digits of the length as bytes, 0xff, the packet, again and again. Here they are strings of one character for each byte;
 * attachments become packets as they stand in a body of text. It knows no rule.
 */
import { isUtf8 } from 'node:buffer'

/** How such a body becomes a string, and back. */
export const BYTES = 'latin1'

/** Kind and length. No zero in front, and no length that a bound on bodies would let pass. */
const FRAME = /([\x00\x01])([\x01-\x09][\x00-\x09]{0,8})\xff/y
const TEXT = '\x00'
/** A message of Engine.IO: what any attachment is, and all that may be bytes. */
const MESSAGE = '\x04'
const ATTACHMENT = 'b4'

/**
 * The packets; those that are bytes in base64, `b4` before them. Null for what another reader could take for something else,
 * such as bytes that begin like a text; `most` and one more where there are too many.
 */
export function splitBinary(payload: string, most: number): string[] | null {
  const packets: string[] = []
  let at = 0
  while (at < payload.length && packets.length <= most) {
    FRAME.lastIndex = at
    const found = FRAME.exec(payload)
    if (found === null) return null
    const start = at + found[0].length
    at = start + lengthOf(found[2]!)
    if (at > payload.length) return null
    const packet = found[1] === TEXT ? textOf(payload.slice(start, at)) : attachmentOf(payload.slice(start, at))
    if (packet === null) return null
    packets.push(packet)
  }
  return packets
}

/** The reverse; '' without any. */
export function joinBinary(packets: readonly string[]): string {
  let payload = ''
  for (const packet of packets) {
    const isAttachment = packet.startsWith(ATTACHMENT)
    const bytes = isAttachment
      ? MESSAGE + Buffer.from(packet.slice(ATTACHMENT.length), 'base64').toString(BYTES)
      : Buffer.from(packet).toString(BYTES)
    payload += `${isAttachment ? '\x01' : TEXT}${digitsOf(bytes.length)}\xff${bytes}`
  }
  return payload
}

function lengthOf(digits: string): number {
  let length = 0
  for (let i = 0; i < digits.length; i++) length = length * 10 + digits.charCodeAt(i)
  return length
}

function digitsOf(length: number): string {
  let digits = ''
  for (const each of String(length)) digits += String.fromCharCode(Number(each))
  return digits
}

function textOf(bytes: string): string | null {
  const packet = Buffer.from(bytes, BYTES)
  return isUtf8(packet) ? packet.toString() : null
}

function attachmentOf(bytes: string): string | null {
  if (!bytes.startsWith(MESSAGE)) return null
  return ATTACHMENT + Buffer.from(bytes.slice(MESSAGE.length), BYTES).toString('base64')
}
