/** Certificates that the gateway orders by itself, from a real ACME server: the first one, over both challenges, and after a crash. */
import { execFile } from 'node:child_process'
import { mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { connect as connectTcp, createServer, type Socket } from 'node:net'
import { join, resolve } from 'node:path'
import { connect } from 'node:tls'
import { promisify } from 'node:util'
import t from 'tap'
import type { StatusView } from '../../src/exchange/status-view.ts'
import { type Json, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { PEBBLE_MISSING, type Pebble, startPebble } from '../kit/pebble.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'

const SECRET = 'a secret of thirty-two characters'
const PROGRAM = resolve(import.meta.dirname, '../../bin/portcullis.js')
const run = promisify(execFile)

interface Peer {
  issuer: string
  serial: string
  names: string
}

/** The certificate that a client is shown. */
function shown(port: number, servername: string): Promise<Peer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ port, host: '127.0.0.1', servername, rejectUnauthorized: false }, () => {
      const { issuer, serialNumber, subjectaltname = '' } = socket.getPeerCertificate()
      resolve({ issuer: issuer.CN as string, serial: serialNumber, names: subjectaltname })
      socket.destroy()
    })
    socket.on('error', reject)
  })
}

function configFor(pebble: Pebble, folder: string, listener: Json, acme: Json = {}, more: Json = {}): Json {
  const own = {
    names: ['a.example.com', 'b.example.com'],
    agreeToTerms: true,
    email: 'ops@example.com',
    authorities: [{ directory: pebble.directory, ca: pebble.ca }],
    folder,
    ...acme,
  }
  const hosts = ['a.example.com', 'b.example.com', 'localhost']
  return testConfig('http://127.0.0.1:9', {
    listeners: {
      public: publicListener({ hosts, tls: { acme: own }, ...listener }),
      admin: { address: '127.0.0.1:0' },
    },
    ...more,
  })
}

const issuedBy = (port: number) => async (): Promise<Peer | false> => {
  const peer = await shown(port, 'a.example.com')
  return peer.issuer.startsWith('Pebble') && peer
}

const metrics = async (port: number): Promise<string> => (await fetch(`http://127.0.0.1:${port}/metrics`)).text()

const skip = PEBBLE_MISSING === '' ? false : PEBBLE_MISSING

t.test(
  'first issue by tls-alpn-01: a temporary certificate, then the real one, without a restart',
  { skip },
  async (t) => {
    const pebble = await startPebble()
    t.teardown(() => pebble.kill())
    const folder = join(t.testdir(), 'acme')
    const gateway = await startGateway(configFor(pebble, folder, { address: `127.0.0.1:${pebble.tlsPort}` }))
    t.teardown(() => gateway.close())
    t.match(gateway.log(), /A temporary self-signed certificate serves a\.example\.com, b\.example\.com/)
    const peer = await until(issuedBy(pebble.tlsPort), 'the certificate', 60_000)
    t.equal(peer.names, 'DNS:a.example.com, DNS:b.example.com')
    t.equal((await shown(pebble.tlsPort, 'b.example.com')).serial, peer.serial)
    t.match(gateway.log(), /A certificate was issued/)
    t.equal(statSync(join(folder, 'a.example.com', 'privkey.pem')).mode & 0o777, 0o600)
    const [account] = readdirSync(join(folder, 'accounts'))
    t.equal(statSync(join(folder, 'accounts', account!)).mode & 0o777, 0o600)
    t.equal(pebble.issued(), 1)
    const text = await metrics(gateway.adminPort)
    t.match(text, 'portcullis_acme_orders_total{outcome="issued"} 1')
    t.match(text, /portcullis_acme_renewal_timestamp_seconds\{certificate="a\.example\.com"\} [1-9]/)
    const status = (await (await fetch(`http://127.0.0.1:${gateway.adminPort}/status`)).json()) as StatusView
    t.match(status.certificates.shown, [
      { source: 'acme', issuer: /^Pebble/, names: ['a.example.com', 'b.example.com'] },
    ])
    const admin = `http://127.0.0.1:${gateway.adminPort}`
    const { stdout } = await run(process.execPath, [PROGRAM, 'certs', 'renew', 'a.example.com', '--admin', admin])
    t.match(stdout, /^ordered/)
    const next = await until(async () => {
      const now = await shown(pebble.tlsPort, 'a.example.com')
      return now.serial !== peer.serial && now
    }, 'the renewal that a person asked for')
    t.match(next.issuer, /^Pebble/)
    t.equal(pebble.issued(), 2)
    t.match(
      gateway.auditLines().findLast(({ event }) => event === 'crypt_renew'),
      {
        outcome: 'success',
        object: 'certificate a.example.com',
      },
    )
  },
)

