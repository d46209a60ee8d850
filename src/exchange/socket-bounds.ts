/** The bounds of the WebSockets of one route, as the data path sees them: decided at load. It knows no frame. */
import type { AddressCaps } from './address-caps.ts'
import type { TunnelFilterFactory } from './contracts.ts'
import type { Exchange } from './exchange.ts'

export interface SocketBounds {
  /** Names that may be offered; null: any. */
  readonly subprotocols: ReadonlySet<string> | null
  /** Sockets that one address may have open on the route. */
  readonly perAddress: AddressCaps
  /** Bytes of one message, over all its fragments. */
  readonly maxMessageBytes: number
  readonly messageRate: { readonly points: number; readonly windowMs: number }
  /** Bytes of messages per second. */
  readonly byteRate: number
  /** Over a rate: read no faster, drop the message, or close the socket. */
  readonly overRate: 'wait' | 'refuse' | 'close'
  /** What all sockets of an address may send together; null: no such limit. */
  readonly limit: MessageLimit | null
  readonly closesOverLimit: boolean
  /** Bytes of one message that came compressed, inflated; 0: compression is not spoken with clients. */
  readonly maxInflatedBytes: number
  /** Null: whoever reads the messages decides; without a reader they pass. */
  readonly binary: 'pass' | 'refuse' | 'close' | null
  /** Milliseconds without a frame either way; 0: what the listener says. */
  readonly idleMs: number
  /** Milliseconds of silence from the client until it is pinged; 0: never. */
  readonly pingMs: number
  /** Milliseconds until it must have been heard again. */
  readonly pongMs: number
  /** Milliseconds until the socket is closed, however busy; 0: never. */
  readonly lifetimeMs: number
  /** Puts what changes the upstream's messages around a filter. */
  readonly shown: (filter: TunnelFilterFactory) => TunnelFilterFactory
}

/** Counts single messages in the store of limits. */
export interface MessageLimit {
  /**
   * Counts one message. `event` is a name of the configuration or a fixed word: never what a client wrote.
   *
   * @returns Whether it may pass; null where the store is asked, and `answer` called once.
   */
  ask(x: Exchange, event: string, answer: (isAllowed: boolean) => void): boolean | null
}
