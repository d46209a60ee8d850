import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { type AddressInfo, connect as connectTcp, createServer as createTcpServer } from 'node:net'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import { CertificateTable, hostMatchesCertificate } from '../../src/listen/certificate-table.ts'
import type { LoadedCertificate } from '../../src/listen/certificates.ts'
import { TLS_PROFILES } from '../../src/listen/tls.ts'
import type { CertificateWish } from '../kit/certificates.ts'
import { echo, loadMade, shake, startFront, tlsOf } from '../kit/tls-front.ts'

type Profile = 'intermediate' | 'modern'

const made = (t: Test, wishes: CertificateWish[], profile: Profile = 'intermediate') =>
  loadMade(t.testdir(), wishes, profile)

const listen = (t: Test, certificates: LoadedCertificate[], profile: Profile = 'intermediate') =>
  startFront(t, tlsOf(certificates, { profile }))

interface Facts {
  failed: string | null
  protocol?: string | null
  suite?: string
  alpn?: string | false | null
  fingerprint256?: string
}

async function facts(port: number, options: tls.ConnectionOptions = {}): Promise<Facts> {
  const socket = await shake(port, options)
  if (typeof socket === 'string') return { failed: socket }
  const { fingerprint256 } = socket.getPeerCertificate()
  const seen = {
    failed: null,
    protocol: socket.getProtocol(),
    suite: socket.getCipher().name,
    alpn: socket.alpnProtocol,
    fingerprint256,
  }
  socket.destroy()
  return seen
}

t.test('TLS 1.2 and 1.3 are spoken, nothing older', async (t) => {
  const { port } = await listen(t, await made(t, [{}]))
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    t.equal((await facts(port, { minVersion: version, maxVersion: version })).protocol, version)
  }
  for (const version of ['TLSv1', 'TLSv1.1'] as const) {
    // Level 0 lets the client itself offer what it would not.
    const ciphers = 'DEFAULT@SECLEVEL=0'
    const { failed } = await facts(port, { minVersion: version, maxVersion: version, ciphers })
    t.equal(failed, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', version)
  }
})

t.test(
  'the profiles say so themselves: the security level of OpenSSL, which would refuse too, is not relied on',
  (t) => {
    t.equal(TLS_PROFILES.intermediate.minVersion, 'TLSv1.2')
    t.equal(TLS_PROFILES.modern.minVersion, 'TLSv1.3')
    t.end()
  },
)