t.test('first issue by http-01, with an external account; other tokens are nobody’s', { skip }, async (t) => {
  const key = Buffer.from('a key of thirty-two bytes, no less').toString('base64url')
  const pebble = await startPebble({ accounts: { 'kid-1': key } })
  t.teardown(() => pebble.kill())
  const folder = t.testdir()
  const listener = { address: '127.0.0.1:0', redirectFrom: `127.0.0.1:${pebble.httpPort}` }
  const eab = { keyId: 'kid-1', key: { env: 'EAB_KEY' } }
  const authorities = [{ directory: pebble.directory, ca: pebble.ca, eab }]
  const gateway = await startGateway(configFor(pebble, folder, listener, { challenge: 'http-01', authorities }), {
    EAB_KEY: key,
  })
  t.teardown(() => gateway.close())
  await until(issuedBy(gateway.publicPort), 'the certificate', 60_000)
  const plain = `http://localhost:${pebble.httpPort}`
  t.equal((await fetch(`${plain}/.well-known/acme-challenge/unknown`)).status, 404)
  t.equal((await fetch(`${plain}/.well-known/acme-challenge/../x`, { redirect: 'manual' })).status, 308)
  t.equal((await fetch(`${plain}/other`, { redirect: 'manual' })).status, 308)
})

t.test('two nodes and one order: each answers for the other, and both have the certificate', { skip }, async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const pebble = await startPebble()
  t.teardown(() => pebble.kill())
  const folder = t.testdir()
  const node = async (name: string) => {
    const gateway = await startGateway(
      configFor(
        pebble,
        join(folder, name),
        { address: '127.0.0.1:0' },
        { sharedSecret: { env: 'ACME_SECRET' } },
        { limits: { store: { redis: { url: redis.url, timeout: '1 second' } } } },
      ),
      { ACME_SECRET: SECRET },
    )
    t.teardown(() => gateway.close())
    return gateway
  }
  const ports: number[] = []
  let turn = 0
  const visits = [0, 0]
  // The authority comes to the one and the other in turn, as behind a balancer.
  const balancer = createServer((client: Socket) => {
    const at = turn++ % 2
    const server = connectTcp(ports[at]!, '127.0.0.1')
    visits[at]!++
    client.pipe(server).pipe(client)
    for (const socket of [client, server]) socket.on('error', () => {})
  })
  await new Promise<void>((done) => balancer.listen(pebble.tlsPort, '127.0.0.1', done))
  t.teardown(() => balancer.close())
  const nodes = await Promise.all([node('one'), node('two')])
  ports.push(...nodes.map(({ publicPort }) => publicPort))
  const [one, two] = await Promise.all(ports.map((port) => until(issuedBy(port), 'the certificate', 90_000)))
  t.equal(one!.serial, two!.serial, 'the same one')
  t.equal(pebble.issued(), 1, 'one order')
  t.ok(visits[0]! > 0 && visits[1]! > 0, 'both were visited')
  const logs = nodes.map(({ log }) => log()).join('')
  t.match(logs, /A certificate was taken over from another node/)
  const value = await redis.command('KEYS *certificate')
  t.match(value, /acme:/)
  const [place] = /portcullis:value:acme:[0-9a-f]+:certificate/.exec(value)!
  t.notMatch(await redis.command(`GET ${place}`), /PRIVATE KEY/, 'sealed')
})

t.test('a crash in the middle of an order: the next start finishes', { skip }, async (t) => {
  const pebble = await startPebble({ env: { PEBBLE_VA_NOSLEEP: '', PEBBLE_VA_SLEEPTIME: '4' } })
  t.teardown(() => pebble.kill())
  const folder = join(t.testdir(), 'acme')
  const config = configFor(pebble, folder, { address: `127.0.0.1:${pebble.tlsPort}` })
  const first = await startGateway(config)
  await until(() => pebble.log().includes('new-order') || pebble.log().includes('/order-plz'), 'the order')
  await until(() => pebble.log().includes('/chalZ/'), 'the challenge')
  first.child.kill('SIGKILL')
  await first.exited
  await first.close()
  t.equal(pebble.issued(), 0)
  const second = await startGateway(config)
  t.teardown(() => second.close())
  await until(issuedBy(pebble.tlsPort), 'the certificate', 90_000)
  t.equal(readdirSync(join(folder, 'accounts')).length, 1, 'with the same account')
})

t.test('what stands there and cannot be served is replaced, and nobody waits for it', { skip }, async (t) => {
  const pebble = await startPebble()
  t.teardown(() => pebble.kill())
  const folder = t.testdir()
  mkdirSync(join(folder, 'a.example.com'))
  writeFileSync(join(folder, 'a.example.com', 'fullchain.pem'), 'half a file')
  writeFileSync(join(folder, 'a.example.com', 'privkey.pem'), 'half a key', { mode: 0o600 })
  const gateway = await startGateway(configFor(pebble, folder, { address: `127.0.0.1:${pebble.tlsPort}` }))
  t.teardown(() => gateway.close())
  t.match(gateway.log(), /A certificate will be ordered anew: .*holds no certificate/)
  await until(issuedBy(pebble.tlsPort), 'the certificate', 60_000)
})
