/** Checks the endpoints of a service again and again, each at times of its own. It judges nothing. */
import type { ServiceConfig } from '../config/shape.ts'
import { checkEndpoint } from './check.ts'
import type { Endpoint } from './endpoint.ts'

/** Part of the interval by which a check comes sooner or later, so that gateways do not all come at once. */
const JITTER = 0.1

export class Checks {
  readonly #settings: NonNullable<ServiceConfig['health']>
  readonly #onResult: (endpoint: Endpoint, problem: string | null) => void
  /** By endpoint: the timer of its next check, null while one runs. */
  readonly #next = new Map<Endpoint, NodeJS.Timeout | null>()

  constructor(
    settings: NonNullable<ServiceConfig['health']>,
    onResult: (endpoint: Endpoint, problem: string | null) => void,
  ) {
    this.#settings = settings
    this.#onResult = onResult
  }

  /** These from now on, and no others; new ones at once. */
  watch(endpoints: readonly Endpoint[]): void {
    for (const [known, timer] of this.#next) {
      if (endpoints.includes(known)) continue
      if (timer !== null) clearTimeout(timer)
      this.#next.delete(known)
    }
    for (const endpoint of endpoints) if (!this.#next.has(endpoint)) this.#check(endpoint)
  }

  #check(endpoint: Endpoint): void {
    this.#next.set(endpoint, null)
    checkEndpoint(endpoint.target, this.#settings, (problem) => {
      if (!this.#next.has(endpoint)) return
      this.#onResult(endpoint, problem)
      const waitMs = this.#settings.interval * (1 + JITTER * (2 * Math.random() - 1))
      const timer = setTimeout(() => this.#check(endpoint), waitMs)
      timer.unref()
      this.#next.set(endpoint, timer)
    })
  }
}
