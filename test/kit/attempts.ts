/** Every connection that this process tries, and every name that it looks up for one, from the first use on. */
import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'

/** `address:port`, in the order of the attempts. */
export const attempts: string[] = []
/** Names that the system was asked for. */
export const lookups: string[] = []

subscribe('net.client.socket', (message) => {
  const { socket } = message as { socket: Socket }
  socket.on('connectionAttempt', (address: string, port: number) => attempts.push(`${address}:${port}`))
  socket.on('lookup', (_error, _address, _family, host: string) => lookups.push(host))
})
