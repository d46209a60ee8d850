/**
 * One look-up of one name by DNS: A and AAAA, or SRV and then those. It remembers what a kind of record said last, for when
 * only the other kind answers; it knows no endpoint and no time.
 */
import type { SrvRecord } from 'node:dns'
import { Resolver } from 'node:dns/promises'
import type { ServiceConfig } from '../config/shape.ts'
import { makeCidrMatcher, normaliseAddress } from '../http/address.ts'

export type NameSettings = NonNullable<ServiceConfig['dns']>

/** Where a name leads. */
export interface Place {
  readonly address: string
  /** Null: that of the URL. */
  readonly port: number | null
  readonly weight: number
  /** Greater ones are for when nobody else is there (RFC 2782). */
  readonly priority: number
}

export interface Answer {
  /** At least one. */
  readonly places: readonly Place[]
  /** Seconds; infinite where nobody said. */
  readonly ttl: number
  /** An address that may not be used; '' where there was none. */
  readonly forbidden: string
}

/** Never where a service is: unspecified, loopback, link-local, multicast (RFC 6890). */
const NOWHERE = ['0.0.0.0/8', '127.0.0.0/8', '169.254.0.0/16', '224.0.0.0/3', '::/127', 'fe80::/10', 'ff00::/8']

/** The name exists and has no such record, or does not exist. */
const NOTHING: ReadonlySet<unknown> = new Set(['ENODATA', 'ENOTFOUND'])

interface Records {
  readonly addresses: readonly string[]
  readonly ttl: number
}

export class Lookup {
  readonly #name: string
  readonly #settings: NameSettings
  readonly #resolver: Resolver
  readonly #isAllowed: (address: string) => boolean
  /** By family and name. */
  #said = new Map<string, Records>()

  constructor(name: string, settings: NameSettings) {
    this.#name = name
    this.#settings = settings
    this.#resolver = new Resolver({ timeout: settings.timeout, maxTimeout: settings.timeout, tries: 2 })
    if (settings.resolvers !== undefined) this.#resolver.setServers(settings.resolvers)
    const { networks } = settings
    const isNowhere = makeCidrMatcher(NOWHERE)
    this.#isAllowed = networks === undefined ? (address) => !isNowhere(address) : makeCidrMatcher(networks)
  }

  /** Rejects with an error whose `code` says why there is no answer. Not twice at once. */
  async ask(): Promise<Answer> {
    const { timeout, resolvers, records } = this.#settings
    // However many servers are silent: two rounds, and two records after one another.
    const longest = timeout * 2 * ((resolvers?.length ?? 1) + 1)
    const timer = setTimeout(() => this.cancel(), longest)
    timer.unref()
    const said = new Map<string, Records>()
    try {
      const found = records === 'srv' ? await this.#askServices(said) : await this.#askAddresses(this.#name, said)
      this.#said = said
      return this.#bounded(found)
    } finally {
      clearTimeout(timer)
    }
  }

  cancel(): void {
    this.#resolver.cancel()
  }

  /** The nearest hosts first, as many as may be. */
  async #askServices(said: Map<string, Records>): Promise<Found> {
    const records = await this.#resolver.resolveSrv(this.#name)
    const hosts = records.filter(({ name }) => name !== '' && name !== '.')
    hosts.sort((one, other) => one.priority - other.priority || (one.name < other.name ? -1 : 1))
    const asked = hosts.slice(0, this.#settings.most)
    const answers = await Promise.allSettled(asked.map(({ name }) => this.#askAddresses(name, said)))
    const places: Place[] = []
    let ttl = Number.POSITIVE_INFINITY
    let problem: unknown = null
    for (const [i, answer] of answers.entries()) {
      if (answer.status === 'rejected') {
        problem = answer.reason
        continue
      }
      ttl = Math.min(ttl, answer.value.ttl)
      for (const place of answer.value.places) places.push(placeOf(place.address, asked[i]!))
    }
    if (places.length === 0) throw problem ?? new LookupError('ENODATA')
    return { places, ttl }
  }

  async #askAddresses(name: string, said: Map<string, Records>): Promise<Found> {
    const [four, six] = await Promise.allSettled([
      this.#resolver.resolve4(name, { ttl: true }),
      this.#resolver.resolve6(name, { ttl: true }),
    ])
    // Where neither says anything, nothing is known; where one does, the other one's last word counts.
    const silent = [four, six].filter((each) => each.status === 'rejected' && !NOTHING.has(each.reason.code))
    if (silent.length === 2) throw new LookupError((four as PromiseRejectedResult).reason.code)
    const places: Place[] = []
    let ttl = Number.POSITIVE_INFINITY
    for (const [family, answer] of [
      ['4', four],
      ['6', six],
    ] as const) {
      const key = `${family} ${name}`
      const records = recordsOf(answer) ?? this.#said.get(key)
      if (records === undefined) continue
      said.set(key, records)
      ttl = Math.min(ttl, records.ttl)
      for (const address of records.addresses) places.push({ address, port: null, weight: 1, priority: 0 })
    }
    if (places.length === 0) {
      const [why] = silent as PromiseRejectedResult[]
      throw new LookupError(why?.reason.code ?? 'ENODATA')
    }
    return { places, ttl }
  }

  #bounded({ places, ttl }: Found): Answer {
    const allowed = places.filter(({ address }) => this.#isAllowed(address))
    const forbidden = places.find(({ address }) => !this.#isAllowed(address))?.address ?? ''
    if (allowed.length === 0) throw new LookupError('EFORBIDDEN')
    return { places: allowed, ttl, forbidden }
  }
}

/** `code` as of the resolver, or EFORBIDDEN. */
class LookupError extends Error {
  readonly code: string

  constructor(code: string) {
    super(code)
    this.code = code
  }
}

type Found = Omit<Answer, 'forbidden'>
type Answered = PromiseSettledResult<readonly { address: string; ttl: number }[]>

/** Null where the resolver does not know: then nothing has changed. */
function recordsOf(answer: Answered): Records | null {
  if (answer.status === 'rejected') {
    return NOTHING.has(answer.reason.code) ? { addresses: [], ttl: Number.POSITIVE_INFINITY } : null
  }
  let ttl = Number.POSITIVE_INFINITY
  for (const each of answer.value) ttl = Math.min(ttl, each.ttl)
  return { addresses: answer.value.map(({ address }) => normaliseAddress(address)).filter(isText), ttl }
}

const isText = (text: string): boolean => text !== ''

/** A weight of zero is little, not nothing (RFC 2782). */
function placeOf(address: string, { port, weight, priority }: SrvRecord): Place {
  return { address, port, weight: Math.max(1, weight), priority }
}
