/** Builds the bounds of a route's WebSockets. It knows no socket that is open. */
import type { Configuration, RouteConfig } from '../config/shape.ts'
import type { TunnelFilterFactory } from '../exchange/contracts.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import { makeMessageLimit } from '../limits/message-limit.ts'
import type { CleanerFor } from '../messages/shown.ts'
import { shownFilter } from '../messages/shown-socket.ts'
import { compileRules } from './limits.ts'
import { capsOf, type Standing } from './standing.ts'

/** A message that came compressed may not be larger, whatever others may be: it is inflated at once. */
const MAX_INFLATED = 1024 * 1024

/** `place`: listener and route, for what is counted over reloads. Names of limits lead somewhere: that was checked. */
export function socketBounds(
  place: string,
  route: RouteConfig,
  config: Configuration,
  standing: Standing,
  cleanerFor: CleanerFor | null,
): SocketBounds {
  const { socket } = route
  const maxSize = route.messages === undefined ? MAX_INFLATED : config.messages[route.messages]!.maxSize
  const rules = compileRules(socket.messageLimits, config, standing)
  const { store, metrics, limitEvents: events } = standing
  return Object.freeze({
    subprotocols: socket.subprotocols === undefined ? null : new Set(socket.subprotocols),
    perAddress: capsOf(standing, `${place} sockets`, socket.perAddress),
    maxMessageBytes: socket.maxMessage,
    messageRate: socket.messageRate,
    byteRate: socket.byteRate,
    overRate: socket.overRate,
    limit: makeMessageLimit(rules, { store, metrics, events }),
    closesOverLimit: socket.overLimit === 'close',
    maxInflatedBytes: socket.compression === 'off' ? 0 : Math.min(socket.maxMessage, maxSize, MAX_INFLATED),
    binary: socket.binary ?? null,
    idleMs: socket.idle,
    pingMs: socket.ping,
    pongMs: socket.pong,
    lifetimeMs: socket.lifetime,
    shown:
      cleanerFor === null
        ? unchanged
        : (filter) => shownFilter(filter, route.maxAnswer, cleanerFor, route.socketIo, standing.metrics),
  })
}

function unchanged(filter: TunnelFilterFactory): TunnelFilterFactory {
  return filter
}
