/** Shows the services of the present plan to an operator. It knows no plan. */
import type { EndpointView, ServiceBook, ServiceView } from '../exchange/service-book.ts'
import type { Endpoint } from './endpoint.ts'
import type { Service } from './service.ts'

type Services = ReadonlyMap<string, Service>

/** `read` gives those of the present plan. */
export function serviceBook(read: () => Services | undefined): ServiceBook {
  return {
    all: () => [...(read()?.values() ?? [])].map(viewOf),
    drain: (service, endpoint, isDrained) => read()?.get(service)?.drain(endpoint, isDrained) ?? false,
  }
}

/** One service that is down is its own trouble; all of them are this gateway's, and another one may reach them. */
export function isCutOff(services: ServiceBook): boolean {
  const all = services.all()
  return (
    all.length > 0 &&
    all.every(({ endpoints }) => endpoints.every(({ state }) => state === 'down' || state === 'leaving'))
  )
}

function viewOf(service: Service): ServiceView {
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
  if (state.isGone) return 'leaving'
  if (state.isDrained) return 'drained'
  if (!state.isUp) return 'down'
  if (state.ejectedUntil !== 0) return 'ejected'
  return share < weight ? 'warming' : 'in'
}