t.test('the modern profile speaks TLS 1.3 only', async (t) => {
  const { port } = await listen(t, await made(t, [{}], 'modern'), 'modern')
  t.equal((await facts(port)).protocol, 'TLSv1.3')
  t.equal((await facts(port, { maxVersion: 'TLSv1.2' })).failed, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION')
})

t.test('only the suites of the guidelines are spoken', async (t) => {
  const listed = ['AES128-GCM-SHA256', 'AES256-GCM-SHA384', 'CHACHA20-POLY1305']
  for (const [kind, sort] of [
    ['P-256', 'ECDSA'],
    ['RSA-2048', 'RSA'],
  ] as const) {
    const { port } = await listen(t, await made(t, [{ kind }]))
    const agreed: string[] = []
    for (const suite of tls.getCiphers().filter((name) => !name.startsWith('tls_'))) {
      const name = suite.toUpperCase()
      const seen = await facts(port, { maxVersion: 'TLSv1.2', ciphers: `${name}@SECLEVEL=0` })
      if (seen.failed === null) agreed.push(name)
    }
    t.strictSame(agreed.sort(), listed.map((each) => `ECDHE-${sort}-${each}`).sort(), sort)
  }
  const { port } = await listen(t, await made(t, [{}]))
  for (const suite of ['TLS_AES_128_GCM_SHA256', 'TLS_AES_256_GCM_SHA384', 'TLS_CHACHA20_POLY1305_SHA256']) {
    t.equal((await facts(port, { minVersion: 'TLSv1.3', ciphers: suite })).suite, suite)
  }
  t.ok((await facts(port, { minVersion: 'TLSv1.3', ciphers: 'TLS_AES_128_CCM_SHA256' })).failed)
})

t.test('the client chooses the suite', async (t) => {
  const { port } = await listen(t, await made(t, [{}]))
  const ciphers = 'ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256'
  t.equal((await facts(port, { maxVersion: 'TLSv1.2', ciphers })).suite, 'ECDHE-ECDSA-CHACHA20-POLY1305')
})

/** The group in the server's key share, read from the ServerHello on the wire (RFC 8446, 4.1.3 and 4.2.8). */
async function negotiatedGroup(t: Test, port: number, ecdhCurve: string): Promise<number | string> {
  const heard: Buffer[] = []
  const tap = createTcpServer((client) => {
    const server = connectTcp(port, '127.0.0.1')
    server.on('data', (data: Buffer) => heard.push(data))
    client.pipe(server).pipe(client)
    for (const each of [client, server]) each.on('error', () => each.destroy())
  })
  tap.listen(0, '127.0.0.1')
  await once(tap, 'listening')
  t.teardown(() => tap.close())
  const socket = await shake((tap.address() as AddressInfo).port, { minVersion: 'TLSv1.3', ecdhCurve })
  if (typeof socket === 'string') return socket
  socket.destroy()
  const hello = Buffer.concat(heard)
  // Record header 5, handshake header 4, version 2, random 32, session id, suite 2, compression 1, extensions.
  let at = 5 + 4 + 2 + 32
  at += 1 + hello[at]! + 2 + 1
  const end = at + 2 + hello.readUInt16BE(at)
  for (at += 2; at < end; at += 4 + hello.readUInt16BE(at + 2)) {
    if (hello.readUInt16BE(at) === 51) return hello.readUInt16BE(at + 4)
  }
  return 'no key share'
}

t.test('the post-quantum hybrid is negotiated, the classic groups where a client has no better', async (t) => {
  const { port } = await listen(t, await made(t, [{}]))
  t.equal(await negotiatedGroup(t, port, 'X25519MLKEM768:X25519'), 0x11ec)
  t.equal(await negotiatedGroup(t, port, 'X25519'), 0x001d)
  t.equal(await negotiatedGroup(t, port, 'prime256v1'), 0x0017)
  t.equal(await negotiatedGroup(t, port, 'secp384r1'), 0x0018)
  t.type(await negotiatedGroup(t, port, 'secp521r1'), 'string', 'not offered')
  for (const rather of ['X25519:X25519MLKEM768', 'secp384r1:prime256v1:X25519:X25519MLKEM768']) {
    t.equal(await negotiatedGroup(t, port, rather), 0x11ec, `the gateway's list begins with it: ${rather}`)
  }
  t.equal(await negotiatedGroup(t, port, 'secp384r1:X25519'), 0x0018, 'of the classic ones the client chooses')
})

t.test('renegotiation is refused, by the server name table too', async (t) => {
  const { port } = await listen(t, await made(t, [{ names: ['a.example.com'] }, { names: ['b.example.com'] }]))
  for (const servername of ['', 'b.example.com']) {
    const socket = await shake(port, { maxVersion: 'TLSv1.2', servername })
    if (typeof socket === 'string') throw new Error(socket)
    t.equal(await echo(socket, 'before'), 'before')
    const outcome = await new Promise<string>((resolve) => {
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message))
      socket.once('close', () => resolve('closed'))
      socket.renegotiate({ rejectUnauthorized: false }, (error) =>
        resolve(error === null ? 'renegotiated' : String((error as NodeJS.ErrnoException).code)),
      )
    })
    t.not(outcome, 'renegotiated')
    t.equal(outcome, 'ERR_SSL_NO_RENEGOTIATION')
    socket.destroy()
  }
})

t.test('openssl agrees: no renegotiation, no compression', async (t) => {
  const { port } = await listen(t, await made(t, [{}]))
  const child = spawn('openssl', ['s_client', '-connect', `127.0.0.1:${port}`, '-tls1_2'])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (said += data))
  const failed = once(child, 'error').then(() => 'absent')
  const ready = (async () => {
    while (!said.includes('Extended master secret')) await once(child.stdout, 'data')
    return 'ready'
  })()
  if ((await Promise.race([failed, ready])) === 'absent') return t.comment('openssl is not on this machine')
  child.stdin.on('error', () => {})
  child.stdin.write('R\n')
  await once(child, 'close')
  t.match(said, /Compression: NONE/)
  t.match(said, /RENEGOTIATING/)
  t.match(said, /no renegotiation/)
})

t.test('ALPN: both protocols, none, and an unknown one', async (t) => {
  const { port } = await listen(t, await made(t, [{}]))
  t.equal((await facts(port, { ALPNProtocols: ['h2', 'http/1.1'] })).alpn, 'h2')
  t.equal((await facts(port, { ALPNProtocols: ['http/1.1'] })).alpn, 'http/1.1')
  t.equal((await facts(port)).alpn, false)
  t.equal((await facts(port, { ALPNProtocols: ['spdy/3'] })).failed, 'ERR_SSL_TLSV1_ALERT_NO_APPLICATION_PROTOCOL')
})

t.test('the server name chooses the certificate', async (t) => {
  const certificates = await made(t, [
    { names: ['first.example.com', '127.0.0.1'] },
    { names: ['chat.example.com'] },
    { names: ['*.example.com'] },
  ])
  const { port } = await listen(t, certificates)
  const cases: [string, number][] = [
    ['', 0],
    ['first.example.com', 0],
    ['chat.example.com', 1],
    ['CHAT.example.COM', 1],
    ['other.example.com', 2],
    ['a.b.example.com', 0],
    ['example.com', 0],
    ['elsewhere.test', 0],
    ['constructor', 0],
  ]
  for (const [servername, at] of cases) {
    for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
      const seen = await facts(port, { servername, minVersion: version, maxVersion: version })
      t.equal(seen.fingerprint256, certificates[at]!.fingerprint256, `"${servername}" ${version}`)
    }
  }
})

