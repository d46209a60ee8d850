/**
 * A request that looks for an endpoint of its service: what its choice depends on, and the place that it holds. It knows no
 * exchange; the forwarding is one.
 */
import type { FailureCode } from '../errors.ts'
import type { Endpoint } from './endpoint.ts'
import type { Service } from './service.ts'

export abstract class Seeker {
  readonly service: Service
  readonly isWebSocket: boolean
  /** 32 bits that keep requests together; 0 where the service does not ask. */
  key = 0
  /** Where the client belongs. */
  pin: Endpoint | null = null
  /** What the client wants exists at `pin` only. */
  isBound = false
  /** The endpoint of the last try. */
  endpoint: Endpoint | null = null
  tries = 0
  /** When the wait for an endpoint is over, by the clock of the service. */
  waitEnd = 0
  #holds = false

  constructor(service: Service, isWebSocket: boolean) {
    this.service = service
    this.isWebSocket = isWebSocket
  }

  /** `endpoint` is the one; the place there is taken. */
  abstract onPlaced(endpoint: Endpoint): void
  abstract onNotPlaced(code: FailureCode): void

  /** Only the service calls it. */
  place(endpoint: Endpoint): void {
    endpoint.take(this.isWebSocket)
    this.#holds = true
    this.endpoint = endpoint
    this.tries++
    this.onPlaced(endpoint)
  }

  /** Gives its place back, or leaves the line. Once is enough. */
  letGo(): void {
    if (this.#holds) {
      this.#holds = false
      this.endpoint!.release(this.isWebSocket)
      this.service.onPlaceFree()
    } else if (this.waitEnd !== 0) this.service.leave(this)
  }
}
