/** OCSP answers of a real responder (openssl ocsp), verified and stapled to handshakes; what is not good is not stapled. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import tls from 'node:tls'
import t, { type Test } from 'tap'
import type { Metrics } from '../../src/exchange/contracts.ts'
import { type LoadedCertificate, loadCertificates } from '../../src/listen/certificates.ts'
import { judgeOcsp, ocspRequest, responderOf } from '../../src/listen/ocsp.ts'
import { Stapler } from '../../src/listen/stapler.ts'
import { type MadeCertificate, makeCertificate, writePair } from '../kit/certificates.ts'
import { startFront, tlsOf } from '../kit/tls-front.ts'
import { freePort } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

/** A real responder is needed, and OpenSSL's is the one that is almost everywhere. */
const withResponder = {
  skip: spawnSync('openssl', ['version']).status === 0 ? false : 'openssl is not on this machine',
}

const authority = await makeCertificate({ subject: 'CN=OCSP test CA', authority: true })

const serialOf = (pem: string): string => new X509Certificate(pem).serialNumber

async function post(url: string, body: Uint8Array<ArrayBuffer>): Promise<Buffer> {
  const headers = { 'content-type': 'application/ocsp-request', connection: 'close' }
  const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(5000) })
  return Buffer.from(await response.arrayBuffer())
}

/** A real responder. `state` is V or R for each certificate (RFC 6960, 2.2: unknown for any other). */
async function startResponder(
  t: Test,
  folder: string,
  port: number,
  states: readonly [string, 'V' | 'R'][],
): Promise<ChildProcess> {
  const index = states.map(([pem, state]) => {
    const revokedAt = state === 'R' ? '260101000000Z' : ''
    return [state, '400101000000Z', revokedAt, serialOf(pem), 'unknown', `/CN=${serialOf(pem)}`].join('\t')
  })
  writeFileSync(join(folder, 'index.txt'), `${index.join('\n')}\n`)
  writeFileSync(join(folder, 'ca.pem'), authority.cert)
  writeFileSync(join(folder, 'ca.key'), authority.key)
  const place = (name: string) => join(folder, name)
  const child = spawn(
    'openssl',
    // biome-ignore format: pairs of option and value
    ['ocsp', '-index', place('index.txt'), '-CA', place('ca.pem'), '-rsigner', place('ca.pem'), '-rkey', place('ca.key'),
      '-port', String(port), '-nmin', '60'],
    { stdio: 'ignore' },
  )
  t.teardown(async () => {
    if (child.exitCode !== null || child.signalCode !== null) return
    child.kill('SIGKILL')
    await once(child, 'exit')
  })
  // What it prints differs between versions and comes before it listens; and it serves one connection at a time, to its end.
  const own = new X509Certificate(authority.cert)
  const question = new Uint8Array(await ocspRequest(own, own))
  const isThere = () =>
    post(`http://127.0.0.1:${port}/`, question).then(
      () => true,
      () => false,
    )
  await until(isThere, 'the responder')
  return child
}

async function loaded(folder: string, name: string, ocsp?: string, issuer: MadeCertificate | null = authority) {
  const made = await makeCertificate({ names: [name], ...(issuer === null ? {} : { issuer }), ocsp })
  const pair = writePair(folder, name, { cert: made.cert + (issuer?.cert ?? ''), key: made.key })
  const [one] = loadCertificates({ certificates: [pair], profile: 'intermediate' }, () => '', 'public')
  return { one: one!, pem: made.cert }
}

function stapler(t: Test, now: () => number = Date.now) {
  const counts: Record<string, number> = {}
  const said: string[] = []
  const metrics: Metrics = { count: (_name, label) => (counts[label] = (counts[label] ?? 0) + 1) }
  const log = { warn: (message: string) => said.push(message), error: (message: string) => said.push(message) }
  const made = new Stapler(() => log, metrics, now)
  t.teardown(() => made.close())
  return { stapler: made, counts, said }
}

function follow(each: Stapler, certificates: LoadedCertificate[]): void {
  each.follow(certificates)
  each.settle()
}

/** The stapled answer that a client sees; null where none comes. */
function stapled(port: number, servername: string): Promise<Buffer | null> {
  return new Promise((resolve, reject) => {
    let answer: Buffer | null = null
    const socket = tls.connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false, requestOCSP: true })
    socket.on('OCSPResponse', (response: Buffer | null) => {
      answer = response !== null && response.length > 0 ? response : null
    })
    socket.on('secureConnect', () => {
      socket.destroy()
      resolve(answer)
    })
    socket.on('error', reject)
  })
}

t.test(
  'a good answer is stapled, a revoked certificate is said, a missing responder harms nobody',
  withResponder,
  async (t) => {
    const folder = t.testdir()
    const port = await freePort()
    const url = `http://127.0.0.1:${port}/ocsp`
    const good = await loaded(folder, 'good.example.com', url)
    const bad = await loaded(folder, 'bad.example.com', url)
    const unknown = await loaded(folder, 'unknown.example.com', url)
    const none = await loaded(folder, 'none.example.com')
    const dead = await loaded(folder, 'dead.example.com', `http://127.0.0.1:${await freePort()}/`)
    await startResponder(t, folder, port, [
      [good.pem, 'V'],
      [bad.pem, 'R'],
    ])
    const { stapler: own, counts, said } = stapler(t)
    const certificates = [good, bad, unknown, none, dead].map(({ one }) => one)
    const { port: front } = await startFront(t, tlsOf(certificates, { staple: (each) => own.answerFor(each) }))
    t.equal(await stapled(front, 'good.example.com'), null, 'a handshake does not wait for the first answer')
    follow(own, certificates)
    await until(async () => Object.values(counts).reduce((sum, each) => sum + each, 0) === 4, 'all answers')
    t.strictSame(counts, { good: 1, revoked: 1, unknown: 1, failed: 1 })
    const answer = await stapled(front, 'good.example.com')
    t.equal((await judgeOcsp(answer!, good.one.leaf, good.one.issuer!, Date.now())).status, 'good')
    for (const name of ['bad', 'unknown', 'none', 'dead'])
      t.equal(await stapled(front, `${name}.example.com`), null, name)
    t.strictSame(said, ['A served certificate is revoked: replace it'])
  },
)

