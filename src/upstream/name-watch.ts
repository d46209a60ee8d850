/**
 * Follows one name: looks it up when its time has come, keeps the last good answer while no other one comes, and gives that up
 * at an age. It knows no endpoint.
 */
import { type Answer, Lookup, type NameSettings, type Place } from './lookup.ts'

/** A time to live of less is not heeded. */
const LEAST_TTL_MS = 1000
const FIRST_RETRY_MS = 1000
/** Part of the wait by which a look-up comes sooner, so that gateways do not all ask at once. */
const JITTER = 0.1

export interface NameListener {
  /** Where the name leads from now on: also nowhere, where its last answer is too old. */
  onPlaces(places: readonly Place[]): void
  /** Once each time that it begins; '' when it is over. */
  onTrouble(name: string, reason: string): void
}

/** What one watch hands on to the next one over a reload. */
export interface NameMemory {
  readonly places: readonly Place[]
  /** By `performance.now()`. */
  readonly answeredAt: number
}

export class NameWatch {
  readonly name: string
  readonly #settings: NameSettings
  readonly #listener: NameListener
  readonly #lookup: Lookup
  #memory: NameMemory
  #trouble = ''
  #failures = 0
  #timer: NodeJS.Timeout | undefined = undefined
  #asking: Promise<void> | null = null
  #watches = false
  #isOver = false
  /** By `performance.now()`; 0 before the first look-up. */
  #dueAt = 0

  constructor(name: string, settings: NameSettings, memory: NameMemory | null, listener: NameListener) {
    this.name = name
    this.#settings = settings
    this.#listener = listener
    this.#lookup = new Lookup(name, settings)
    this.#memory = memory ?? { places: [], answeredAt: performance.now() }
  }

  get memory(): NameMemory {
    return this.#memory
  }

  /** After the first look-up, whatever it said. Never rejects. */
  async whenAsked(): Promise<void> {
    if (this.#dueAt === 0) await this.#look()
  }

  #look(): Promise<void> {
    this.#asking ??= this.#ask().then((waitMs) => {
      this.#dueAt = performance.now() + waitMs * (1 - JITTER * Math.random())
      this.#asking = null
    })
    return this.#asking
  }

  /** From now on again and again. */
  watch(): void {
    if (this.#watches) return
    this.#watches = true
    this.#isOver = false
    this.#wait()
  }

  unwatch(): void {
    this.#watches = false
    this.#isOver = true
    clearTimeout(this.#timer)
    this.#lookup.cancel()
  }

  async #go(): Promise<void> {
    await this.#look()
    if (this.#watches) this.#wait()
  }

  #wait(): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#go(), Math.max(0, this.#dueAt - performance.now()))
    this.#timer.unref()
  }

  async #ask(): Promise<number> {
    const { interval } = this.#settings
    try {
      const answer = await this.#lookup.ask()
      if (!this.#isOver) this.#onAnswer(answer)
      return Math.min(interval, Math.max(LEAST_TTL_MS, answer.ttl * 1000))
    } catch (error) {
      if (!this.#isOver) this.#onSilence(String((error as NodeJS.ErrnoException).code ?? error))
      return Math.min(interval, FIRST_RETRY_MS * 2 ** Math.min(this.#failures++, 20))
    }
  }

  #onAnswer({ places, forbidden }: Answer): void {
    this.#failures = 0
    this.#memory = { places: this.#chosen(places), answeredAt: performance.now() }
    this.#tell(forbidden === '' ? '' : `it names ${forbidden}, which is not allowed`)
    this.#listener.onPlaces(this.#memory.places)
  }

  #onSilence(code: string): void {
    this.#tell(REASONS[code] ?? code)
    const { places, answeredAt } = this.#memory
    if (places.length === 0 || performance.now() - answeredAt < this.#settings.maxAge) return
    this.#memory = { places: [], answeredAt }
    this.#listener.onPlaces([])
  }

  /** Those that are known stay, so that answers in turns do not move everybody. */
  #chosen(places: readonly Place[]): readonly Place[] {
    const most = this.#settings.addresses === 'one' ? 1 : this.#settings.most
    const known = new Set(this.#memory.places.map(({ address, port }) => `${address} ${port}`))
    const isKnown = ({ address, port }: Place): number => (known.has(`${address} ${port}`) ? 0 : 1)
    return places.toSorted((one, other) => isKnown(one) - isKnown(other)).slice(0, most)
  }

  #tell(reason: string): void {
    if ((this.#trouble === '') === (reason === '')) return
    this.#trouble = reason
    this.#listener.onTrouble(this.name, reason)
  }
}

const REASONS: Readonly<Record<string, string>> = {
  ENODATA: 'it has no address',
  ENOTFOUND: 'it does not exist',
  EFORBIDDEN: 'it names only addresses that are not allowed',
  ETIMEOUT: 'no DNS server answers',
  ECANCELLED: 'no DNS server answers',
  ECONNREFUSED: 'no DNS server answers',
}
