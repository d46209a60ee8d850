/** The services as an operator sees them, and what may be done to their endpoints at run time. It opens nothing. */

export interface ServiceView {
  readonly name: string
  /** Of a service without a circuit: always closed. */
  readonly circuit: 'closed' | 'open' | 'half-open'
  /** Requests that wait while every endpoint is full. */
  readonly waiting: number
  readonly endpoints: readonly EndpointView[]
}

export interface EndpointView {
  /** Host and port: internal, for the operator only. */
  readonly name: string
  readonly state: 'in' | 'warming' | 'down' | 'ejected' | 'drained' | 'leaving'
  readonly weight: number
  readonly requests: number
  readonly sockets: number
}

export interface ServiceBook {
  all(): readonly ServiceView[]
  /** New clients go elsewhere, or come again; what runs goes on. False where there is no such endpoint. */
  drain(service: string, endpoint: string, isDrained: boolean): boolean
}