t.test('an answer is dropped when it is void, and asked for again in good time', withResponder, async (t) => {
  const folder = t.testdir()
  const port = await freePort()
  const { one, pem } = await loaded(folder, 'good.example.com', `http://127.0.0.1:${port}/`)
  const responder = await startResponder(t, folder, port, [[pem, 'V']])
  let now = Date.now()
  const { stapler: own, counts, said } = stapler(t, () => now)
  follow(own, [one])
  await until(async () => counts.good === 1, 'the answer')
  t.ok(own.answerFor(one.leaf.raw))
  now += 10 * 60_000
  own.look()
  t.equal(counts.good, 1, 'not yet')
  responder.kill('SIGKILL')
  await once(responder, 'exit')
  now += 21 * 60_000
  own.look()
  await until(async () => counts.failed === 1, 'the failure')
  t.ok(own.answerFor(one.leaf.raw), 'still good for half its time')
  t.strictSame(said, [], 'one failure may be a moment')
  now += 2 * 60_000
  own.look()
  await until(async () => counts.failed === 2, 'the second failure')
  t.strictSame(said, ['No OCSP answer to staple can be had'])
  now += 30 * 60_000
  t.equal(own.answerFor(one.leaf.raw), null, 'void')
  follow(own, [])
  t.equal(own.answerFor(one.leaf.raw), null, 'forgotten')
})

t.test('answers of strangers, for others, of yesterday and broken ones are not taken', withResponder, async (t) => {
  const folder = t.testdir()
  const port = await freePort()
  const url = `http://127.0.0.1:${port}/`
  const { one, pem } = await loaded(folder, 'good.example.com', url)
  const other = await loaded(folder, 'other.example.com', url)
  await startResponder(t, folder, port, [
    [pem, 'V'],
    [other.pem, 'V'],
  ])
  const ask = async (certificate: LoadedCertificate): Promise<Buffer> => {
    return post(url, new Uint8Array(await ocspRequest(certificate.leaf, certificate.issuer!)))
  }
  const answer = await ask(one)
  const { leaf, issuer } = one
  const now = Date.now()
  t.equal((await judgeOcsp(answer, leaf, issuer!, now)).status, 'good')
  await t.rejects(judgeOcsp(await ask(other.one), leaf, issuer!, now), 'for another certificate')
  await t.rejects(judgeOcsp(answer, leaf, issuer!, now + 3_700_000), /too old/)
  await t.rejects(judgeOcsp(answer, leaf, issuer!, now - 3_700_000), /future/)
  const stranger = await makeCertificate({ subject: 'CN=OCSP test CA', authority: true })
  await t.rejects(judgeOcsp(answer, leaf, new X509Certificate(stranger.cert), now), 'of a stranger of the same name')
  await t.rejects(judgeOcsp(Buffer.from('<html>'), leaf, issuer!, now), 'no answer at all')
  let taken = 0
  for (let at = 0; at < answer.length; at += 3) {
    const changed = Buffer.from(answer)
    changed[at]! ^= 0x41
    const verdict = await judgeOcsp(changed, leaf, issuer!, now).catch(() => null)
    // The certificates that come along are not covered by the signature and not needed: the same verdict is fine.
    if (verdict !== null && verdict.status === 'good') taken++
    t.not(verdict?.status, 'revoked')
  }
  t.ok(taken < answer.length / 3)
  t.comment(`${taken} of ${Math.ceil(answer.length / 3)} changed answers were taken: bytes outside the signature`)
})

t.test('a responder that says too much, or the wrong status, is not believed', async (t) => {
  const folder = t.testdir()
  const responder = createServer((request, response) => {
    if (request.url === '/flood') for (let i = 0; i < 100; i++) response.write(Buffer.alloc(8192))
    else if (request.url === '/moved') response.writeHead(302, { location: 'http://127.0.0.1:1/' })
    else response.writeHead(500)
    response.end()
  })
  responder.listen(0, '127.0.0.1')
  await once(responder, 'listening')
  t.teardown(() => responder.close())
  const { port } = responder.address() as AddressInfo
  const wishes = ['flood', 'moved', 'error'].map((name) =>
    loaded(folder, `${name}.example.com`, `http://127.0.0.1:${port}/${name}`),
  )
  const certificates = (await Promise.all(wishes)).map(({ one }) => one)
  const { stapler: own, counts } = stapler(t)
  follow(own, certificates)
  await until(async () => counts.failed === 3, 'three failures')
  for (const { leaf } of certificates) t.equal(own.answerFor(leaf.raw), null)
})

t.test('the responder is read from the certificate: http and https only', async (t) => {
  const of = async (ocsp?: string) => responderOf(new X509Certificate((await makeCertificate({ ocsp })).cert))
  t.equal(await of('http://ocsp.example.com/a?b=c'), 'http://ocsp.example.com/a?b=c')
  t.equal(await of('https://ocsp.example.com'), 'https://ocsp.example.com')
  t.equal(await of('ldap://ocsp.example.com/'), null)
  t.equal(await of('file:///etc/passwd'), null)
  t.equal(await of(), null)
})
