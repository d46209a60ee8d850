/** What the metrics page shows of services. Only where numbers come from; the page is for this machine, endpoints are named. */
import type { EndpointView, ServiceBook } from '../exchange/service-book.ts'
import type { GatewayMetrics } from '../observe/metrics.ts'

export function addServiceGauges(metrics: GatewayMetrics, services: ServiceBook): void {
  const byEndpoint = (name: string, help: string, read: (endpoint: EndpointView) => number): void =>
    metrics.gauges(name, help, ['service', 'endpoint'], function* numbers() {
      for (const service of services.all())
        for (const endpoint of service.endpoints) yield { labels: [service.name, endpoint.name], value: read(endpoint) }
    })
  byEndpoint('endpoint_in', '1 where new clients may come to the endpoint.', ({ state }) =>
    state === 'in' || state === 'warming' ? 1 : 0,
  )
  byEndpoint('endpoint_requests', 'Requests and event streams that run at the endpoint.', ({ requests }) => requests)
  byEndpoint('endpoint_sockets', 'WebSockets that are open to the endpoint.', ({ sockets }) => sockets)
  metrics.gauges(
    'service_waiting',
    'Requests that wait while every endpoint is full.',
    ['service'],
    function* numbers() {
      for (const { name, waiting } of services.all()) yield { labels: [name], value: waiting }
    },
  )
  metrics.gauges(
    'service_circuit_open',
    '1 while the circuit before the service is not closed.',
    ['service'],
    function* numbers() {
      for (const { name, circuit } of services.all()) yield { labels: [name], value: circuit === 'closed' ? 0 : 1 }
    },
  )
}
