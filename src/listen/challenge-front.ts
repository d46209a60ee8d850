/**
 * Tells an authority's tls-alpn-01 visits (RFC 8737) from handshakes of clients, and answers them with the certificate of the
 * challenge and nothing else. In use only while a challenge waits. It knows no listener.
 */
import type { Socket } from 'node:net'
import { createSecureContext, createServer, type Server } from 'node:tls'
import type { AcmeChallenges } from '../exchange/acme-challenges.ts'
import { readHello } from './client-hello.ts'

export class ChallengeFront {
  readonly #server: Server

  constructor(challenges: AcmeChallenges) {
    this.#server = createServer({
      minVersion: 'TLSv1.2',
      ALPNProtocols: ['acme-tls/1'],
      SNICallback: (serverName, done) => {
        const pair = challenges.pairFor(serverName.toLowerCase())
        if (pair === null) done(new Error('no challenge waits for this name'))
        else done(null, createSecureContext(pair))
      },
    })
    // The authority has seen the certificate: that was all.
    this.#server.on('secureConnection', (socket) => socket.on('error', ignoreError).end())
    this.#server.on('tlsClientError', (_error, socket) => socket.destroy())
  }

  /** Takes an accepted socket; `onOther` is told where it is a client's, with every byte still to be read. */
  take(socket: Socket, helloMs: number, onOther: () => void): void {
    let held: Buffer | null = null
    const timer = setTimeout(() => socket.destroy(), helloMs)
    const leave = (): void => {
      clearTimeout(timer)
      socket.off('data', onData).off('close', leave)
    }
    const onData = (chunk: Buffer): void => {
      held = held === null ? chunk : Buffer.concat([held, chunk])
      const kind = readHello(held)
      if (kind === 'more') return
      leave()
      socket.pause()
      socket.unshift(held)
      if (kind === 'challenge') this.#server.emit('connection', socket)
      else onOther()
    }
    socket.on('data', onData).on('close', leave)
  }
}

function ignoreError(): void {}
