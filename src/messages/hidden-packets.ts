/**
 * Packets of Engine.IO and socket.io as a service sends them, with what is to be hidden hidden. What cannot be read
 * (attachments, packets of no known form) is left out. It knows no transport.
 */
import type { Hider } from './hide.ts'
import { packetAt3 } from './polling.ts'

/** Type, namespace, acknowledgement id, and where the JSON begins. */
const HEAD = /^([0-4])(\/[^,[{"]{0,255}(?:,|$))?(\d{1,15})?(?=[[{"]|$)/
const EVENT = '2'
const SEPARATOR = '\x1e'
const NOOP = '6'

/** The packet for the client; null where it is left out. */
export function hidePacket(hider: Hider, packet: string): string | null {
  switch (packet[0]) {
    case '4':
      return hideSocketPacket(hider, packet)
    case '0': {
      const opened = hider.document(packet.slice(1))
      return opened.outcome === 'refused' ? null : `0${opened.text}`
    }
    case '1':
    case '5':
    case NOOP:
      return packet.length === 1 ? packet : null
    case '2':
    case '3':
      return packet.length === 1 || packet.slice(1) === 'probe' ? packet : null
    default:
      return null
  }
}

function hideSocketPacket(hider: Hider, packet: string): string | null {
  const head = HEAD.exec(packet.slice(1, 300))
  if (head === null) return null
  const start = 1 + head[0].length
  const json = packet.slice(start)
  if (json === '') return packet
  const cleaned = hider.packet(json, head[1] === EVENT)
  return cleaned.outcome === 'refused' ? null : packet.slice(0, start) + cleaned.text
}

/** The packets of one poll; null where they cannot be told apart. */
export function hidePayload(hider: Hider, payload: string): string | null {
  const shown: string[] = []
  for (const packet of payload.split(SEPARATOR)) {
    const each = hidePacket(hider, packet)
    if (each !== null) shown.push(each)
  }
  // A poll is answered by one packet at least.
  return shown.length === 0 ? NOOP : shown.join(SEPARATOR)
}

/** The same in the form of Engine.IO 3. */
export function hidePayload3(hider: Hider, payload: string): string | null {
  let shown = ''
  let at = 0
  while (at < payload.length) {
    const cut = packetAt3(payload, at)
    if (cut === null) return null
    at = cut.end
    const packet = hidePacket(hider, cut.packet)
    if (packet !== null) shown += `${packet.length}:${packet}`
  }
  return shown === '' ? `1:${NOOP}` : shown
}
