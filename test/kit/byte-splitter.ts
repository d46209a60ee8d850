/**
 * Stands between a real client and the gateway, speaks TLS to both, and sends on every byte in a write, and so in a TLS
 * record, of its own: whatever the client says is fragmented at every place where it can be.
 */
import type { AddressInfo } from 'node:net'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { makeCertificate } from './certificates.ts'

export interface Splitter {
  readonly port: number
  /** Bytes sent on, each by itself. */
  readonly count: () => number
  close(): Promise<void>
}

/** Both sides agree on `protocol` and no other. */
export async function startSplitter(target: number, protocol: 'http/1.1' | 'h2' = 'http/1.1'): Promise<Splitter> {
  const certificate = await makeCertificate({ names: ['localhost'] })
  const open = new Set<TLSSocket>()
  let count = 0
  const server = createServer({ ...certificate, ALPNProtocols: [protocol] }, (client) => {
    const gateway = connect({
      host: '127.0.0.1',
      port: target,
      servername: 'localhost',
      rejectUnauthorized: false,
      ALPNProtocols: [protocol],
    })
    gateway.setNoDelay(true)
    for (const each of [client, gateway]) {
      open.add(each)
      each.on('error', () => {})
      each.on('close', () => {
        open.delete(each)
        client.destroy()
        gateway.destroy()
      })
    }
    gateway.on('data', (chunk: Buffer) => client.write(chunk))
    client.on('data', (chunk: Buffer) => {
      client.pause()
      let at = 0
      const next = (): void => {
        if (gateway.destroyed) return
        if (at === chunk.length) {
          client.resume()
          return
        }
        count++
        gateway.write(chunk.subarray(at, ++at), () => setImmediate(next))
      }
      next()
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: (server.address() as AddressInfo).port,
    count: () => count,
    close: async () => {
      for (const each of open) each.destroy()
      server.close()
    },
  }
}
