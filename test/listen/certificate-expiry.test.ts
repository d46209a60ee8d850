/** The end of certificates: said in good time, once for each limit, and told soonest first. */
import t from 'tap'
import { CertificateExpiry } from '../../src/listen/certificate-expiry.ts'
import { loadMade } from '../kit/tls-front.ts'

const DAY_MS = 86_400_000

t.test('each limit is said once, and the end too', async (t) => {
  const said: string[] = []
  let now = Date.now()
  const line = (level: string) => (message: string, more: Readonly<Record<string, unknown>>) =>
    said.push(`${level} ${message} (${String(more.name)} on ${String(more.listener)})`)
  const log = { warn: line('warn'), error: line('error') }
  const expiry = new CertificateExpiry(
    () => log,
    () => now,
  )
  t.teardown(() => expiry.close())
  const certificates = await loadMade(t.testdir(), [
    { names: ['long.example.com'], to: 90 },
    { names: ['short.example.com'], to: 30 },
  ])
  expiry.watch([{ listener: 'public', certificates, warnDays: [21, 7, 1] }])
  t.strictSame(said, [])
  t.strictSame(
    expiry.ends.map(({ name }) => name),
    ['short.example.com', 'long.example.com'],
  )
  now += 10 * DAY_MS
  expiry.look()
  expiry.look()
  t.match(said, [/^warn A certificate ends in (?:19|20) days \(short\.example\.com on public\)$/])
  expiry.watch([{ listener: 'public', certificates, warnDays: [21, 7, 1] }])
  t.equal(said.length, 1, 'a reload says nothing again')
  now += 19.5 * DAY_MS
  expiry.look()
  t.match(said[1], /^warn A certificate ends in 0 days/)
  t.equal(said.length, 2, 'a limit that was passed over is not said later')
  t.strictSame(expiry.expired, [])
  now += DAY_MS
  expiry.look()
  expiry.look()
  t.match(said[2], /^error A certificate has expired: clients refuse it/)
  t.equal(said.length, 3)
  t.strictSame(
    expiry.expired.map(({ name }) => name),
    ['short.example.com'],
  )
})
