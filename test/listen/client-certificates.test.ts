/** Certificates that clients show: who is let in, who is not and why, and what services are told. */
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { ConnectionOptions } from 'node:tls'
import t, { type Test } from 'tap'
import { ConfigurationError } from '../../src/errors.ts'
import { describeClient, loadAuthorities } from '../../src/listen/client-certificates.ts'
import { type MadeCertificate, makeCertificate, makeRevocationList } from '../kit/certificates.ts'
import { echo, loadMade, shake, startFront, tlsOf } from '../kit/tls-front.ts'
import { until } from '../kit/wait.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const SERVER_AUTH = '1.3.6.1.5.5.7.3.1'

const authority = await makeCertificate({ subject: 'CN=Agents CA', authority: true })
const stranger = await makeCertificate({ subject: 'CN=Somebody else', authority: true })
const signed = (more: object = {}) =>
  makeCertificate({ subject: 'CN=agent 7', issuer: authority, purposes: [CLIENT_AUTH], ...more })
const good = await signed()
const revoked = await signed({ subject: 'CN=agent 8' })

type Mode = 'optional' | 'required'

function settings(folder: string, mode: Mode, crl: string | null) {
  const ca = join(folder, 'ca.pem')
  writeFileSync(ca, authority.cert)
  const list = join(folder, 'list.pem')
  if (crl !== null) writeFileSync(list, crl)
  return { mode, ca: [ca], crl: crl === null ? [] : [list], forwardCertificate: false }
}

async function front(t: Test, mode: Mode, crl: string | null = null) {
  const folder = t.testdir()
  const clients = loadAuthorities(settings(folder, mode, crl), 'public')
  return startFront(t, tlsOf(await loadMade(folder, [{}]), { clients }))
}

const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
const showing = (certificate: MadeCertificate | null, version: (typeof VERSIONS)[number]): ConnectionOptions => ({
  ...(certificate === null ? {} : { cert: certificate.cert, key: certificate.key }),
  minVersion: version,
  maxVersion: version,
})

const listOfRevoked = await makeRevocationList(authority, [revoked])

t.test('whom a listener lets in', async (t) => {
  const cases: [string, MadeCertificate | null, string, string][] = [
    ['one of the authority', good, 'in', 'in'],
    ['none', null, 'in', 'client-certificate-missing'],
    [
      'one of another authority',
      await makeCertificate({ issuer: stranger, purposes: [CLIENT_AUTH] }),
      'client-certificate-untrusted',
      'client-certificate-untrusted',
    ],
    [
      'a self-signed one',
      await makeCertificate({ purposes: [CLIENT_AUTH] }),
      'client-certificate-untrusted',
      'client-certificate-untrusted',
    ],
    ['an expired one', await signed({ from: -9, to: -1 }), 'client-certificate-expired', 'client-certificate-expired'],
    ['an early one', await signed({ from: 1, to: 9 }), 'client-certificate-expired', 'client-certificate-expired'],
    ['a revoked one', revoked, 'client-certificate-revoked', 'client-certificate-revoked'],
    [
      'one for servers',
      await signed({ purposes: [SERVER_AUTH] }),
      'client-certificate-purpose',
      'client-certificate-purpose',
    ],
  ]
  for (const mode of ['optional', 'required'] as const) {
    const { port, failures, secured } = await front(t, mode, listOfRevoked)
    for (const version of VERSIONS) {
      for (const [what, certificate, optional, required] of cases) {
        const expected = mode === 'optional' ? optional : required
        failures.length = secured.length = 0
        const socket = await shake(port, showing(certificate, version))
        const name = `${mode}, ${version}: ${what}`
        if (expected === 'in') {
          if (typeof socket === 'string') {
            t.fail(`${name}: ${socket}`)
            continue
          }
          t.equal(await echo(socket, 'hello'), 'hello', name)
          t.equal(secured[0]!.authorized, certificate !== null, `${name}: verified`)
        } else {
          await until(async () => failures.length > 0, 'the refusal')
          t.strictSame(failures, [expected], name)
          t.equal(secured.length, 0, `${name}: nothing was served`)
        }
        if (typeof socket !== 'string') socket.destroy()
      }
    }
  }
})

t.test('a revocation list that has run out lets nobody of its authority in', async (t) => {
  const old = await front(t, 'required', await makeRevocationList(authority, [], -1))
  await shake(old.port, showing(good, 'TLSv1.3'))
  await until(async () => old.failures.length > 0, 'the refusal')
  t.strictSame(old.failures, ['revocation-list-expired'])
})