t.test('new certificates are served at once, and 50 open connections stay', async (t) => {
  const before = await made(t, [{ names: ['a.example.com'] }, { names: ['b.example.com'] }])
  const { front, port } = await listen(t, before)
  const names = ['', 'a.example.com', 'b.example.com']
  const open: tls.TLSSocket[] = []
  for (let i = 0; i < 50; i++) {
    const socket = await shake(port, { servername: names[i % 3]! })
    if (typeof socket === 'string') throw new Error(socket)
    open.push(socket)
  }
  t.strictSame(
    await Promise.all(open.map((socket, at) => echo(socket, `before ${at}`))),
    open.map((_, at) => `before ${at}`),
  )
  const after = await made(t, [{ names: ['a.example.com'] }, { names: ['b.example.com'], kind: 'RSA-2048' }])
  front.serve({ tls: tlsOf(after), handshakeMs: 10_000 })
  for (const [at, servername] of names.entries()) {
    const expected = after[at === 2 ? 1 : 0]!.fingerprint256
    t.equal((await facts(port, { servername })).fingerprint256, expected, `"${servername}" is served anew`)
  }
  t.strictSame(
    await Promise.all(open.map((socket, at) => echo(socket, `after ${at}`))),
    open.map((_, at) => `after ${at}`),
  )
  for (const socket of open) socket.destroy()
  const old = await facts(port, { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'DEFAULT@SECLEVEL=0' })
  t.equal(old.failed, 'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'the profile outlives the change')
  t.equal((await facts(port, { ALPNProtocols: ['h2'] })).alpn, 'h2')
})

t.test('sessions can be resumed across a change of certificates', async (t) => {
  const { front, port } = await listen(t, await made(t, [{ names: ['a.example.com'] }]))
  for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
    const options = { minVersion: version, maxVersion: version, servername: 'a.example.com' }
    const first = await shake(port, options)
    if (typeof first === 'string') throw new Error(first)
    const session = version === 'TLSv1.3' ? ((await once(first, 'session'))[0] as Buffer) : first.getSession()!
    first.destroy()
    front.serve({ tls: tlsOf(await made(t, [{ names: ['a.example.com'] }])), handshakeMs: 10_000 })
    const second = await shake(port, { ...options, session })
    if (typeof second === 'string') throw new Error(second)
    t.equal(second.isSessionReused(), true, version)
    second.destroy()
  }
})

t.test('a table without certificates cannot be made', (t) => {
  t.throws(() => new CertificateTable([], TLS_PROFILES.intermediate, false), TypeError)
  t.end()
})

t.test('a host is covered by the certificate that was served, or it is misdirected', async (t) => {
  const table = new CertificateTable(
    await made(t, [
      { names: ['chat.example.com', 'www.example.com', '10.0.0.5', '::1'] },
      { names: ['*.agents.example.com'] },
    ]),
    TLS_PROFILES.intermediate,
    false,
  )
  const covered: [string, string][] = [
    ['', 'chat.example.com'],
    ['', 'anything.test'],
    ['chat.example.com', 'chat.example.com'],
    ['chat.example.com', 'www.example.com'],
    ['a.agents.example.com', 'b.agents.example.com'],
    ['unknown.test', 'unknown.test'],
    ['chat.example.com', '[0:0:0:0:0:0:0:1]'],
  ]
  const misdirected: [string, string][] = [
    ['chat.example.com', 'a.agents.example.com'],
    ['a.agents.example.com', 'chat.example.com'],
    ['a.agents.example.com', 'agents.example.com'],
    ['a.agents.example.com', 'x.b.agents.example.com'],
    ['chat.example.com', 'example.com'],
    ['chat.example.com', '10.0.0.6'],
    ['unknown.test', 'other.test'],
  ]
  for (const [serverName, host] of covered) t.equal(table.covers(serverName, host), true, `${serverName} ${host}`)
  for (const [serverName, host] of misdirected) t.equal(table.covers(serverName, host), false, `${serverName} ${host}`)
})

t.test('a wildcard stands for one label of a name, never for part of an address', (t) => {
  t.equal(hostMatchesCertificate('a.example.com', ['*.example.com']), true)
  t.equal(hostMatchesCertificate('A.Example.com.', ['*.example.com']), true)
  t.equal(hostMatchesCertificate('example.com', ['*.example.com']), false)
  t.equal(hostMatchesCertificate('.example.com', ['*.example.com']), false)
  t.equal(hostMatchesCertificate('10.0.0.1', ['*.0.0.1']), false)
  t.equal(hostMatchesCertificate('[2001:DB8::1]', ['2001:db8::1']), true)
  t.equal(hostMatchesCertificate('', ['*.example.com']), false)
  t.end()
})
