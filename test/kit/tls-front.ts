/** A TLS front behind a socket of its own, which says back what it hears. */
import { once } from 'node:events'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import tls from 'node:tls'
import { type LoadedCertificate, loadCertificates } from '../../src/listen/certificates.ts'
import type { HandshakeFailure } from '../../src/listen/handshake-failure.ts'
import { type ListenerTls, TlsFront } from '../../src/listen/tls-front.ts'
import { type CertificateWish, makeCertificate, writePair } from './certificates.ts'

/** What a listener serves where its settings say nothing else. */
export function tlsOf(certificates: readonly LoadedCertificate[], more: Partial<ListenerTls> = {}): ListenerTls {
  return {
    profile: 'intermediate',
    certificates,
    isStrictSni: false,
    clients: null,
    ticketRotationMs: 3_600_000,
    sharedTickets: null,
    challenges: { hasPairs: false, pairFor: () => null, answerFor: () => null },
    staple: () => null,
    ...more,
  }
}

export async function loadMade(
  folder: string,
  wishes: readonly CertificateWish[],
  profile: ListenerTls['profile'] = 'intermediate',
): Promise<LoadedCertificate[]> {
  const pairs = await Promise.all(
    wishes.map(async (wish, at) => writePair(folder, `c${at}`, await makeCertificate(wish))),
  )
  return loadCertificates({ certificates: pairs, profile }, () => '', 'public')
}

export async function startFront(t: { teardown(fn: () => unknown): void }, first: ListenerTls) {
  const failures: HandshakeFailure[] = []
  const secured: tls.TLSSocket[] = []
  const front = new TlsFront(
    { tls: first, handshakeMs: 10_000 },
    (socket) => {
      secured.push(socket)
      socket.on('error', () => {})
      socket.pipe(socket)
    },
    (failure) => failures.push(failure),
  )
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    front.take(socket)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => {
    front.close()
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return { front, failures, secured, port: (server.address() as AddressInfo).port }
}

/** A finished handshake, or the code of the failure. Under TLS 1.3 a server may still refuse what the client thinks finished. */
export function shake(port: number, options: tls.ConnectionOptions = {}): Promise<tls.TLSSocket | string> {
  return new Promise((resolve) => {
    const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false, ...options })
    socket.once('secureConnect', () => resolve(socket))
    socket.on('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
    socket.on('close', () => resolve('closed'))
  })
}

/** What the other side says back to `text`. Rejects where the connection is dropped. */
export function echo(socket: tls.TLSSocket, text: string): Promise<string> {
  return new Promise((resolve, reject) => {
    socket.once('data', (data) => resolve(data.toString()))
    socket.once('close', () => reject(new Error('the connection was dropped')))
    socket.write(text)
  })
}