t.test('a session is not resumed where certificates are asked for: the lists would not be asked again', async (t) => {
  const folder = t.testdir()
  const certificates = await loadMade(folder, [{}])
  const clients = loadAuthorities(settings(folder, 'required', null), 'public')
  const { port, front } = await startFront(t, tlsOf(certificates, { clients }))
  for (const version of VERSIONS) {
    const first = await shake(port, showing(good, version))
    if (typeof first === 'string') throw new Error(first)
    const sessions: Buffer[] = []
    first.on('session', (session: Buffer) => sessions.push(session))
    await echo(first, 'hello')
    const session = sessions.at(-1) ?? first.getSession()
    first.destroy()
    const second = await shake(port, { ...showing(good, version), session })
    if (typeof second === 'string') throw new Error(second)
    t.equal(second.isSessionReused(), false, version)
    second.destroy()
  }
  // A session of the time before certificates were asked for must not be a way around them.
  front.serve({ tls: tlsOf(certificates), handshakeMs: 10_000 })
  const before = await shake(port)
  if (typeof before === 'string') throw new Error(before)
  const [session] = (await once(before, 'session')) as [Buffer]
  before.destroy()
  const fresh = await startFront(t, tlsOf(certificates))
  fresh.front.serve({ tls: tlsOf(certificates, { clients }), handshakeMs: 10_000 })
  front.serve({ tls: tlsOf(certificates, { clients }), handshakeMs: 10_000 })
  const after = await shake(port, { session })
  const said = typeof after === 'string' ? after : await echo(after, 'hello').catch(() => 'refused')
  t.not(said, 'hello', 'refused without a certificate')
})

t.test('new authorities count from the next handshake on', async (t) => {
  const folder = t.testdir()
  const certificates = await loadMade(folder, [{ names: ['a.example.com'] }, { names: ['b.example.com'] }])
  const clients = loadAuthorities(settings(folder, 'required', null), 'public')
  const { port, front, failures } = await startFront(t, tlsOf(certificates, { clients }))
  for (const servername of ['a.example.com', 'b.example.com']) {
    const socket = await shake(port, { ...showing(revoked, 'TLSv1.3'), servername })
    if (typeof socket === 'string') throw new Error(socket)
    t.equal(await echo(socket, 'hello'), 'hello', `${servername}: not revoked yet`)
  }
  const stricter = loadAuthorities(settings(folder, 'required', listOfRevoked), 'public')
  front.serve({ tls: tlsOf(certificates, { clients: stricter }), handshakeMs: 10_000 })
  for (const servername of ['a.example.com', 'b.example.com']) {
    failures.length = 0
    await shake(port, { ...showing(revoked, 'TLSv1.3'), servername })
    await until(async () => failures.length > 0, 'the refusal')
    t.strictSame(failures, ['client-certificate-revoked'], servername)
  }
})

t.test('files that are no authorities or lists are refused by name, all at once', async (t) => {
  const folder = t.testdir({
    'empty.pem': 'nothing\n',
    'list.pem': '-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n',
  })
  writeFileSync(join(folder, 'leaf.pem'), good.cert)
  writeFileSync(join(folder, 'old.pem'), (await makeCertificate({ authority: true, from: -9, to: -1 })).cert)
  const place = (name: string) => join(folder, name)
  try {
    loadAuthorities(
      {
        mode: 'required',
        ca: [place('empty.pem'), place('leaf.pem'), place('old.pem'), place('absent.pem')],
        crl: [place('list.pem'), place('leaf.pem')],
        forwardCertificate: false,
      },
      'agents',
    )
    t.fail('it was accepted')
  } catch (error) {
    const problems = (error as ConfigurationError).problems.join('\n')
    t.ok(error instanceof ConfigurationError)
    t.match(problems, /agents\.tls\.clientCertificates\.ca\[0\]: .*empty\.pem holds no certificate in PEM form/)
    t.match(problems, /ca\[1\]: .*leaf\.pem: CN=agent 7 is no authority/)
    t.match(problems, /ca\[2\]: .*old\.pem: expired at/)
    t.match(problems, /ca\[3\]: .*absent\.pem cannot be read: it does not exist/)
    t.match(problems, /crl\[0\]: .*list\.pem is damaged/)
    t.match(problems, /crl\[1\]: .*leaf\.pem holds no revocation list in PEM form/)
  }
})

t.test('every authority needs its list where there are lists', async (t) => {
  const folder = t.testdir()
  const foreign = settings(folder, 'required', await makeRevocationList(stranger, []))
  t.throws(() => loadAuthorities(foreign, 'agents'), {
    message: /ca\[0\]: .*ca\.pem: no file in "crl" is the revocation list of CN=Agents CA/,
  })
})

t.test('the subject is one line of printable ASCII that reads back in one way', async (t) => {
  const of = async (subject: string, whole = false) => {
    const { cert } = await makeCertificate({ subject })
    return describeClient(new X509Certificate(cert), whole)
  }
  t.equal((await of('CN=agent 7, O=Example'))?.subject, 'CN=agent 7,O=Example')
  t.equal((await of('CN=J\u00f6rg 100%'))?.subject, 'CN=J%C3%B6rg 100%25')
  const tricky = await of('CN=a\\, O\\=b')
  t.match(tricky?.subject, /^CN=a\\, ?O=b$/, 'a comma inside a value is not one between attributes')
  t.equal(
    await of(`CN=${'x'.repeat(60)}${', OU=yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy'.repeat(60)}`),
    null,
    'too long',
  )
  const whole = await of('CN=agent', true)
  t.match(
    whole?.fields.join(' '),
    /^x-client-cert-subject CN=agent x-client-cert-fingerprint [0-9a-f]{64} client-cert :[A-Za-z0-9+/]+=*:$/,
  )
})
