/** Names and their certificates: what strict SNI refuses, and how many contexts thousands of certificates take. */
import t from 'tap'
import { CertificateTable } from '../../src/listen/certificate-table.ts'
import { TLS_PROFILES } from '../../src/listen/tls.ts'
import { loadMade, shake, startFront, tlsOf } from '../kit/tls-front.ts'
import { until } from '../kit/wait.ts'

t.test('strict SNI ends handshakes for other names and without a name, with an alert', async (t) => {
  const certificates = await loadMade(t.testdir(), [
    { names: ['chat.example.com'] },
    { names: ['*.agents.example.com'] },
  ])
  const { port, failures } = await startFront(t, tlsOf(certificates, { isStrictSni: true }))
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const bounds = { minVersion: version, maxVersion: version }
    for (const servername of ['chat.example.com', 'Chat.Example.COM', 'a.agents.example.com']) {
      const socket = await shake(port, { servername, ...bounds })
      t.type(socket, 'object', `${version} ${servername}`)
      if (typeof socket !== 'string') socket.destroy()
    }
    for (const servername of ['', 'elsewhere.test', 'agents.example.com', 'a.b.agents.example.com']) {
      failures.length = 0
      const refused = await shake(port, { servername, ...bounds })
      t.match(refused, /HANDSHAKE_FAILURE/, `${version} "${servername}"`)
      // The ends of connections that went well before may come late.
      const refusals = () => failures.filter((each) => each !== 'closed')
      await until(async () => refusals().length > 0, 'the refusal')
      t.strictSame(refusals(), ['no-common-suite'], `${version} "${servername}"`)
    }
  }
})

t.test('a strict table covers no host by a certificate that a reload took away', async (t) => {
  const [chat] = await loadMade(t.testdir(), [{ names: ['chat.example.com'] }])
  const table = new CertificateTable([chat!], TLS_PROFILES.intermediate, true)
  t.equal(table.find('gone.example.com'), null)
  t.equal(table.covers('gone.example.com', 'chat.example.com'), false)
  t.equal(table.covers('chat.example.com', 'chat.example.com'), true)
})

t.test('contexts are made when they are asked for, and the least used give way', async (t) => {
  const [one] = await loadMade(t.testdir(), [{ names: ['chat.example.com'] }])
  const many = Array.from({ length: 1200 }, (_, at) => ({ ...one!, names: [`h${at}.example.com`] }))
  const table = new CertificateTable(many, TLS_PROFILES.intermediate, false)
  t.equal(table.contextCount, 0)
  const contextOf = (name: string): unknown => {
    let found: unknown = null
    table.onServerName(name, (_error, context) => {
      found = context
    })
    return found
  }
  const first = contextOf('h0.example.com')
  const second = contextOf('h1.example.com')
  t.not(first, second)
  t.equal(contextOf('h0.example.com'), first, 'kept')
  for (let at = 2; at < 1001; at++) contextOf(`h${at}.example.com`)
  t.equal(table.contextCount, 1000)
  t.equal(contextOf('h0.example.com'), first, 'used later than h1, so it is still there')
  t.not(contextOf('h1.example.com'), second, 'the least recently used gave way')
  t.equal(table.contextCount, 1000)
})
