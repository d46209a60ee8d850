/** Shows services to an operator. It changes nothing. */
import type { EndpointView, ServiceView } from '../exchange/service-book.ts'
import type { Endpoint } from './endpoint.ts'
import type { Service } from './service.ts'

export function viewOf(service: Service): ServiceView {
  return {
    name: service.name,
    circuit: service.circuit.state,
    waiting: service.waiting,
    endpoints: service.endpoints.map(viewOfEndpoint),
  }
}

function viewOfEndpoint(endpoint: Endpoint): EndpointView {
  const { name, weight, state } = endpoint
  return { name, state: stateOf(endpoint), weight, requests: state.requests, sockets: state.sockets }
}

function stateOf({ state, share, weight }: Endpoint): EndpointView['state'] {
  if (state.isDrained) return 'drained'
  if (!state.isUp) return 'down'
  if (state.ejectedUntil !== 0) return 'ejected'
  return share < weight ? 'warming' : 'in'
}
