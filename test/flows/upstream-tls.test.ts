/** TLS towards services: whose name is asked for and checked, whatever Host the client sends. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream, type Upstream } from '../kit/upstream.ts'

const folder = t.testdir()
const made = {
  address: await makeCertificate({ names: ['127.0.0.1'] }),
  named: await makeCertificate({ names: ['chat.internal'] }),
  // What the gateway is called from outside is no proof of being the service.
  public: await makeCertificate({ names: ['localhost', 'other.example'] }),
}
for (const [name, { cert }] of Object.entries(made)) writeFileSync(join(folder, `${name}.pem`), cert)
const upstreams = {
  address: await startUpstream({ tls: made.address }),
  named: await startUpstream({ tls: made.named }),
  public: await startUpstream({ tls: made.public }),
}
const tls = (name: keyof typeof made, more = {}) => ({
  endpoints: [upstreams[name].url],
  tls: { ca: join(folder, `${name}.pem`), ...more },
})
const route = { profiles: ['internet'], purpose: 'test', webSocket: true }
const gateway = await startGatewayHere(
  testConfig('', {
    listeners: {
      public: publicListener({ hosts: ['localhost', 'other.example', 'chat.internal'] }),
      admin: { address: '127.0.0.1:0' },
    },
    services: {
      address: tls('address'),
      named: tls('named', { serverName: 'chat.internal' }),
      misnamed: tls('named', { serverName: 'files.internal' }),
      unnamed: tls('named'),
      public: tls('public'),
      untrusted: { endpoints: [upstreams.address.url] },
    },
    routes: ['address', 'named', 'misnamed', 'unnamed', 'public', 'untrusted'].map((service) => ({
      ...route,
      path: `/${service}`,
      service,
    })),
  }),
)
const place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  await Promise.all(Object.values(upstreams).map((each) => each.close()))
})

const HOSTS = ['localhost', 'other.example', 'chat.internal']

for (const transport of requestTransports) {
  t.test(`${transport.name}: the name of the service is checked, not the Host that the client sent`, async (t) => {
    for (const host of HOSTS) {
      const client = transport.open({ ...place, host })
      t.teardown(() => client.close())
      const status = async (path: string) => (await client.ask({ path })).status
      t.equal(await status('/address'), 200, `${host}: the address of the URL`)
      t.equal(await status('/named'), 200, `${host}: serverName`)
      t.equal(await status('/misnamed'), 502, `${host}: another serverName`)
      t.equal(await status('/unnamed'), 502, `${host}: a name that is not the host of the URL`)
      t.equal(await status('/public'), 502, `${host}: the name of the gateway itself`)
      t.equal(await status('/untrusted'), 502, `${host}: an authority that nobody trusts`)
    }
  })
}

t.test('one connection serves requests with different Hosts', async (t) => {
  const clients = HOSTS.map((host) => requestTransports[0]!.open({ ...place, host }))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  const before = upstreams.named.connections.length
  for (let i = 0; i < 9; i++) t.equal((await clients[i % 3]!.ask({ path: '/named' })).status, 200)
  t.ok(upstreams.named.connections.length - before <= 1)
})

t.test('SNI is the name of the service, and none for an address', async (t) => {
  const namesAt = (upstream: Upstream) =>
    new Set(upstream.connections.map(({ socket }) => (socket as unknown as { servername?: string | false }).servername))
  t.same([...namesAt(upstreams.named)], ['chat.internal'])
  t.same([...namesAt(upstreams.address)], [false])
})

for (const transport of socketTransports) {
  t.test(`${transport.name}: a WebSocket has its service checked alike`, async (t) => {
    const socket = await transport.open(place, { path: '/named' })
    socket.send('over TLS')
    t.equal((await socket.next()).text, 'over TLS')
    await socket.close()
    await t.rejects(transport.open(place, { path: '/public' }), /answered with 502/)
  })
}
