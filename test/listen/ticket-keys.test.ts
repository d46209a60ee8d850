/** Keys of session tickets: exchanged when their time has come, for handshakes too. */
import { once } from 'node:events'
import t from 'tap'
import { TicketKeys } from '../../src/listen/ticket-keys.ts'
import { loadMade, shake, startFront, tlsOf } from '../kit/tls-front.ts'
import { until } from '../kit/wait.ts'

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
