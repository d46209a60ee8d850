/** Servers and clients of socket.io 2 (Engine.IO 3), which have no types of their own. */
import type { Server } from 'node:http'
import { createRequire } from 'node:module'

type Listener = (...values: never[]) => void

export interface OldSocket {
  readonly id: string
  readonly connected: boolean
  /** Of the server's side. */
  readonly conn: { transport: { name: string } }
  /** Of the client's side. */
  readonly io: { engine: { transport: { name: string } } }
  on(event: string, listener: Listener): void
  once(event: string, listener: Listener): void
  emit(event: string, ...values: unknown[]): void
  disconnect(): void
}

export interface OldServer {
  of(namespace: string): { on(event: 'connection', listener: (socket: OldSocket) => void): void }
  close(): void
}

const require = createRequire(import.meta.url)

/** A server on an HTTP server that listens, or will. */
export const oldServer = require('socket.io-2') as (http: Server, options: object) => OldServer
// It would take Node's own WebSocket for a browser's, which cannot be told to trust a certificate made for a test.
const { WebSocket } = globalThis
Reflect.deleteProperty(globalThis, 'WebSocket')
/** A client; it connects at once. */
export const oldClient = require('socket.io-client-2') as (url: string, options: object) => OldSocket
globalThis.WebSocket = WebSocket
