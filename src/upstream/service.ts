/**
 * A service is a list of endpoints. This file opens them, to configured places only, and gives every request its place at
 * one of them, or a place in the line. It knows no exchange.
 */
import { readFileSync } from 'node:fs'
import type { ConnectionOptions } from 'node:tls'
import { isDeepStrictEqual } from 'node:util'
import type { ServiceConfig } from '../config/shape.ts'
import type { Failure } from '../errors.ts'
import { type Affinity, makeAffinity, opaqueId } from './affinity.ts'
import { type Balance, makeBalance } from './balance.ts'
import { Breaker, Circuit } from './breaker.ts'
import { Checks } from './checks.ts'
import { Endpoint, type EndpointPlace, Totals } from './endpoint.ts'
import { EndpointState } from './endpoint-state.ts'
import { ForwardProxy } from './forward-proxy.ts'
import { type KeyOf, makeHashKey } from './hash-key.ts'
import type { NameMemory } from './name-watch.ts'
import { RetryBudget } from './retry-budget.ts'
import { Roster } from './roster.ts'
import { blameOf } from './second-try.ts'
import type { Seeker } from './seeker.ts'
import { type Change, ServiceHealth } from './service-health.ts'
import { WaitingLine } from './waiting-line.ts'

/** What a service takes from beyond its own section. */
export interface ServiceParts {
  /** The key of `sticky`; null where there is none. */
  readonly stickyKey: string | null
  /** The password at the forward proxy; null where there is none. */
  readonly proxyPassword: string | null
  /** The service of this name that a reload replaces: what is known of endpoints that stay is kept. */
  readonly before: Service | null
  /** Told of every change once. `endpoint` is '' where it is about the whole service. */
  readonly onChange: (service: string, change: Change, endpoint: string, reason: string) => void
}

export class Service {
  readonly name: string
  readonly config: ServiceConfig
  /** Null where clients belong nowhere. */
  readonly affinity: Affinity | null
  /** Null where nothing is hashed. */
  readonly keyOf: KeyOf | null
  readonly retryBudget: RetryBudget
  readonly circuit: Circuit
  readonly totals: Totals
  readonly #stickyKey: string | null
  readonly #proxyPassword: string | null
  readonly #roster: Roster
  readonly #balance: Balance
  readonly #line: WaitingLine
  readonly #health: ServiceHealth
  readonly #checks: Checks | null
  readonly #breaker: Breaker | null
  #isWatched = false

