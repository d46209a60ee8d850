/** The section of one service as the loader would give it, for tests that make services without a file. */
import { service } from '../../src/config/services-shape.ts'
import type { ServiceConfig } from '../../src/config/shape.ts'
import type { EndpointPlace } from '../../src/upstream/endpoint.ts'

/** `settings` as an operator writes them. */
export function serviceConfig(settings: Record<string, unknown>): ServiceConfig {
  return service.parse(settings)
}

/** An endpoint as its URL says. */
export function placeAt(url: string): EndpointPlace {
  return { url, key: url, weight: 1, priority: 0, address: null, port: null }
}
