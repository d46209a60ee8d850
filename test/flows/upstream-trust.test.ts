/** Services that cannot prove who they are: each is refused, nothing reaches it, and the access line names the cause. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate, makeRevocationList } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const CLIENT_AUTH = '1.3.6.1.5.5.7.3.2'
const authority = await makeCertificate({ subject: 'CN=Services CA', authority: true })
const names = ['127.0.0.1']
const made = {
  good: await makeCertificate({ names, issuer: authority }),
  expired: await makeCertificate({ names, issuer: authority, from: -9, to: -1 }),
  early: await makeCertificate({ names, issuer: authority, from: 1, to: 9 }),
  misnamed: await makeCertificate({ names: ['127.0.0.2', 'localhost'], issuer: authority }),
  stranger: await makeCertificate({ names }),
  revoked: await makeCertificate({ names, issuer: authority }),
  purpose: await makeCertificate({ names, issuer: authority, purposes: [CLIENT_AUTH] }),
}
const client = await makeCertificate({ subject: 'CN=gateway', issuer: authority, purposes: [CLIENT_AUTH] })

const folder = t.testdir({})
const file = (name: string, text: string): string => {
  writeFileSync(join(folder, name), text, { mode: 0o600 })
  return join(folder, name)
}
const ca = file('ca.pem', authority.cert)
const crl = file('list.pem', await makeRevocationList(authority, [made.revoked]))
const old = file('old.pem', await makeRevocationList(authority, [], -1))
const cert = file('gateway.pem', client.cert)
const key = file('gateway.key', client.key)

const upstreams = new Map<string, Awaited<ReturnType<typeof startUpstream>>>()
for (const [name, pair] of Object.entries(made)) upstreams.set(name, await startUpstream({ tls: pair }))
upstreams.set('demanding', await startUpstream({ tls: { ...made.good, ca: authority.cert, requestCert: true } }))
const url = (name: string): string[] => [upstreams.get(name)!.url]

/** Name, service, and what the access line says; null where the service is trusted and trusts us. */
const CASES: [string, object, string | null][] = [
  ['good', { endpoints: url('good'), tls: { ca } }, null],
  ['listed', { endpoints: url('good'), tls: { ca, crl: [crl] } }, null],
  ['expired', { endpoints: url('expired'), tls: { ca } }, 'CERT_HAS_EXPIRED'],
  ['early', { endpoints: url('early'), tls: { ca } }, 'CERT_NOT_YET_VALID'],
  ['misnamed', { endpoints: url('misnamed'), tls: { ca } }, 'ERR_TLS_CERT_ALTNAME_INVALID'],
  ['stranger', { endpoints: url('stranger'), tls: { ca } }, 'DEPTH_ZERO_SELF_SIGNED_CERT'],
  ['public', { endpoints: url('good') }, 'UNABLE_TO_VERIFY_LEAF_SIGNATURE'],
  ['revoked', { endpoints: url('revoked'), tls: { ca, crl: [crl] } }, 'CERT_REVOKED'],
  ['unlisted', { endpoints: url('good'), tls: { ca, crl: [old] } }, 'CRL_HAS_EXPIRED'],
  ['purpose', { endpoints: url('purpose'), tls: { ca } }, 'INVALID_PURPOSE'],
  ['unknown', { endpoints: url('demanding'), tls: { ca } }, 'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED'],
  ['known', { endpoints: url('demanding'), tls: { ca, cert, key } }, null],
]

const gateway = await startGatewayHere(
  testConfig('', {
    services: Object.fromEntries(CASES.map(([name, service]) => [name, service])),
    routes: CASES.map(([name]) => ({
      path: `/${name}`,
      service: name,
      profiles: ['internet'],
      purpose: 'test',
      methods: ['GET', 'POST'],
    })),
  }),
)
t.teardown(async () => {
  await gateway.close()
  await Promise.all([...upstreams.values()].map((each) => each.close()))
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    for (const [name, , cause] of CASES) {
      const reply = await client.ask({ path: `/${name}`, headers: ['accept', 'application/json'] })
      if (cause === null) {
        t.equal(reply.status, 200, name)
        continue
      }
      t.equal(reply.status, 502, name)
      t.notMatch(reply.text, /CERT|127\.0\.0\.1|Services CA/, `${name}: nothing of the inside is told`)
      const line = await until(
        () =>
          gateway
            .accessLines()
            .find((each) => each.path === `/${name}` && each.protocol === protocolOf(transport.name)),
        `the line of ${name}`,
      )
      // Who does not trust us says so by an alert, under TLS 1.3 after the handshake.
      const failure = name === 'unknown' ? 'upstream-closed' : 'upstream-untrusted'
      t.match(line, { failure, detail: cause }, name)
    }
  })
}

t.test('nothing was sent to those that were not trusted', (t) => {
  for (const name of ['expired', 'early', 'misnamed', 'stranger', 'revoked', 'purpose']) {
    t.equal(upstreams.get(name)!.received.length, 0, name)
  }
  t.end()
})

const protocolOf = (transport: string): string => (transport === 'h2' ? 'h2' : 'http/1.1')
