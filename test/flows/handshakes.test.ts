/** Crowds of TLS handshakes: an address over its bounds is closed before any of their work, others are served. */
import { connect, type Socket } from 'node:net'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { openHttp1 } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ handshakes: { perSecond: 1000, max: 12, perAddress: 8, perAddressPerMinute: 20 } }),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

const ATTACKER = '127.0.0.66'
const port = gateway.publicPort

/** One handshake; its session where it succeeded, null where the connection was closed instead. */
async function shake(from: string, session?: Buffer): Promise<{ session: Buffer | undefined; reused: boolean } | null> {
  const socket: TLSSocket = connectTls({
    ...{ host: '127.0.0.1', port, localAddress: from, servername: 'localhost' },
    ...{ rejectUnauthorized: false, maxVersion: 'TLSv1.2', ALPNProtocols: ['http/1.1'], session },
  } as never)
  socket.on('error', () => {})
  let made: Buffer | undefined
  socket.on('session', (given: Buffer) => {
    made = given
  })
  const closed = new Promise<boolean>((resolve) => void socket.once('close', () => resolve(false)))
  const secured = await Promise.race([
    new Promise<boolean>((resolve) => void socket.once('secureConnect', () => resolve(true))),
    closed,
  ])
  const reused = secured && socket.isSessionReused()
  if (secured) {
    made ??= socket.getSession()
    // To the end: a reset would undo the handshake for the other side.
    socket.resume()
    socket.end('GET /a HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n')
  }
  await closed
  return secured ? { session: made, reused } : null
}

async function isServed(from: string): Promise<boolean> {
  const client = openHttp1({ port, from })
  const reply = await client.ask({ path: '/a' })
  await client.close()
  return reply.status === 200
}

const refused = async (): Promise<number> => {
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)
  const text = await reply.text()
  return Number(/refused_requests_total\{code="too-many-handshakes"\} (\d+)/.exec(text)?.[1] ?? 0)
}

t.test('an address that begins too many in a minute is closed, and others are not', async (t) => {
  let done = 0
  for (let i = 0; i < 40; i++) if ((await shake(ATTACKER)) !== null) done++
  t.ok(done >= 20 && done < 30, `${done} of 40`)
  t.ok((await refused()) >= 10, 'counted')
  t.equal(await isServed('127.0.0.67'), true)
})

t.test('handshakes that resume a session count a quarter', async (t) => {
  const from = '127.0.0.68'
  const first = await shake(from)
  let resumed = 0
  for (let i = 0; i < 60; i++) {
    const next = await shake(from, first!.session)
    if (next?.reused) resumed++
  }
  t.ok(resumed > 45, `${resumed} of 60`)
})

t.test('handshakes that never end: so many of an address, and the oldest make room for others', async (t) => {
  const held: Socket[] = []
  const hold = (from: string): Socket => {
    const socket = connect({ host: '127.0.0.1', port, localAddress: from })
    socket.on('error', () => {})
    // The head of a record that promises more.
    socket.write(Buffer.from([0x16, 0x03, 0x01, 0x02, 0x00, 0x01]))
    socket.resume()
    held.push(socket)
    return socket
  }
  t.teardown(() => {
    for (const socket of held) socket.destroy()
  })
  for (let i = 0; i < 10; i++) hold('127.0.0.69')
  await until(() => held.filter((socket) => socket.closed).length === 2, 'the ninth and the tenth are closed')
  t.equal(
    held.slice(0, 8).some((socket) => socket.closed),
    false,
    'the first eight are waited for',
  )
  for (let i = 0; i < 8; i++) hold(`127.0.0.${70 + i}`)
  await until(() => held.slice(0, 8).filter((socket) => socket.closed).length === 4, 'the oldest are closed')
  t.equal(await isServed('127.0.0.90'), true, 'whoever goes on is served')
})
