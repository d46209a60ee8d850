/** Mutual TLS from outside: who gets in on every transport, what the service learns and nobody can forge, and what a reload changes. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate, makeRevocationList } from '../kit/certificates.ts'
import { openHttp1, type Place, requestTransports } from '../kit/clients.ts'
import { publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const authority = await makeCertificate({ subject: 'CN=Agents CA', authority: true })
const good = await makeCertificate({ subject: 'CN=agent 7, O=Example', issuer: authority, purposes: [CLIENT_AUTH] })
const revoked = await makeCertificate({ subject: 'CN=agent 8', issuer: authority, purposes: [CLIENT_AUTH] })
const expired = await makeCertificate({ issuer: authority, purposes: [CLIENT_AUTH], from: -9, to: -1 })
const server = await makeCertificate({ issuer: authority, purposes: ['1.3.6.1.5.5.7.3.1'] })
const stranger = await makeCertificate({ subject: 'CN=agent 7, O=Example', purposes: [CLIENT_AUTH] })

const folder = t.testdir({})
const ca = join(folder, 'ca.pem')
const crl = join(folder, 'list.pem')
writeFileSync(ca, authority.cert)
writeFileSync(crl, await makeRevocationList(authority, []))

const upstream = await startUpstream()
const clientCertificates = { ca: [ca], crl: [crl], forwardCertificate: true }
const gateway = await startGateway(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      agents: publicListener({ tls: { clientCertificates } }),
      either: publicListener({ tls: { clientCertificates: { ca: [ca], mode: 'optional' } } }),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

const placeOf = (listener: string, certificate?: Place['certificate']): Place => ({
  port: gateway.port(`listeners.${listener}.address`),
  ...(certificate === undefined ? {} : { certificate }),
})

const FORGED = [
  ...['x-client-cert-subject', 'CN=admin', 'X-Client-Cert-Fingerprint', '00', 'client-cert', ':AAAA:'],
  ...['x-ssl-client-verify', 'SUCCESS', 'x-client-cert-verified', 'yes', 'client-cert-chain', ':AAAA:'],
]

async function told(place: Place, transport: (typeof requestTransports)[number]): Promise<Record<string, string>> {
  const client = transport.open(place)
  const reply = await client.ask({ path: '/echo', headers: FORGED })
  await client.close()
  const { headers } = reply.json() as { headers: string[] }
  const seen: Record<string, string> = {}
  for (let i = 0; i < headers.length; i += 2) {
    if (/cert|ssl/.test(headers[i]!)) seen[headers[i]!] = `${seen[headers[i]!] ?? ''}${headers[i + 1]!}`
  }
  return seen
}

for (const transport of requestTransports) {
  t.test(`${transport.name}: the service learns who came, and nothing that a client wrote`, async (t) => {
    const seen = await told(placeOf('agents', good), transport)
    t.equal(seen['x-client-cert-subject'], 'CN=agent 7,O=Example')
    t.match(seen['x-client-cert-fingerprint'], /^[0-9a-f]{64}$/)
    t.match(seen['client-cert'], /^:[A-Za-z0-9+/]{200,}=*:$/)
    t.equal(Object.keys(seen).length, 3)
    t.strictSame(Object.keys(await told(placeOf('either', good), transport)).sort(), [
      'x-client-cert-fingerprint',
      'x-client-cert-subject',
    ])
    t.strictSame(await told(placeOf('either'), transport), {}, 'none was shown')
    t.strictSame(await told(placeOf('public', good), transport), {}, 'none was asked for')
  })
}

for (const transport of socketTransports) {
  t.test(`${transport.name}: a WebSocket carries it too`, async (t) => {
    const socket = await transport.open(placeOf('agents', good), { path: '/ws/echo', headers: FORGED })
    await socket.close()
    const head = upstream.connections.at(-1)!.chunks.join('').split('\r\n\r\n')[0]!
    t.strictSame(head.match(/^x-client-cert-subject:.*$/gim), ['x-client-cert-subject: CN=agent 7,O=Example'])
    t.notMatch(head, /CN=admin|SUCCESS|AAAA/)
  })
}

t.test('without a valid one nothing is served, and the log and the metrics say why', async (t) => {
  const before = upstream.received.length
  for (const certificate of [undefined, stranger, expired, server]) {
    const client = openHttp1(placeOf('agents', certificate))
    t.equal((await client.ask({ path: '/echo' })).status, 0)
    await client.close()
  }
  const client = openHttp1(placeOf('either', stranger))
  t.equal((await client.ask({ path: '/echo' })).status, 0, 'an invalid one is not as good as none')
  await client.close()
  t.equal(upstream.received.length, before)
  await until(() => /"either","reason":"client-certificate-untrusted"/.test(gateway.log()), 'the line')
  t.match(gateway.log(), '"listener":"either","reason":"client-certificate-untrusted","client":"127.0.0.1"')
  t.match(gateway.log(), '"listener":"agents","reason":"client-certificate-missing","client":"127.0.0.1"')
  for (const reason of ['untrusted', 'expired', 'purpose']) {
    await until(() => gateway.log().includes(`"listener":"agents","reason":"client-certificate-${reason}"`), reason)
  }
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  t.match(metrics, /portcullis_tls_handshake_failures_total\{reason="client-certificate-missing",listener="agents"\} 1/)
  t.match(
    metrics,
    /portcullis_tls_handshake_failures_total\{reason="client-certificate-untrusted",listener="either"\} 1/,
  )
  t.match(
    metrics,
    /portcullis_certificate_expiry_timestamp_seconds\{listener="agents",certificate="localhost",file="[^"]+"\} \d{10}/,
  )
})

t.test('a new revocation list counts without a restart, and a broken one changes nothing', async (t) => {
  const ask = async (): Promise<number> => {
    const client = openHttp1(placeOf('agents', revoked))
    const { status } = await client.ask({ path: '/echo' })
    await client.close()
    return status
  }
  t.equal(await ask(), 200)
  writeFileSync(crl, 'not a list')
  await until(() => gateway.log().includes('holds no revocation list'), 'the refusal')
  t.equal(await ask(), 200)
  writeFileSync(crl, await makeRevocationList(authority, [revoked]))
  await until(async () => (await ask()) === 0, 'the new list')
  await until(() => gateway.log().includes('"reason":"client-certificate-revoked","client":"127.0.0.1"'), 'the line')
})
