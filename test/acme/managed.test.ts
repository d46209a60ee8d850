/** Certificates that look after themselves, against a real ACME server: renewed in time, tried again with pauses, from the next authority. */
import { X509Certificate } from 'node:crypto'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { AuthoritySettings } from '../../src/acme/authority.ts'
import { AcmeCare } from '../../src/acme/care.ts'
import type { ManagedWish } from '../../src/acme/managed-certificate.ts'
import { MemoryValues } from '../../src/limits/memory-values.ts'
import { ChallengeFront } from '../../src/listen/challenge-front.ts'
import { startAcmeProxy } from '../kit/acme-proxy.ts'
import { type CertificateWish, makeCertificate } from '../kit/certificates.ts'
import { PEBBLE_MISSING, type Pebble, startPebble } from '../kit/pebble.ts'
import { until } from '../kit/wait.ts'

const skip = PEBBLE_MISSING === '' ? false : PEBBLE_MISSING
const NAME = 'a.example.com'

interface Line {
  readonly message: string
  readonly more: Readonly<Record<string, unknown>>
}

/** A node that orders for the name, without a gateway around it. */
function startCare(t: Test, folder: string, authorities: readonly AuthoritySettings[], pauseFactor = 1) {
  const lines: Line[] = []
  const counts: string[] = []
  const say = (message: string, more: Line['more']): void => void lines.push({ message, more })
  const values = new MemoryValues()
  const care = new AcmeCare(
    {
      log: () => ({ info: say, warn: say }),
      metrics: { count: (name, label) => void counts.push(`${name} ${label}`) },
      values: () => values,
    },
    { lookMs: 50, lockMs: 30_000, pauseFactor },
  )
  const wish: ManagedWish = { names: [NAME], authorities, email: null, challenge: 'tls-alpn-01', folder, secret: null }
  care.settle([wish])
  t.teardown(() => care.close())
  const failures = () => lines.filter(({ message }) => message === 'No certificate could be had')
  return { care, lines, counts, failures, issued: () => counts.filter((each) => each.endsWith(' issued')).length }
}

/** Answers the authority's visits from now on. */
async function answerVisits(t: Test, pebble: Pebble, care: () => AcmeCare): Promise<void> {
  const front = new ChallengeFront({
    hasPairs: true,
    pairFor: (serverName) => care().challenges.pairFor(serverName),
    answerFor: () => null,
  })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    front.take(socket, 5000, () => socket.destroy())
  })
  await new Promise<void>((done) => server.listen(pebble.tlsPort, '127.0.0.1', done))
  t.teardown(() => server.close())
}

async function open(t: Test) {
  const pebble = await startPebble()
  t.teardown(() => pebble.kill())
  const settings = { directory: pebble.directory, ca: readFileSync(pebble.ca, 'latin1'), externalAccount: null }
  return { pebble, settings, folder: t.testdir() }
}

async function place(folder: string, wish: CertificateWish): Promise<string> {
  const { cert, key } = await makeCertificate({ names: [NAME], ...wish })
  mkdirSync(join(folder, NAME))
  writeFileSync(join(folder, NAME, 'privkey.pem'), key, { mode: 0o600 })
  writeFileSync(join(folder, NAME, 'fullchain.pem'), cert)
  return cert
}

const leafIn = (folder: string) => new X509Certificate(readFileSync(join(folder, NAME, 'fullchain.pem')))
const pauseIn = (folder: string) => JSON.parse(readFileSync(join(folder, NAME, 'pause.json'), 'utf8'))

t.test('a certificate past two thirds of its life is renewed, one before is not', { skip }, async (t) => {
  const { pebble, settings, folder } = await open(t)
  await place(folder, { from: -60, to: 10 })
  const { care, issued } = startCare(t, folder, [settings])
  await answerVisits(t, pebble, () => care)
  await until(() => issued() === 1, 'the renewal', 60_000)
  t.match(leafIn(folder).issuer, /Pebble/)
  t.ok(care.renewals[0]!.value > Date.now() / 1000, 'and the next one is later')
  const { serialNumber } = leafIn(folder)
  t.equal(care.renew('other.example.com'), false)
  t.equal(care.renew(NAME), true, 'asked for by a person')
  await until(() => issued() === 2, 'the second', 60_000)
  t.not(leafIn(folder).serialNumber, serialNumber)
  t.equal(pebble.issued(), 2)
})

