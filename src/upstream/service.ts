/**
 * A service is a list of endpoints; an endpoint is a bounded pool of connections to one URL. This file opens the pools,
 * to configured places only, and picks the endpoint of a request. It knows no exchange.
 */
import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import { Pool } from 'undici'
import type { ServiceConfig } from '../config/shape.ts'

export interface Endpoint {
  /** `host:port`, for the log only. */
  readonly name: string
  readonly authority: string
  readonly pool: Pool
  /** Requests handed to the pool and not yet written to a connection. */
  waiting: number
  readonly maxWaiting: number
}

export class Service {
  readonly name: string
  readonly config: ServiceConfig
  readonly endpoints: readonly Endpoint[]
  #turn = 0

  /** Reads the TLS files of the service: throws where one cannot be read. Connects to nothing yet. */
  constructor(name: string, config: ServiceConfig) {
    this.name = name
    this.config = config
    this.endpoints = config.endpoints.map((url) => openEndpoint(url, config))
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
    await Promise.all(this.endpoints.map((endpoint) => endpoint.pool.close()))
  }

  /** Cuts what is left. */
  async destroy(): Promise<void> {
    await Promise.all(this.endpoints.map((endpoint) => endpoint.pool.destroy()))
  }
}

function openEndpoint(text: string, config: ServiceConfig): Endpoint {
  const url = new URL(text)
  const { tls, timeouts } = config
  const pool = new Pool(url.origin, {
    connections: config.maxConnections,
    pipelining: 1,
    allowH2: false,
    keepAliveTimeout: timeouts.keepAlive,
    keepAliveMaxTimeout: timeouts.keepAlive,
    // An idle connection says so before it is closed; this is the least time it must have left.
    keepAliveTimeoutThreshold: Math.min(1000, timeouts.keepAlive / 2),
    maxHeaderSize: 32 * 1024,
    headersTimeout: timeouts.firstByte,
    bodyTimeout: timeouts.betweenBytes,
    connect: {
      timeout: timeouts.connect,
      ca: tls.ca === undefined ? undefined : readFileSync(tls.ca),
      cert: tls.cert === undefined ? undefined : readFileSync(tls.cert),
      key: tls.key === undefined ? undefined : readFileSync(tls.key),
      servername: tls.serverName,
      rejectUnauthorized: true,
      minVersion: 'TLSv1.2',
    },
  })
  return { name: url.host, authority: url.host, pool, waiting: 0, maxWaiting: config.maxWaiting }
}
