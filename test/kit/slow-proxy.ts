/** A TCP proxy that holds back what the server answers for so many milliseconds: a slow Redis, where no real one is slow at will. */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface SlowProxy {
  readonly port: number
  /** Held back from now on. */
  delayMs: number
  close(): Promise<void>
}

export async function startSlowProxy(toPort: number): Promise<SlowProxy> {
  const sockets = new Set<Socket>()
  const proxy = { port: 0, delayMs: 0, close }
  const server = createServer((client) => {
    const upstream = connect(toPort, '127.0.0.1')
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => {
        sockets.delete(socket)
        client.destroy()
        upstream.destroy()
      })
    }
    client.on('data', (chunk) => upstream.write(chunk))
    upstream.on('data', (chunk) => {
      if (proxy.delayMs === 0) client.write(chunk)
      else setTimeout(() => client.writable && client.write(chunk), proxy.delayMs)
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  proxy.port = (server.address() as { port: number }).port
  async function close(): Promise<void> {
    for (const socket of sockets) socket.destroy()
    server.close()
    await once(server, 'close')
  }
  return proxy
}
