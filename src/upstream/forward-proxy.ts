/**
 * The explicit forward proxy of a service: where it is, what it is told of us, and whether the way through it is open, said once each
 * time that this changes. It opens no socket.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import type { ConnectionOptions } from 'node:tls'
import type { ServiceConfig } from '../config/shape.ts'

/** A proxy that comes and goes is not said more often than this. */
const QUIET_MS = 10_000

/** Told once for each change: the reason why nothing gets through the proxy any more, or '' where something does again. */
export type OnWay = (proxy: string, reason: string) => void

export class ForwardProxy {
  readonly host: string
  readonly port: number
  /** Null: plain TCP to the proxy. */
  readonly tls: ConnectionOptions | null
  /** Value of Proxy-Authorization (RFC 7617); null where none is sent. */
  readonly authorization: string | null
  readonly #name: string
  readonly #onWay: OnWay
  #isBlocked = false
  #saidAt = Number.NEGATIVE_INFINITY

  /** Throws where the file of authorities cannot be read. `password` is null where there is no user. */
  constructor(settings: NonNullable<ServiceConfig['proxy']>, password: string | null, onWay: OnWay) {
    const { protocol, hostname, port } = new URL(settings.url)
    const isSecure = protocol === 'https:'
    const ca = settings.ca === undefined ? undefined : readFileSync(settings.ca)
    this.host = hostname.replace(/^\[|\]$/g, '')
    this.port = port === '' ? (isSecure ? 443 : 80) : Number(port)
    // An address is no server name (RFC 6066, 3); it is checked against the certificate all the same.
    const servername = isIP(this.host) === 0 ? this.host : ''
    this.tls = isSecure ? { ca, servername, rejectUnauthorized: true, minVersion: 'TLSv1.2' } : null
    const basic = Buffer.from(`${settings.auth?.user}:${password}`).toString('base64')
    this.authorization = password === null ? null : `Basic ${basic}`
    this.#name = `${hostname}:${this.port}`
    this.#onWay = onWay
  }

  /** It does what a proxy does, for this endpoint or only in general. */
  onWell(): void {
    if (!this.#isBlocked) return
    this.#isBlocked = false
    this.#onWay(this.#name, '')
  }

  /** Nothing gets through it, to whatever endpoint. */
  onTrouble(reason: string): void {
    const now = performance.now()
    if (this.#isBlocked || now - this.#saidAt < QUIET_MS) return
    this.#isBlocked = true
    this.#saidAt = now
    this.#onWay(this.#name, reason)
  }
}
