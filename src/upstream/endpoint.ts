/**
 * One endpoint of a service: a URL, the engines that speak to it, and what runs there now. It knows neither the other
 * endpoints nor who is next.
 */
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ServiceConfig } from '../config/shape.ts'
import type { CheckTarget } from './check.ts'
import type { Dispatcher } from './dispatch.ts'
import type { EndpointState } from './endpoint-state.ts'
import type { ForwardProxy } from './forward-proxy.ts'
import { hashText } from './hash.ts'
import { Http1Pool } from './http1-pool.ts'
import { UndiciEndpoint } from './undici-endpoint.ts'

/** Streams that one HTTP/2 connection carries, and connections, as the engine opens them. */
const H2_STREAMS = 100
const H2_CONNECTIONS = 8

export class Endpoint {
  /** `host:port`, or the URL of a Unix socket, for the log and the admin listener only: it is internal. */
  readonly name: string
  /** What tells it from all others of its service, on every gateway. */
  readonly key: string
  /** What clients may know of it. */
  readonly id: string
  readonly url: string
  weight: number
  /** Greater ones are for when nobody else is there. */
  priority: number
  /** The same on every gateway. */
  readonly seed: number
  readonly state: EndpointState
  readonly requests: Dispatcher
  /** For WebSockets: always HTTP/1.1. */
  readonly tunnels: Dispatcher
  /** For active checks. */
  readonly target: CheckTarget
  readonly #maxRequests: number
  readonly #maxSockets: number
  /** Its weight now, which is less while it warms up. */
  share: number
  /** The account of round robin. */
  credit = 0

  readonly #totals: Totals

  constructor(place: EndpointPlace, id: string, parts: EndpointParts) {
    const { state, totals, config } = parts
    this.target = place.url.startsWith(UNIX) ? unixTarget(place.url) : targetOf(place, parts)
    this.name = nameOf(place, this.target)
    this.id = id
    this.key = place.key
    this.url = place.url
    this.weight = place.weight
    this.priority = place.priority
    this.share = place.weight
    this.seed = hashText(place.key)
    this.state = state
    this.#totals = totals
    const isHttp1 = config.protocol === 'http/1.1'
    this.#maxRequests = isHttp1 ? config.maxConnections : Math.min(config.maxConnections, H2_CONNECTIONS) * H2_STREAMS
    this.#maxSockets = config.maxSockets
    const engines = openEngines(new URL(place.url).origin, this.target, config)
    this.requests = engines.requests
    this.tunnels = engines.tunnels
  }

  /** What runs there: requests, event streams and WebSockets alike. */
  get load(): number {
    return this.state.requests + this.state.sockets
  }

  isFull(forSocket: boolean): boolean {
    return forSocket ? this.state.sockets >= this.#maxSockets : this.state.requests >= this.#maxRequests
  }

  take(forSocket: boolean): void {
    if (forSocket) {
      this.state.sockets++
      this.#totals.sockets++
    } else {
      this.state.requests++
      this.#totals.requests++
    }
  }

  release(forSocket: boolean): void {
    if (forSocket) {
      this.state.sockets--
      this.#totals.sockets--
    } else {
      this.state.requests--
      this.#totals.requests--
    }
  }

  /** Lets what runs end. */
  async close(): Promise<void> {
    await Promise.all([...new Set([this.requests, this.tunnels])].map((each) => each.close()))
  }

  async destroy(): Promise<void> {
    await Promise.all([...new Set([this.requests, this.tunnels])].map((each) => each.destroy()))
  }
}

/** Where an endpoint is. */
export interface EndpointPlace {
  readonly url: string
  readonly key: string
  readonly weight: number
  readonly priority: number
  /** Where its name leads; null: the system says so for every connection. */
  readonly address: string | null
  /** Null: that of the URL. */
  readonly port: number | null
}

/** What runs at a service, counted over reloads. */
export class Totals {
  requests = 0
  sockets = 0
}

export interface EndpointParts {
  readonly state: EndpointState
  readonly totals: Totals
  readonly config: ServiceConfig
  readonly tls: ConnectionOptions
  /** Null: straight. */
  readonly proxy: ForwardProxy | null
}

const UNIX = 'unix:'

function nameOf({ url, address }: EndpointPlace, { host, port, socketPath }: CheckTarget): string {
  if (socketPath !== null) return url
  return address === null ? new URL(url).host : `${host.includes(':') ? `[${host}]` : host}:${port}`
}

/** The path as it is written: a URL would change some of its characters. */
function unixTarget(url: string): CheckTarget {
  const socketPath = url.slice(UNIX.length)
  return { host: '', port: 0, socketPath, authority: 'localhost', tls: null, proxy: null }
}

function targetOf(place: EndpointPlace, { config, tls, proxy }: EndpointParts): CheckTarget {
  const url = new URL(place.url)
  const isSecure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const name = config.tls.serverName ?? host
  return {
    host: place.address ?? host,
    port: place.port ?? (url.port === '' ? (isSecure ? 443 : 80) : Number(url.port)),
    socketPath: null,
    proxy,
    authority: url.host,
    // An address is no server name (RFC 6066, 3); it is checked against the certificate all the same.
    tls: isSecure ? { ...tls, servername: isIP(name) === 0 ? name : '' } : null,
  }
}

function openEngines(
  origin: string,
  target: CheckTarget,
  config: ServiceConfig,
): { requests: Dispatcher; tunnels: Dispatcher } {
  const { maxConnections, timeouts } = config
  // Who waits, waits in the line of the service: here only for a connection that is being opened.
  const bounds = {
    ...{ maxConnections, maxWaiting: maxConnections },
    ...{ connectMs: timeouts.connect, keepAliveMs: timeouts.keepAlive },
  }
  const { tls } = target
  const own = tls === null ? null : { ...tls, ALPNProtocols: ['http/1.1'] }
  const http1 = new Http1Pool({ ...target, tls: own, ...bounds })
  if (config.protocol === 'http/1.1' || tls === null) return { requests: http1, tunnels: http1 }
  return { requests: new UndiciEndpoint({ ...target, origin, tls, ...bounds }), tunnels: http1 }
}
