/**
 * Packets of Engine.IO and socket.io as a client sends them, cleaned by the rules: Engine.IO 4 with socket.io v5, and
 * Engine.IO 3 with socket.io v4. It knows no transport: one packet in, one out. What the protocols do not let a client
 * send is refused, and so is binary data, unless the rules let it pass.
 */

import { decodeEscapes } from './cards.ts'
import { applyEverywhere, applyFields, type FieldPath, type Visited } from './fields.ts'
import { AGAINST_RULE, type Cleaned, finish, type MessageRules, UNREADABLE } from './rules.ts'
import { parseStrict } from './strict-json.ts'

/**
 * Type, attachments, namespace, acknowledgement id, and where the JSON begins. Ids are ASCII digits only, other than in
 * the reference parser, and too short for a card; it also takes at most ten attachments.
 */
const HEAD = /^(?:([0-4])|([56])(?:[1-9]|10)-)(\/[A-Za-z0-9._~!$&'()*+;=:@%/?-]{0,255}(?:,|$))?(\d{1,10})?(?=[[{]|$)/
const HEAD_LENGTH = 300

const CONNECT = '0'
const DISCONNECT = '1'
const EVENT = '2'
const ACK = '3'
const BINARY_EVENT = '5'
const BINARY_ACK = '6'

/** Names that socket.io keeps for itself. */
const RESERVED = new Set(['connect', 'connect_error', 'disconnect', 'disconnecting', 'newListener', 'removeListener'])
/** Where nobody listens to it, an event of this name ends a service that speaks the older protocol. */
const RESERVED_3 = new Set([...RESERVED, 'error'])

const BASE64 = /^[A-Za-z0-9+/]*={0,2}$/

/** Cleans one packet of Engine.IO 4. */
export function cleanPacket(rules: MessageRules, packet: string): Cleaned {
  return cleanAny(rules, packet, RESERVED, 'b')
}

/** Cleans one packet of Engine.IO 3. */
export function cleanPacket3(rules: MessageRules, packet: string): Cleaned {
  return cleanAny(rules, packet, RESERVED_3, 'b4')
}

function cleanAny(rules: MessageRules, packet: string, reserved: ReadonlySet<string>, attachment: string): Cleaned {
  switch (packet.charCodeAt(0)) {
    case 52 /* 4 message */:
      return cleanSocketPacket(rules, packet, reserved)
    case 50 /* 2 ping */:
    case 51 /* 3 pong */:
      return packet.length === 1 || packet.slice(1) === 'probe' ? same(packet) : UNREADABLE
    case 49 /* 1 close */:
    case 53 /* 5 upgrade */:
    case 54 /* 6 noop */:
      return packet.length === 1 ? same(packet) : UNREADABLE
    case 98 /* b */:
      if (!rules.passesBinary) return UNREADABLE
      return packet.startsWith(attachment) && BASE64.test(packet.slice(attachment.length)) ? same(packet) : UNREADABLE
    default:
      return UNREADABLE
  }
}

function cleanSocketPacket(rules: MessageRules, packet: string, reserved: ReadonlySet<string>): Cleaned {
  const head = HEAD.exec(packet.slice(1, HEAD_LENGTH))
  if (head === null) return UNREADABLE
  const [matched, plainType, binaryType, namespace, id] = head
  const type = plainType ?? binaryType!
  if (plainType === undefined && !rules.passesBinary) return UNREADABLE
  const start = 1 + matched.length
  const json = packet.slice(start)
  if (json === '') {
    if (id !== undefined || (type !== CONNECT && type !== DISCONNECT)) return UNREADABLE
    return namespace === undefined || isCleanNamespace(rules, namespace) ? same(packet) : AGAINST_RULE
  }
  // A namespace that was not ended by its comma has swallowed nothing, but the server would read on.
  if (namespace !== undefined && !namespace.endsWith(',')) return UNREADABLE
  if (namespace !== undefined && !isCleanNamespace(rules, namespace)) return AGAINST_RULE
  const isEvent = type === EVENT || type === BINARY_EVENT
  const isObject = json.charCodeAt(0) === 123
  if (
    type === CONNECT ? !isObject || id !== undefined : isObject || !(isEvent || type === ACK || type === BINARY_ACK)
  ) {
    return UNREADABLE
  }
  const cleaned = cleanPacketJson(rules, json, isEvent, reserved)
  if (cleaned.outcome !== 'changed') return cleaned.outcome === 'same' ? same(packet) : cleaned
  return { outcome: 'changed', text: packet.slice(0, start) + cleaned.text }
}

/** Services log it, and older ones hand its query to their programs. */
function isCleanNamespace(rules: MessageRules, namespace: string): boolean {
  const decoded = decodeEscapes(namespace)
  return rules.visit(decoded) === decoded
}

/** Cleans what a packet carries: the name and the arguments of an event, those of an acknowledgement, or an object. */
export function cleanPacketJson(
  rules: MessageRules,
  json: string,
  isEvent: boolean,
  reserved: ReadonlySet<string>,
): Cleaned {
  const document = parseStrict(json)
  if (document === undefined) return UNREADABLE
  let paths: readonly FieldPath[] | undefined
  if (isEvent) {
    const event = Array.isArray(document) ? document[0] : undefined
    if (typeof event !== 'string' || reserved.has(event)) return UNREADABLE
    paths = rules.events.get(event)
    // An event whose name had to be changed would be another event.
    if (paths === undefined && (rules.otherEvents === 'refuse' || rules.visit(event) !== event)) return AGAINST_RULE
  }
  if (paths === undefined && rules.otherEvents === 'pass') return same(json)
  return finish(json, document, (root) => {
    if (paths === undefined) return applyEverywhere(root, rules.visit)
    return applyArguments(root as unknown[], (list) => applyFields(list, paths, rules.visit))
  })
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

/** Where the JSON of a packet begins that was cleaned before; -1 where it has none. */
export function jsonStart(packet: string): number {
  if (packet.charCodeAt(0) !== 52) return -1
  const head = HEAD.exec(packet.slice(1, HEAD_LENGTH))
  return head === null || 1 + head[0].length === packet.length ? -1 : 1 + head[0].length
}
