/** A TCP connection to something, that a test can cut: bytes stop and nobody is told, as when a network is parted. */
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'

export interface Wire {
  readonly port: number
  /** Connections that were asked for. */
  readonly count: () => number
  /** Nothing passes any more, new connections included. */
  cut(): void
  /** What was held up goes on. */
  mend(): void
  close(): void
}

export async function startWire(target: number): Promise<Wire> {
  const sides = new Set<Socket>()
  let isCut = false
  let count = 0
  const server = createServer((near) => {
    count++
    const far = connect(target, '127.0.0.1')
    for (const side of [near, far]) {
      sides.add(side)
      side.on('error', () => {})
      side.on('close', () => {
        sides.delete(side)
        if (isCut) return
        near.destroy()
        far.destroy()
      })
      if (isCut) side.pause()
    }
    const pass = (from: Socket, to: Socket): void => {
      from.on('data', (chunk: Buffer) => to.write(chunk))
      from.on('end', () => to.end())
    }
    pass(near, far)
    pass(far, near)
    if (isCut) for (const side of [near, far]) side.pause()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    count: () => count,
    cut: () => {
      isCut = true
      for (const side of sides) side.pause()
    },
    mend: () => {
      isCut = false
      for (const side of sides) side.resume()
    },
    close: () => {
      for (const side of sides) side.destroy()
      server.close()
    },
  }
}
