/**
 * What is known of an endpoint and outlives a reload: what runs there. It opens nothing and decides nothing.
 */
export class EndpointState {
  /** Requests and event streams that run. */
  requests = 0
  /** WebSockets that are open, or being opened. */
  sockets = 0
}
