/**
 * TLS handshakes one after the other on several lanes, `full` or `resumed`, each ended in order by close_notify. TLS 1.3,
 * X25519 and AES-128-GCM for everybody, so that the work is the same.
 */
import { connect, type TLSSocket } from 'node:tls'
import { type ClientSettings, runClient } from './client-program.ts'

const LANE_MS = 10_000

interface Outcome {
  readonly resumed: boolean
  /** The ticket for the next one. */
  readonly session: Buffer | null
}

function handshake(port: number, session: Buffer | null): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    let ticket: Buffer | null = null
    let isSecure = false
    let resumed = false
    const socket: TLSSocket = connect({
      ...{ host: '127.0.0.1', port, servername: 'localhost', rejectUnauthorized: false, ALPNProtocols: ['http/1.1'] },
      ...{ minVersion: 'TLSv1.3', ecdhCurve: 'X25519', ciphers: 'TLS_AES_128_GCM_SHA256' },
      ...(session === null ? {} : { session }),
    })
    const timer = setTimeout(() => socket.destroy(new Error('no handshake in time')), LANE_MS)
    socket.once('secureConnect', () => {
      isSecure = true
      resumed = socket.isSessionReused()
      // Tickets come with the first bytes that the server writes after the handshake.
      if (session !== null) socket.end()
    })
    socket.on('session', (data: Buffer) => {
      ticket = data
      socket.end()
    })
    socket.on('error', (error) => {
      // Only what comes before the handshake counts.
      if (!isSecure) reject(error)
    })
    socket.once('close', () => {
      clearTimeout(timer)
      if (isSecure) resolve({ resumed, session: ticket ?? session })
      else reject(new Error('closed in the handshake'))
    })
    socket.resume()
  })
}

await runClient(async ({ port, seconds, count, mode }: ClientSettings) => {
  const wantsResumed = mode === 'resumed'
  const tickets = await Promise.all(Array.from({ length: count }, () => handshake(port, null)))
  return async () => {
    let done = 0
    let others = 0
    const startedAt = performance.now()
    const end = startedAt + seconds * 1000
    await Promise.all(
      tickets.map(async (first) => {
        let session = first.session
        while (performance.now() < end) {
          const outcome = await handshake(port, wantsResumed ? session : null)
          session = outcome.session
          if (outcome.resumed === wantsResumed) done++
          else others++
        }
      }),
    )
    if (others > done / 100) return { error: `${others} handshakes of ${others + done} were not ${mode}` }
    return { done, seconds: (performance.now() - startedAt) / 1000 }
  }
})
