/** The keys by which a probe reaches everybody who must take writes: one for a server, one for each master of a Cluster. */
import { Cluster, Command, type Redis } from 'ioredis'

const MOST_TRIES = 20_000

export class ProbeKeys {
  readonly #client: Redis | Cluster
  readonly #prefix: string
  /** Slot of each key that was tried, by its number. */
  readonly #slots: number[] = []

  constructor(client: Redis | Cluster, prefix: string) {
    this.#client = client
    this.#prefix = prefix
  }

  /** Empty where it is not known yet who the masters are; asks for them then. */
  current(): readonly string[] {
    if (!(this.#client instanceof Cluster)) return [this.#key(0)]
    const { slots } = this.#client
    const masters = new Set<string | undefined>()
    for (let slot = 0; slot < slots.length; slot++) masters.add(slots[slot]?.[0])
    if (masters.size === 0 || masters.has(undefined)) return []
    const keys: string[] = []
    for (let i = 0; i < MOST_TRIES && masters.size > 0; i++) {
      const key = this.#key(i)
      this.#slots[i] ??= new Command('get', [key]).getSlot()
      if (masters.delete(slots[this.#slots[i]!]?.[0])) keys.push(key)
    }
    return keys
  }

  /** Learns anew who the masters are: after a failover nobody else may ask. */
  refresh(): void {
    if (this.#client instanceof Cluster) this.#client.refreshSlotsCache()
  }

  #key(i: number): string {
    return `${this.#prefix}:{probe-${i}}`
  }
}
