/** Which routes exist where: a listener's profile decides, and what it does not name cannot be told from nothing. */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { HandshakeRefused, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const upstream = await startUpstream()
const route = (path: string, profiles: string[], more: Json = {}): Json => ({
  ...{ path, service: 'chat', profiles, purpose: 'test', ...more },
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      agents: publicListener({ profile: 'internal' }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      route('/chat/*', ['internet'], { webSocket: true }),
      route('/chat/agent/*', [], { webSocket: true }),
      route('/desk/*', [], { webSocket: true, methods: ['GET'] }),
      route('/named', ['internal']),
      route('/everywhere', ['internet', 'internal']),
    ],
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const internet = { port: gateway.publicPort }
const internal = { port: gateway.port('listeners.agents.address') }

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const outside = transport.open(internet)
    const inside = transport.open(internal)
    t.teardown(() => Promise.all([outside.close(), inside.close()]))

    for (const path of ['/desk/a', '/named']) {
      const seen = upstream.received.length
      const hidden = await outside.ask({ path })
      const nothing = await outside.ask({ path: '/no/such/place' })
      t.equal(hidden.status, 404, path)
      t.match(hidden.json(), { code: 'no-route' })
      const told = (reply: typeof hidden): string[] =>
        reply.headers.filter((_, i) => !['date', 'x-request-id'].includes(reply.headers[i - (i % 2)]!))
      t.same(told(hidden), told(nothing), 'as where nothing is')
      t.equal((await outside.ask({ path, method: 'DELETE' })).status, 404, 'no other method tells that it exists')
      t.equal(upstream.received.length, seen, 'the service heard of none of it')
      t.equal((await inside.ask({ path })).status, 200)
    }
    for (const path of ['/everywhere', '/chat/a']) {
      t.equal((await outside.ask({ path })).status, 200)
      t.equal((await inside.ask({ path })).status, 200)
    }
    t.equal((await inside.ask({ path: '/desk/a', method: 'POST', body: 'a' })).status, 405)
  })
}

t.test('a more specific internal route takes nothing away from the internet', async (t) => {
  const client = requestTransports[0]!.open(internet)
  t.teardown(() => client.close())
  t.equal((await client.ask({ path: '/chat/agent/x' })).status, 200, 'the route of the internet covers that path')
})

for (const transport of socketTransports) {
  t.test(`sockets: ${transport.name}`, async (t) => {
    const socket = await transport.open(internal, { path: '/desk/ws' })
    socket.send('hello')
    t.equal((await socket.next()).text, 'hello')
    await socket.close()
    const refused = await transport.open(internet, { path: '/desk/ws' }).catch((error: unknown) => error)
    t.ok(refused instanceof HandshakeRefused)
    t.equal((refused as HandshakeRefused).status, 404)
  })
}
