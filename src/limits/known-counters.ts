/** The counters of a store by name, each with the options that it was made for. It counts nothing. */
import type { CounterOptions } from '../exchange/contracts.ts'
import { windowRule } from './window.ts'

/** Asked again with the same options it is the same counter; with others a new one takes the place of the old. */
export class KnownCounters<C> {
  readonly #known = new Map<string, { readonly signature: string; readonly counter: C }>()

  take(options: CounterOptions, make: () => C): C {
    const signature = JSON.stringify([windowRule(options), options.onOutage])
    const known = this.#known.get(options.name)
    if (known !== undefined && known.signature === signature) return known.counter
    const counter = make()
    this.#known.set(options.name, { signature, counter })
    return counter
  }

  *all(): IterableIterator<C> {
    for (const { counter } of this.#known.values()) yield counter
  }
}
