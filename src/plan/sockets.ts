/** Builds the bounds of a route's WebSockets. It knows no socket that is open. */
import type { Configuration, RouteConfig } from '../config/shape.ts'
import type { TunnelFilterFactory } from '../exchange/contracts.ts'
import type { SocketBounds } from '../exchange/socket-bounds.ts'
import { compileLimit } from '../limits/limiter.ts'
import { makeMessageLimit } from '../limits/message-limit.ts'
import { hidePacket } from '../messages/hidden-packets.ts'
import { type HideMessage, hiddenFilter } from '../messages/hidden-socket.ts'
import type { Hider } from '../messages/hide.ts'
import { capsOf, type Standing } from './standing.ts'

/** `place`: listener and route, for what is counted over reloads. Names of limits lead somewhere: that was checked. */
export function socketBounds(
  place: string,
  route: RouteConfig,
  config: Configuration,
  standing: Standing,
  hider: Hider | null,
): SocketBounds {
  const { socket } = route
  const { store, ...limits } = config.limits
  const limiters = socket.messageLimits.map((name) => {
    const limit = limits[name]!
    return { limiter: compileLimit(name, limit, standing.store, store), byEvent: limit.by.includes('event') }
  })
  return Object.freeze({
    subprotocols: socket.subprotocols === undefined ? null : new Set(socket.subprotocols),
    perAddress: capsOf(standing, `${place} sockets`, socket.perAddress),
    maxMessageBytes: socket.maxMessage,
    messageRate: socket.messageRate,
    byteRate: socket.byteRate,
    overRate: socket.overRate,
    limit: makeMessageLimit(limiters, standing.metrics),
    closesOverLimit: socket.overLimit === 'close',
    binary: socket.binary ?? null,
    idleMs: socket.idle,
    pingMs: socket.ping,
    pongMs: socket.pong,
    lifetimeMs: socket.lifetime,
    shown:
      hider === null ? unchanged : (filter) => hiddenFilter(filter, route.maxAnswer, hideBy(hider, route.socketIo)),
  })
}

function unchanged(filter: TunnelFilterFactory): TunnelFilterFactory {
  return filter
}

function hideBy(hider: Hider, speaksSocketIo: boolean): HideMessage {
  if (speaksSocketIo) return (packet) => hidePacket(hider, packet)
  return (text) => {
    const cleaned = hider.document(text)
    return cleaned.outcome === 'refused' ? null : cleaned.text
  }
}