t.test('challenges that fail: the cause is said, pauses grow, and outlive a restart', { skip }, async (t) => {
  const { pebble, settings, folder } = await open(t)
  const first = startCare(t, folder, [settings], 0.005)
  await until(() => first.failures().length >= 3, 'three failures', 60_000)
  const pauses = first.failures().map(({ more }) => Date.parse(String(more.nextTry)))
  t.ok(pauses[2]! - pauses[1]! > 1000, 'a minute, four, sixteen; two hundred times as fast')
  t.match(
    first.failures()[0]!.more.reason,
    /localhost:\d+: a\.example\.com is not authorised \(tls-alpn-01\): unauthorized: Failed to connect/,
  )
  t.match(first.counts, ['acme_orders_total failed'])
  await answerVisits(t, pebble, () => first.care)
  await until(() => first.issued() === 1, 'success after failures', 90_000)
  t.throws(() => pauseIn(folder), { code: 'ENOENT' }, 'forgotten')
})

t.test('a gateway that starts again and again does not ask again and again', { skip }, async (t) => {
  const { pebble, settings, folder } = await open(t)
  const first = startCare(t, folder, [settings])
  await until(() => first.failures().length === 1, 'the failure', 60_000)
  first.care.close()
  t.ok(pauseIn(folder).until > Date.now() + 30_000)
  const orders = (): number => pebble.log().split('/order-plz').length
  const before = orders()
  for (let i = 0; i < 5; i++) {
    const again = startCare(t, folder, [settings])
    await new Promise((wake) => setTimeout(wake, 200))
    t.ok(again.care.renewals[0]!.value > Date.now() / 1000)
    again.care.close()
  }
  t.equal(orders(), before)
})

t.test('the next authority is asked where one fails', { skip }, async (t) => {
  const { pebble, settings, folder } = await open(t)
  const nobody = { ...settings, directory: 'https://localhost:9/dir' }
  const { care, issued, counts } = startCare(t, folder, [nobody, settings])
  await answerVisits(t, pebble, () => care)
  await until(() => issued() === 1, 'the certificate', 60_000)
  t.equal(counts[0], 'acme_orders_total failed')
})

/** Pebble with renewal information in front of it, as RFC 9773 has it: this version of pebble knows none. */
async function startSuggesting(t: Test, pebble: Pebble, window: () => { start: string; end: string }) {
  const asked: string[] = []
  const orders: string[] = []
  const settings = await startAcmeProxy(t, pebble, {
    directory: (base) => ({ renewalInfo: `${base}/renewal` }),
    answer: (path) => {
      if (!path.startsWith('/renewal/')) return null
      asked.push(path.slice('/renewal/'.length))
      return { suggestedWindow: window() }
    },
    onRequest: (path, body) => {
      if (path === '/order-plz') orders.push(body)
    },
  })
  return {
    settings,
    asked,
    replaced: () => orders.map((text) => Buffer.from(JSON.parse(text).payload, 'base64url').toString()),
  }
}

t.test('an authority that wants a fresh certificate early gets its way', { skip }, async (t) => {
  const { pebble, folder } = await open(t)
  const at = (days: number): string => new Date(Date.now() + days * 86_400_000).toISOString()
  let [from, to] = [20, 30]
  const { settings, asked, replaced } = await startSuggesting(t, pebble, () => ({ start: at(from), end: at(to) }))
  const first = startCare(t, folder, [settings])
  let present = first.care
  await answerVisits(t, pebble, () => present)
  await until(() => asked.length === 1, 'the question', 60_000)
  t.match(asked[0]!, /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/)
  await until(
    () => first.care.renewals[0]!.value < Date.now() / 1000 + 31 * 86_400,
    'the suggestion, not two thirds of five years',
  )
  t.ok(first.care.renewals[0]!.value > Date.now() / 1000 + 19 * 86_400)
  first.care.close()
  // A revocation to come: it should have been renewed yesterday.
  ;[from, to] = [-2, -1]
  const serial = leafIn(folder).serialNumber
  const second = startCare(t, folder, [settings])
  present = second.care
  await until(() => second.issued() === 1, 'the renewal', 60_000)
  second.care.close()
  t.not(leafIn(folder).serialNumber, serial)
  t.equal(JSON.parse(replaced()[0]!).replaces, undefined)
  // The authority refuses nonces now and then, and what it refused is sent again.
  t.equal(JSON.parse(replaced().at(-1)!).replaces, asked[0], 'says which one it is for')
})
