/**
 * A service is a list of endpoints; an endpoint is one URL and the engines that speak to it. This file opens them, to
 * configured places only, and picks the endpoint of a request. It knows no exchange.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { ServiceConfig } from '../config/shape.ts'
import type { Dispatcher } from './dispatch.ts'
import { Http1Pool } from './http1-pool.ts'
import { UndiciEndpoint } from './undici-endpoint.ts'

export interface Endpoint {
  /** `host:port`, for the log only. */
  readonly name: string
  readonly requests: Dispatcher
  /** For WebSockets: always HTTP/1.1. */
  readonly tunnels: Dispatcher
}

export class Service {
  readonly name: string
  readonly config: ServiceConfig
  readonly endpoints: readonly Endpoint[]
  #turn = 0

  /** Reads the TLS files of the service: throws where one cannot be read. Connects to nothing yet. */
  constructor(name: string, config: ServiceConfig) {
    const tls = tlsOptions(config)
    this.name = name
    this.config = config
    this.endpoints = config.endpoints.map((url) => openEndpoint(url, config, tls))
  }

  /** True where this configuration would make the same service: then its connections are kept over a reload. */
  isSame(config: ServiceConfig): boolean {
    const { ca, cert, key } = config.tls
    // Files may have changed under the same names.
    return ca === undefined && cert === undefined && key === undefined && isDeepStrictEqual(config, this.config)
  }

  /** Round robin. `not` is left out where there is another one. */
  pick(not: Endpoint | null): Endpoint {
    const endpoint = this.endpoints[this.#turn % this.endpoints.length]!
    this.#turn = (this.#turn + 1) % this.endpoints.length
    if (endpoint === not && this.endpoints.length > 1) return this.pick(not)
    return endpoint
  }

  /** Takes no new requests, lets the running ones end, closes the connections. */
  async close(): Promise<void> {
    await Promise.all(this.#dispatchers().map((each) => each.close()))
  }

  /** Cuts what is left. */
  async destroy(): Promise<void> {
    await Promise.all(this.#dispatchers().map((each) => each.destroy()))
  }

  #dispatchers(): Dispatcher[] {
    return [...new Set(this.endpoints.flatMap(({ requests, tunnels }) => [requests, tunnels]))]
  }
}

function tlsOptions({ tls }: ServiceConfig): ConnectionOptions {
  return {
    ca: tls.ca === undefined ? undefined : readFileSync(tls.ca),
    cert: tls.cert === undefined ? undefined : readFileSync(tls.cert),
    key: tls.key === undefined ? undefined : readFileSync(tls.key),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  }
}

function openEndpoint(text: string, config: ServiceConfig, tls: ConnectionOptions): Endpoint {
  const url = new URL(text)
  const { maxConnections, maxWaiting, timeouts } = config
  const isSecure = url.protocol === 'https:'
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const name = config.tls.serverName ?? host
  const bounds = { maxConnections, maxWaiting, connectMs: timeouts.connect, keepAliveMs: timeouts.keepAlive }
  // An address is no server name (RFC 6066, 3); it is checked against the certificate all the same.
  const secure = { ...tls, servername: isIP(name) === 0 ? name : '' }
  const port = url.port === '' ? (isSecure ? 443 : 80) : Number(url.port)
  const http1 = new Http1Pool({
    host,
    port,
    tls: isSecure ? { ...secure, ALPNProtocols: ['http/1.1'] } : null,
    ...bounds,
  })
  if (config.protocol === 'http/1.1') return { name: url.host, requests: http1, tunnels: http1 }
  return {
    name: url.host,
    requests: new UndiciEndpoint({ origin: url.origin, tls: secure, ...bounds }),
    tunnels: http1,
  }
}
