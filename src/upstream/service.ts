/**
 * A service is a list of endpoints. This file opens them, to configured places only, and gives every request its place at
 * one of them, or a place in the line. It knows no exchange.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { ServiceConfig } from '../config/shape.ts'
import { type Affinity, makeAffinity, opaqueId } from './affinity.ts'
import { type Balance, makeBalance } from './balance.ts'
import { Endpoint } from './endpoint.ts'
import { EndpointState } from './endpoint-state.ts'
import { type KeyOf, makeHashKey } from './hash-key.ts'
import type { Seeker } from './seeker.ts'
import { WaitingLine } from './waiting-line.ts'

/** What a service takes from beyond its own section. */
export interface ServiceParts {
  /** The key of `sticky`; null where there is none. */
  readonly stickyKey: string | null
  /** The service of this name that a reload replaces: what is known of endpoints that stay is kept. */
  readonly before: Service | null
}

export class Service {
  readonly name: string
  readonly config: ServiceConfig
  readonly endpoints: readonly Endpoint[]
  /** Null where clients belong nowhere. */
  readonly affinity: Affinity | null
  /** Null where nothing is hashed. */
  readonly keyOf: KeyOf | null
  readonly #stickyKey: string | null
  readonly #balance: Balance
  readonly #line: WaitingLine

  /** Reads the TLS files of the service: throws where one cannot be read. Connects to nothing yet. */
  constructor(name: string, config: ServiceConfig, { stickyKey, before }: ServiceParts) {
    const tls = tlsOptions(config)
    this.name = name
    this.config = config
    this.#stickyKey = stickyKey
    this.#balance = makeBalance(config.balance)
    this.keyOf = makeHashKey(config.balance)
    this.affinity = config.sticky === undefined ? null : makeAffinity(name, config.sticky, (id) => this.#endpointOf(id))
    this.#line = new WaitingLine(config.maxWaiting, config.maxWait, (seeker) => this.#choose(seeker))
    this.endpoints = config.endpoints.map(({ url, weight }, i) => {
      const known = before?.endpoints.find((each) => each.url === url)?.state
      const place = { url, weight, id: opaqueId(name, url, i, stickyKey) }
      return new Endpoint(place, known ?? new EndpointState(), config, tls)
    })
  }

  /** True where this configuration would make the same service: then its connections are kept over a reload. */
  isSame(config: ServiceConfig, stickyKey: string | null): boolean {
    const { ca, crl, cert, key } = config.tls
    // Files may have changed under the same names.
    if (ca !== undefined || crl.length > 0 || cert !== undefined || key !== undefined) return false
    return stickyKey === this.#stickyKey && isDeepStrictEqual(config, this.config)
  }

  /** Requests that wait while all endpoints are full. */
  get waiting(): number {
    return this.#line.length
  }

  /** Places the seeker, now or later, or tells it why not. */
  seek(seeker: Seeker): void {
    const endpoint = this.#choose(seeker)
    if (endpoint !== null) seeker.place(endpoint)
    else if (!this.#line.join(seeker)) seeker.onNotPlaced('upstream-busy')
  }

  leave(seeker: Seeker): void {
    this.#line.leave(seeker)
  }

  onPlaceFree(): void {
    if (this.#line.length > 0) this.#line.move()
  }

  /** Null where it must wait. */
  #choose(seeker: Seeker): Endpoint | null {
    const { pin, isWebSocket } = seeker
    if (pin !== null && (seeker.isBound || seeker.endpoint !== pin)) {
      if (!pin.isFull(isWebSocket)) return pin
      if (seeker.isBound) return null
    }
    const from = this.endpoints
    if (from.length === 1) return from[0]!.isFull(isWebSocket) ? null : from[0]!
    // Another one than before, where there is one.
    const tried = seeker.endpoint
    return this.#balance(from, seeker, tried) ?? (tried === null ? null : this.#balance(from, seeker, null))
  }

  #endpointOf(id: string): Endpoint | null {
    return this.endpoints.find((each) => each.id === id) ?? null
  }

  /** Takes no new requests, lets the running ones end, closes the connections. */
  async close(): Promise<void> {
    await Promise.all(this.endpoints.map((each) => each.close()))
  }

  /** Cuts what is left. */
  async destroy(): Promise<void> {
    this.#line.close()
    await Promise.all(this.endpoints.map((each) => each.destroy()))
  }
}

function tlsOptions({ tls }: ServiceConfig): ConnectionOptions {
  return {
    ca: tls.ca === undefined ? undefined : readFileSync(tls.ca),
    crl: tls.crl.length === 0 ? undefined : tls.crl.map((file) => readFileSync(file)),
    cert: tls.cert === undefined ? undefined : readFileSync(tls.cert),
    key: tls.key === undefined ? undefined : readFileSync(tls.key),
    rejectUnauthorized: true,
    minVersion: 'TLSv1.2',
  }
}
