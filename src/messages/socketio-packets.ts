/**
 * Packets of Engine.IO 4 and socket.io v5 as a client sends them, cleaned by the rules. It knows no transport: one packet
 * in, one out. What the two protocols do not let a client send is refused, and so is binary data.
 */

import { applyEverywhere, applyFields, type FieldPath, type Visited } from './fields.ts'
import { AGAINST_RULE, type Cleaned, finish, type MessageRules, parseStrict, UNREADABLE } from './rules.ts'

/** Separates the packets of a polling body (Engine.IO 4, "Payload"). */
const SEPARATOR = '\x1e'

/** Type, namespace, acknowledgement id, and where the JSON begins. Ids are ASCII digits only, other than in the reference parser. */
const HEAD = /^([0-4])(\/[A-Za-z0-9._~!$&'()*+;=:@%/?-]{0,255}(?:,|$))?(\d{1,15})?(?=[[{]|$)/

const CONNECT = '0'
const DISCONNECT = '1'
const EVENT = '2'
const ACK = '3'

/** Names that socket.io keeps for itself. */
const RESERVED = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'])

/** Cleans one Engine.IO packet. */
export function cleanPacket(rules: MessageRules, packet: string): Cleaned {
  switch (packet.charCodeAt(0)) {
    case 52 /* 4 message */:
      return cleanSocketPacket(rules, packet)
    case 50 /* 2 ping */:
    case 51 /* 3 pong */:
      return packet.length === 1 || packet.slice(1) === 'probe' ? same(packet) : UNREADABLE
    case 49 /* 1 close */:
    case 53 /* 5 upgrade */:
    case 54 /* 6 noop */:
      return packet.length === 1 ? same(packet) : UNREADABLE
    default:
      return UNREADABLE
  }
}

function cleanSocketPacket(rules: MessageRules, packet: string): Cleaned {
  const head = HEAD.exec(packet.slice(1, 300))
  if (head === null) return UNREADABLE
  const [matched, type, namespace, id] = head
  const start = 1 + matched.length
  const json = packet.slice(start)
  if (json === '') return id === undefined && (type === CONNECT || type === DISCONNECT) ? same(packet) : UNREADABLE
  // A namespace that was not ended by its comma has swallowed nothing, but the server would read on.
  if (namespace !== undefined && !namespace.endsWith(',')) return UNREADABLE
  const isObject = json.charCodeAt(0) === 123
  if (type === CONNECT ? !isObject || id !== undefined : isObject || (type !== EVENT && type !== ACK)) return UNREADABLE
  const document = parseStrict(json)
  if (document === undefined) return UNREADABLE
  let paths: readonly FieldPath[] | undefined
  if (type === EVENT) {
    const event = (document as unknown[])[0]
    if (typeof event !== 'string' || RESERVED.has(event)) return UNREADABLE
    paths = rules.events.get(event)
    // An event whose name had to be changed would be another event.
    if (paths === undefined && (rules.otherEvents === 'refuse' || rules.visit(event) !== event)) return AGAINST_RULE
  }
  if (paths === undefined && rules.otherEvents === 'pass') return same(packet)
  const cleaned = finish(json, document, (root) => {
    if (paths === undefined) return applyEverywhere(root, rules.visit)
    return applyArguments(root as unknown[], (list) => applyFields(list, paths, rules.visit))
  })
  if (cleaned.outcome !== 'changed') return cleaned.outcome === 'same' ? same(packet) : cleaned
  return { outcome: 'changed', text: packet.slice(0, start) + cleaned.text }
}

/** Paths of an event count its arguments from 0; its name stands before them. */
function applyArguments(event: unknown[], visit: (list: unknown[]) => Visited): Visited {
  const visited = visit(event.slice(1))
  visited.root = [event[0], ...(visited.root as unknown[])]
  return visited
}

function same(packet: string): Cleaned {
  return { outcome: 'same', text: packet }
}

/** Cleans the packets of a polling body: all, or none where one is refused. Each is bounded by `rules.maxBytes`. */
export function cleanPayload(rules: MessageRules, payload: string): Cleaned | 'too-large' {
  const packets = payload.split(SEPARATOR, MAX_PACKETS + 1)
  if (packets.length > MAX_PACKETS) return 'too-large'
  let changed = false
  for (let i = 0; i < packets.length; i++) {
    const packet = packets[i]!
    if (packet.length > rules.maxBytes || Buffer.byteLength(packet) > rules.maxBytes) return 'too-large'
    const cleaned = cleanPacket(rules, packet)
    if (cleaned.outcome === 'refused') return cleaned
    if (cleaned.outcome === 'same') continue
    changed = true
    packets[i] = cleaned.text
  }
  return changed ? { outcome: 'changed', text: packets.join(SEPARATOR) } : same(payload)
}

/** Packets of one polling body; a client that waited long sends dozens. */
const MAX_PACKETS = 256
