/** Keys of session tickets: exchanged when their time has come, for handshakes too. */
import { once } from 'node:events'
import t from 'tap'
import { TicketKeys, ticketSeed } from '../../src/listen/ticket-keys.ts'
import type { ListenerTls } from '../../src/listen/tls-front.ts'
import { loadMade, shake, startFront, tlsOf } from '../kit/tls-front.ts'
import { until } from '../kit/wait.ts'

/** Longer than any test; the period began long ago, and the next is years away. */
const LONG_MS = 24 * 86_400_000

t.test('a key is exchanged when its time has come, and the one before is wiped', async (t) => {
  const seen: Buffer[] = []
  const keys = new TicketKeys(30, null, (key) => seen.push(key))
  t.teardown(() => keys.close())
  const first = keys.current
  const copy = Buffer.from(first)
  t.equal(first.length, 48)
  await until(async () => seen.length >= 2, 'two rotations')
  t.notOk(seen[0]!.equals(copy))
  t.ok(first.equals(Buffer.alloc(48)), 'wiped')
})

t.test('a shorter time counts for the present key too', async (t) => {
  const seen: Buffer[] = []
  const keys = new TicketKeys(3_600_000, null, (key) => seen.push(key))
  t.teardown(() => keys.close())
  keys.change(20, null)
  await until(async () => seen.length >= 1, 'a rotation')
})

t.test('after an exchange, older sessions are not resumed and new ones are', async (t) => {
  const certificates = await loadMade(t.testdir(), [{ names: ['a.example.com'] }, { names: ['b.example.com'] }])
  const { port, front } = await startFront(t, tlsOf(certificates))
  const sessionOf = async (servername: string): Promise<Buffer> => {
    const socket = await shake(port, { servername })
    if (typeof socket === 'string') throw new Error(socket)
    const [session] = (await once(socket, 'session')) as [Buffer]
    socket.destroy()
    return session
  }
  const isResumed = async (servername: string, session: Buffer): Promise<boolean> => {
    const socket = await shake(port, { servername, session })
    if (typeof socket === 'string') throw new Error(socket)
    const answer = socket.isSessionReused()
    socket.destroy()
    return answer
  }
  for (const servername of ['a.example.com', 'b.example.com']) {
    const old = await sessionOf(servername)
    t.equal(await isResumed(servername, old), true, `${servername}: before`)
    front.serve({ tls: tlsOf(certificates, { ticketRotationMs: 1 }), handshakeMs: 10_000 })
    await until(async () => !(await isResumed(servername, old)), 'the exchange')
    front.serve({ tls: tlsOf(certificates), handshakeMs: 10_000 })
    t.equal(await isResumed(servername, old), false, `${servername}: after`)
    t.equal(await isResumed(servername, await sessionOf(servername)), true, `${servername}: a new one`)
  }
})

t.test('nodes with one secret make the same key of a period, and another one of the next', async (t) => {
  const clock = t.intercept(Date, 'now', { value: () => 3_600_000 * 500_000 + 1 })
  const keyOf = (seed: Buffer, rotateMs = 3_600_000): string => {
    const keys = new TicketKeys(rotateMs, seed, () => {})
    const key = keys.current.toString('hex')
    keys.close()
    return key
  }
  const seed = ticketSeed('a secret of thirty-two characters', 'public')
  const one = keyOf(seed)
  t.equal(keyOf(ticketSeed('a secret of thirty-two characters', 'public')), one)
  t.not(keyOf(ticketSeed('a secret of thirty-two characters', 'agents')), one, 'listeners have their own')
  t.not(keyOf(ticketSeed('another one of thirty-two letters', 'public')), one)
  t.not(keyOf(seed, 7_200_000), one)
  clock.restore()
  t.intercept(Date, 'now', { value: () => 3_600_000 * 500_001 })
  t.not(keyOf(seed), one, 'the next period')
})

t.test('a session of one node goes on at another with the same secret, and nowhere else', async (t) => {
  const certificates = await loadMade(t.testdir(), [{ names: ['a.example.com'] }])
  const node = (secret: string, more: Partial<ListenerTls> = {}) =>
    startFront(t, tlsOf(certificates, { ticketSeed: ticketSeed(secret, 'public'), ticketRotationMs: LONG_MS, ...more }))
  const secret = 'a secret of thirty-two characters'
  const [one, two, stranger] = [await node(secret), await node(secret), await node('another one of thirty-two letters')]
  for (const maxVersion of ['TLSv1.3', 'TLSv1.2'] as const) {
    const socket = await shake(one.port, { servername: 'a.example.com', maxVersion })
    if (typeof socket === 'string') throw new Error(socket)
    const session = socket.getSession() ?? Buffer.alloc(0)
    const kept = maxVersion === 'TLSv1.2' ? session : ((await once(socket, 'session'))[0] as Buffer)
    socket.destroy()
    const isResumed = async (port: number): Promise<boolean> => {
      const again = await shake(port, { servername: 'a.example.com', session: kept, maxVersion })
      if (typeof again === 'string') throw new Error(again)
      const answer = again.isSessionReused()
      again.destroy()
      return answer
    }
    t.equal(await isResumed(two.port), true, `${maxVersion}: at another node`)
    t.equal(await isResumed(stranger.port), false, `${maxVersion}: not with another secret`)
    // The next period is another key: the same as another length of it.
    two.front.serve({
      tls: tlsOf(certificates, { ticketSeed: ticketSeed(secret, 'public'), ticketRotationMs: LONG_MS - 1 }),
      handshakeMs: 10_000,
    })
    t.equal(await isResumed(two.port), false, `${maxVersion}: not with the key of another period`)
    two.front.serve({
      tls: tlsOf(certificates, { ticketSeed: ticketSeed(secret, 'public'), ticketRotationMs: LONG_MS }),
      handshakeMs: 10_000,
    })
    t.equal(await isResumed(two.port), true, `${maxVersion}: nodes that rotate at the same time agree again`)
  }
})
