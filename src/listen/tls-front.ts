/**
 * The TLS half of a listener: handshakes with the certificates, authorities and ticket keys of the moment, and what became of
 * each. It knows no address and no request; sockets are handed to it.
 */
import type { Socket } from 'node:net'
import { createServer, type SecureContextOptions, type Server, type TLSSocket } from 'node:tls'
import type { TlsConfig } from '../config/shape.ts'
import type { AcmeChallenges } from '../exchange/acme-challenges.ts'
import { CertificateTable } from './certificate-table.ts'
import type { LoadedCertificate } from './certificates.ts'
import { ChallengeFront } from './challenge-front.ts'
import type { ClientAuthorities } from './client-certificates.ts'
import { certificateFailure, type HandshakeFailure, handshakeFailure, wasShown } from './handshake-failure.ts'
import type { SharedTicketKeys } from './shared-ticket-keys.ts'
import { TicketKeys } from './ticket-keys.ts'
import { TLS_PROFILES, withoutResumption } from './tls.ts'

/** What a listener serves over TLS. */
export interface ListenerTls {
  readonly profile: TlsConfig['profile']
  readonly certificates: readonly LoadedCertificate[]
  readonly isStrictSni: boolean
  /** Null where clients are asked for no certificate. */
  readonly clients: ClientAuthorities | null
  /** Milliseconds that a key of session tickets lives. */
  readonly ticketRotationMs: number
  /** The keys that nodes have in common; null: this process is alone with its own. */
  readonly sharedTickets: SharedTicketKeys | null
  readonly challenges: AcmeChallenges
  /** The OCSP answer to staple for a certificate, DER; null for none. */
  readonly staple: (certificate: Buffer) => Buffer | null
}

interface FrontOptions {
  readonly tls: ListenerTls
  /** Milliseconds for a handshake. */
  readonly handshakeMs: number
}

export class TlsFront {
  #tls: ListenerTls
  #table: CertificateTable
  #server: Server
  readonly #tickets: TicketKeys
  readonly #challenges: ChallengeFront
  #handshakeMs: number
  readonly #onSecure: (socket: TLSSocket) => void
  readonly #onFailure: (failure: HandshakeFailure, socket: TLSSocket) => void

  /** `onFailure` is told of every handshake that came to nothing, before its socket is closed where that can be. */
  constructor(
    options: FrontOptions,
    onSecure: (socket: TLSSocket) => void,
    onFailure: (failure: HandshakeFailure, socket: TLSSocket) => void,
  ) {
    this.#onSecure = onSecure
    this.#onFailure = onFailure
    this.#tls = options.tls
    this.#handshakeMs = options.handshakeMs
    this.#challenges = new ChallengeFront(options.tls.challenges)
    const { ticketRotationMs, sharedTickets } = options.tls
    this.#tickets = new TicketKeys(ticketRotationMs, sharedTickets, (key) => this.#server.setTicketKeys(key))
    this.#table = tableOf(options.tls)
    this.#server = this.#makeServer(options)
  }

  /** Does the certificate that was served for `serverName` cover `host`? */
  covers(serverName: string, host: string): boolean {
    return this.#table.covers(serverName, host)
  }

  /** Begins the handshake of an accepted socket. */
  take(socket: Socket): void {
    if (!this.#tls.challenges.hasPairs) this.#server.emit('connection', socket)
    else this.#challenges.take(socket, this.#handshakeMs, () => this.#server.emit('connection', socket))
  }

  /**
   * Serves something else from the next handshake on; handshakes that are under way, and what is open, keep what they agreed
   * on. Sessions can still be resumed, where the authorities of clients stayed out of it.
   */
  serve(options: FrontOptions): void {
    this.#tls = options.tls
    this.#handshakeMs = options.handshakeMs
    this.#tickets.change(options.tls.ticketRotationMs, options.tls.sharedTickets)
    this.#table = tableOf(options.tls)
    this.#server = this.#makeServer(options)
  }

  close(): void {
    this.#tickets.close()
  }

  #makeServer({ tls, handshakeMs }: FrontOptions): Server {
    const { clients } = tls
    const server = createServer({
      ...contextOf(tls),
      ...this.#table.defaultPair,
      ticketKeys: this.#tickets.current,
      // Node makes one of the command line, by which nodes may differ.
      sessionIdContext: 'portcullis',
      // A client that offers neither gets the alert no_application_protocol (RFC 7301, 3.2); one that offers none speaks HTTP/1.1.
      ALPNProtocols: ['h2', 'http/1.1'],
      SNICallback: this.#table.onServerName,
      handshakeTimeout: handshakeMs,
      requestCert: clients !== null,
      // Judged by #judge: Node would end the connection without saying whose it was.
      rejectUnauthorized: false,
    })
    server.on('secureConnection', (socket) => this.#judge(socket, clients))
    server.on('tlsClientError', (error: NodeJS.ErrnoException, socket) => {
      this.#onFailure(handshakeFailure(error), socket)
      socket.destroy()
    })
    server.on(
      'OCSPRequest',
      (certificate: Buffer, _issuer: Buffer, done: (error: Error | null, answer: Buffer) => void) =>
        // Null is what Node takes for no answer; its types do not say so.
        done(null, this.#tls.staple(certificate) as Buffer),
    )
    return server
  }

  #judge(socket: TLSSocket, clients: ClientAuthorities | null): void {
    if (clients !== null && !socket.authorized && (clients.isRequired || wasShown(socket))) {
      socket.on('error', ignoreError)
      this.#onFailure(certificateFailure(socket), socket)
      socket.destroy()
      return
    }
    this.#onSecure(socket)
  }
}

function contextOf({ profile, clients }: ListenerTls): SecureContextOptions {
  if (clients === null) return TLS_PROFILES[profile]
  return { ...withoutResumption(TLS_PROFILES[profile]), ...clients.context }
}

function tableOf(tls: ListenerTls): CertificateTable {
  return new CertificateTable(tls.certificates, contextOf(tls), tls.isStrictSni)
}

function ignoreError(): void {}
