/**
 * A forward proxy in this process, for what no real one does at will: names that only it knows, answers that are written out, and
 * the list of the connections that it made, so that a service can tell who came by it.
 */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface ConnectProxy {
  readonly port: number
  readonly url: string
  /** Heads that came, latin1. */
  readonly heads: string[]
  /** Ports of the proxy's own connections to services. */
  readonly ownPorts: Set<number>
  /** Answers so instead of opening tunnels; null opens them. */
  answer: ((socket: Socket, head: string) => void) | null
  /** Connections to the proxy that are open, tunnels or not. */
  open(): number
  close(): Promise<void>
}

/** `places`: port of this machine by the `host:port` that is asked for; others are looked for on 127.0.0.1 as they are. */
export async function startConnectProxy(places: ReadonlyMap<string, number> = new Map()): Promise<ConnectProxy> {
  const sides = new Set<Socket>()
  const keep = (socket: Socket): Socket => {
    sides.add(socket)
    return socket.on('error', () => {}).on('close', () => sides.delete(socket))
  }
  const nears = new Set<Socket>()
  const server = createServer((near) => {
    nears.add(keep(near).on('close', () => nears.delete(near)))
    let head = ''
    const onData = (bytes: Buffer): void => {
      head += bytes.toString('latin1')
      if (!head.includes('\r\n\r\n')) return
      near.off('data', onData)
      proxy.heads.push(head)
      if (proxy.answer === null) tunnel(near, head)
      else proxy.answer(near, head)
    }
    near.on('data', onData)
  })
  const tunnel = (near: Socket, head: string): void => {
    const authority = /^CONNECT (\S+) HTTP\/1\.1\r\n/.exec(head)?.[1] ?? ''
    const far = keep(connect(places.get(authority) ?? Number(authority.split(':').at(-1)), '127.0.0.1'))
    far.on('error', () => near.end('HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n'))
    far.once('connect', () => {
      proxy.ownPorts.add(far.localPort!)
      near.write('HTTP/1.1 200 Connection established\r\n\r\n')
      near.pipe(far)
      far.pipe(near)
    })
    near.on('close', () => far.destroy())
    // Nobody reads it any more, but 'close' comes only to streams that flow.
    far.on('close', () => near.end().resume())
  }
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done))
  const port = (server.address() as AddressInfo).port
  const proxy: ConnectProxy = {
    ...{ port, url: `http://127.0.0.1:${port}`, heads: [], ownPorts: new Set(), answer: null },
    open: () => nears.size,
    close: () =>
      new Promise((done) => {
        server.close(() => done())
        for (const side of sides) side.destroy()
      }),
  }
  return proxy
}
