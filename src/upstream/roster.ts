/**
 * The endpoints of a service as its names lead to them: those that stay are kept with all that is known of them, new ones are
 * opened, and those that vanish leave when nobody may need them any more. It chooses nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServiceConfig } from '../config/shape.ts'
import type { Endpoint, EndpointPlace } from './endpoint.ts'
import type { Place } from './lookup.ts'
import { type NameMemory, NameWatch } from './name-watch.ts'

export interface RosterListener {
  open(place: EndpointPlace): Endpoint
  /** The endpoints from now on, leaving ones among them. */
  onEndpoints(endpoints: readonly Endpoint[]): void
  /** `joins` where others are there already. */
  onFound(endpoint: Endpoint, joins: boolean): void
  onGone(endpoint: Endpoint): void
  onTrouble(name: string, reason: string): void
}

interface Name {
  readonly watch: NameWatch
  places: readonly Place[]
}

export class Roster {
  /** Leaving ones among them, at the end. */
  endpoints: readonly Endpoint[] = []
  readonly #config: ServiceConfig
  readonly #listener: RosterListener
  /** By URL. */
  readonly #names = new Map<string, Name>()
  readonly #leaving = new Map<Endpoint, NodeJS.Timeout>()
  /** They have left, and something runs there still. */
  readonly #closing = new Set<Endpoint>()

  /** `memories` is what the roster before knew, by URL. */
  constructor(config: ServiceConfig, memories: ReadonlyMap<string, NameMemory>, listener: RosterListener) {
    this.#config = config
    this.#listener = listener
    const { dns } = config
    for (const { url } of config.endpoints) {
      const { hostname } = new URL(url)
      if (dns === undefined || !isName(hostname)) continue
      const known = memories.get(url) ?? null
      const watch = new NameWatch(hostname, dns, known, {
        onPlaces: (places) => this.#onPlaces(url, places),
        onTrouble: (name, reason) => listener.onTrouble(name, reason),
      })
      this.#names.set(url, { watch, places: known?.places ?? [] })
    }
    this.endpoints = this.#wanted().map((place) => listener.open(place))
  }

  /** Those that have left and still run something too. */
  get open(): readonly Endpoint[] {
    return [...this.endpoints, ...this.#closing]
  }

  memories(): ReadonlyMap<string, NameMemory> {
    return new Map([...this.#names].map(([url, { watch }]) => [url, watch.memory]))
  }

  /** When every name was asked once, with whatever success, or after one timeout. */
  async whenAsked(): Promise<void> {
    const asked = [...this.#names.values()].map(({ watch }) => watch.whenAsked())
    if (asked.length > 0) await Promise.race([Promise.all(asked), sleep(this.#config.dns!.timeout)])
  }

  watch(): void {
    for (const { watch } of this.#names.values()) watch.watch()
  }

  unwatch(): void {
    for (const { watch } of this.#names.values()) watch.unwatch()
    for (const timer of this.#leaving.values()) clearTimeout(timer)
  }

  #onPlaces(url: string, places: readonly Place[]): void {
    const name = this.#names.get(url)!
    name.places = places
    const known = new Map(this.endpoints.map((each) => [each.key, each]))
    const staying: Endpoint[] = []
    const found: Endpoint[] = []
    for (const place of this.#wanted()) {
      const there = known.get(place.key)
      if (there === undefined || there.state.isGone) found.push(there ?? this.#listener.open(place))
      const endpoint = there ?? found.at(-1)!
      endpoint.weight = place.weight
      endpoint.priority = place.priority
      staying.push(endpoint)
      known.delete(place.key)
    }
    const gone = [...known.values()]
    const left = gone.filter(({ state }) => !state.isGone)
    const joins = staying.some((each) => each.state.isIn && !found.includes(each))
    for (const endpoint of found) this.#keep(endpoint)
    for (const endpoint of left) this.#leave(endpoint)
    for (const endpoint of found) this.#listener.onFound(endpoint, joins)
    this.#set([...staying, ...gone])
    for (const endpoint of left) this.#listener.onGone(endpoint)
  }

  #keep(endpoint: Endpoint): void {
    endpoint.state.isGone = false
    clearTimeout(this.#leaving.get(endpoint))
    this.#leaving.delete(endpoint)
  }

  #leave(endpoint: Endpoint): void {
    endpoint.state.isGone = true
    const timer = setTimeout(() => {
      this.#leaving.delete(endpoint)
      this.#set(this.endpoints.filter((each) => each !== endpoint))
      this.#closing.add(endpoint)
      // What runs there ends by itself.
      void endpoint.close().then(() => this.#closing.delete(endpoint))
    }, this.#config.dns!.leave)
    timer.unref()
    this.#leaving.set(endpoint, timer)
  }

  #set(endpoints: readonly Endpoint[]): void {
    this.endpoints = endpoints
    this.#listener.onEndpoints(endpoints)
  }

  /** In the order of the settings; of several names for one place the first. */
  #wanted(): EndpointPlace[] {
    const wanted = new Map<string, EndpointPlace>()
    for (const { url, weight } of this.#config.endpoints) {
      const name = this.#names.get(url)
      if (name === undefined) {
        wanted.set(url, { url, key: url, weight, priority: 0, address: null, port: null })
        continue
      }
      for (const place of name.places) {
        const port = place.port ?? portOf(url)
        const at = `${new URL(url).protocol}//${place.address} ${port}`
        if (wanted.has(at)) continue
        const { address, priority } = place
        wanted.set(at, {
          url,
          key: `${url} ${address} ${port}`,
          weight: weight * place.weight,
          priority,
          address,
          port,
        })
      }
    }
    return [...wanted.values()]
  }
}

/** An address in a URL is an endpoint as it stands, and so is a Unix socket. */
function isName(hostname: string): boolean {
  return hostname !== '' && !hostname.startsWith('[') && !/^[\d.]+$/.test(hostname)
}

/** Said or meant. */
function portOf(url: string): number {
  const { port, protocol } = new URL(url)
  return port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port)
}