  /** Reads the TLS files of the service: throws where one cannot be read. Connects to nothing yet. */
  constructor(name: string, config: ServiceConfig, parts: ServiceParts) {
    const { stickyKey, proxyPassword, before, onChange } = parts
    const tls = tlsOptions(config)
    this.name = name
    this.config = config
    this.#stickyKey = stickyKey
    this.#proxyPassword = proxyPassword
    this.#balance = makeBalance(config.balance)
    this.keyOf = makeHashKey(config.balance)
    this.affinity = config.sticky === undefined ? null : makeAffinity(name, config.sticky, (id) => this.#endpointOf(id))
    this.#line = new WaitingLine(config.maxWaiting, config.maxWait, (seeker) => this.#choose(seeker))
    const { health, breaker, retries } = config
    this.totals = before?.totals ?? new Totals()
    const past = pastOf(before, config)
    const proxy =
      config.proxy === undefined
        ? null
        : new ForwardProxy(config.proxy, proxyPassword, (place, reason) => {
            if (reason === '') onChange(name, 'cleared', place, 'something gets through again')
            else onChange(name, 'blocked', place, reason)
          })
    const open = (place: EndpointPlace): Endpoint => {
      const at = config.endpoints.findIndex(({ url }) => url === place.url)
      const state = past.states.get(place.key) ?? new EndpointState()
      // Nobody would ever see that it is well again.
      if (health === undefined) state.isUp = true
      state.isGone = false
      const id = opaqueId(name, place.key, at, stickyKey)
      return new Endpoint(place, id, { state, totals: this.totals, config, tls, proxy })
    }
    this.retryBudget = new RetryBudget(retries.budget, retries.least, performance.now())
    this.#health = new ServiceHealth(config, (change, endpoint, reason) => {
      onChange(name, change, endpoint, reason)
      this.#line.move()
    })
    this.#checks =
      health === undefined ? null : new Checks(health, (endpoint, problem) => this.#health.onCheck(endpoint, problem))
    this.circuit = before?.circuit ?? new Circuit()
    this.#breaker =
      breaker === undefined
        ? null
        : new Breaker(breaker, this.circuit, (change) => onChange(name, change, '', 'what became of requests'))
    this.#roster = new Roster(config, past.names, {
      open,
      onEndpoints: (endpoints) => this.#setEndpoints(endpoints),
      onFound: (endpoint, joins) => this.#health.onFound(endpoint, joins),
      onGone: (endpoint) => this.#health.onGone(endpoint),
      onTrouble: (host, reason) => {
        if (reason === '') onChange(name, 'resolved', host, 'DNS answers as it should')
        else onChange(name, 'unresolved', host, reason)
      },
    })
    this.#health.setEndpoints(this.#roster.endpoints)
  }

  /** True where this configuration would make the same service: then its connections are kept over a reload. */
  isSame(config: ServiceConfig, stickyKey: string | null, proxyPassword: string | null): boolean {
    const { ca, crl, cert, key } = config.tls
    // Files may have changed under the same names.
    if (ca !== undefined || crl.length > 0 || cert !== undefined || key !== undefined) return false
    if (config.proxy?.ca !== undefined || proxyPassword !== this.#proxyPassword) return false
    return stickyKey === this.#stickyKey && isDeepStrictEqual(config, this.config)
  }

  /** Requests that wait while all endpoints are full. */
  get waiting(): number {
    return this.#line.length
  }

  /** Those that leave are among them. */
  get endpoints(): readonly Endpoint[] {
    return this.#roster.endpoints
  }

  /** What is known of names, by URL, for the service that comes after this one. */
  memories(): ReadonlyMap<string, NameMemory> {
    return this.#roster.memories()
  }

  /** When it is known where names lead, or that nobody says so. Never rejects. */
  whenNamed(): Promise<void> {
    return this.#roster.whenAsked()
  }

  /** Begins the checks, and follows names, once the service is in use. */
  watch(): void {
    this.#isWatched = true
    this.#checks?.watch(this.endpoints)
    this.#roster.watch()
  }

  /** Another service has taken over. */
  unwatch(): void {
    this.#isWatched = false
    this.#checks?.watch([])
    this.#roster.unwatch()
  }

  #setEndpoints(endpoints: readonly Endpoint[]): void {
    this.#health.setEndpoints(endpoints)
    if (this.#isWatched) this.#checks?.watch(endpoints)
    this.#line.move()
  }

  /** Those that new clients may come to. */
  get available(): readonly Endpoint[] {
    return this.#health.available
  }

  /** A new request, before its first try. False: the circuit is open. */
  admits(): boolean {
    this.retryBudget.earn()
    return this.#breaker === null || this.#breaker.admits(performance.now())
  }

  /** The endpoint answered. */
  onSuccess(endpoint: Endpoint): void {
    this.#health.onSuccess(endpoint)
    this.#breaker?.onSuccess()
  }

  /** It did not, or not as it should. */
  onFailure(endpoint: Endpoint, reason: string): void {
    this.#health.onFailure(endpoint, reason)
    this.#breaker?.onFailure(performance.now())
  }

  /** A try came to nothing, by the fault of whomever. */
  onLost(endpoint: Endpoint, failure: Failure): void {
    const whom = blameOf(failure.code)
    if (whom === 'the endpoint') this.onFailure(endpoint, failure.detail)
    else if (whom === 'the way') this.#breaker?.onFailure(performance.now())
  }

  /** Takes no new clients any more, or takes them again; what runs goes on. False: there is no endpoint of this name. */
  drain(name: string, isDrained: boolean): boolean {
    const found = this.endpoints.filter((each) => each.name === name || each.url === name)
    for (const each of found) this.#health.drain(each, isDrained)
    return found.length > 0
  }

  /** Places the seeker, now or later, or tells it why not. */
  seek(seeker: Seeker): void {
    if (seeker.isBound ? !seeker.pin!.state.isUp : this.#health.available.length === 0) {
      seeker.onNotPlaced('upstream-down')
      return
    }
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
    const { maxTotalRequests, maxTotalSockets } = this.config
    if (isWebSocket ? this.totals.sockets >= maxTotalSockets : this.totals.requests >= maxTotalRequests) return null
    // What is ejected may still have the sessions of those who come back.
    if (pin !== null && (seeker.isBound || (seeker.endpoint !== pin && isThere(pin)))) {
      if (!pin.isFull(isWebSocket)) return pin
      if (seeker.isBound) return null
    }
    const from = this.#health.available
    if (from.length === 0) return null
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
    this.#stop()
    await Promise.all(this.#roster.open.map((each) => each.close()))
  }

  #stop(): void {
    this.unwatch()
    this.#health.close()
  }

  /** Cuts what is left. */
  async destroy(): Promise<void> {
    this.#stop()
    this.#line.close()
    await Promise.all(this.#roster.open.map((each) => each.destroy()))
  }
}

/** What a service knew, without the service: else every reload would hold all that were before it. */
function pastOf(before: Service | null, config: ServiceConfig): Past {
  const states = new Map(before?.endpoints.map(({ key, state }) => [key, state]))
  const isSame = before !== null && isDeepStrictEqual(before.config.dns, config.dns)
  return { states, names: isSame ? before.memories() : new Map() }
}

interface Past {
  readonly states: ReadonlyMap<string, EndpointState>
  readonly names: ReadonlyMap<string, NameMemory>
}

/** For a client that belongs there: a drain lets it stay. */
function isThere({ state }: Endpoint): boolean {
  return state.isUp && state.ejectedUntil === 0 && !state.isGone
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
