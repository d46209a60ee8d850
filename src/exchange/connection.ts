/** What listeners, engines and exchanges know of one another. */
import type { FailureCode } from '../errors.ts'
import type { HeaderList } from '../http/headers.ts'
import type { ListenerPlan } from './contracts.ts'

/** A listener, as an engine sees it. */
export interface ConnectionOwner {
  /** The plan for the next exchange. */
  readonly plan: ListenerPlan
  onConnectionEnd(connection: Connection): void
}

/** A client certificate that the handshake has verified. */
export interface ClientCertificate {
  /** One line of printable ASCII. */
  readonly subject: string
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string
  /** What services are told: a flat list. */
  readonly fields: HeaderList
}

/** How a connection came, as its listener knows it. */
export interface Arrival {
  /** The client's end: of the socket, or what the PROXY protocol says. IPv4-mapped ones as IPv4. */
  readonly address: string
  /** The port that the client reached. */
  readonly localPort: number
  /** Null where the client showed none, or was not asked. */
  readonly certificate: ClientCertificate | null
}

/** An engine, as a listener sees it. */
export interface Connection {
  /** Ends after the running exchanges; soon where there are none. */
  drain(): void
  /** Cuts it now. The running exchanges fail with `code`, by default as where the client left. */
  destroy(code?: FailureCode): void
}

/** What an exchange needs to know of the connection it came by. */
export interface Peer {
  /** The address at the other end of the socket, IPv4-mapped ones as IPv4. */
  readonly address: string
  readonly secure: boolean
  /** SNI that the client asked for; '' where none. */
  readonly serverName: string
  readonly localPort: number
  /** What the client showed in the handshake, verified; null where nothing. */
  readonly certificate: ClientCertificate | null
  /** Closes the connection after the running answer. */
  closeAfterAnswer(): void
}
