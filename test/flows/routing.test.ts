/** Which route a request meets, by pattern and by header fields, from outside and over every transport. */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const services = { any: await startUpstream(), next: await startUpstream() }
const route = (path: string, service: string, more: object = {}) => ({
  ...{ path, service, profiles: ['internet'], purpose: 'test' },
  ...more,
})
const gateway = await startGatewayHere(
  testConfig('', {
    listeners: { public: publicListener(), admin: { address: '127.0.0.1:0' } },
    services: { any: { endpoints: [services.any.url] }, next: { endpoints: [services.next.url] } },
    routes: [
      route('/chats/{id}/messages', 'any', { methods: ['GET'] }),
      route('/chats/{id}/messages', 'next', {
        methods: ['GET'],
        match: { headers: { 'X-Tenant': ['north', 'south'] } },
      }),
      route('/chats/open/messages', 'next', { methods: ['POST'] }),
      route('/live/{room}', 'any', { methods: ['GET'], webSocket: true }),
      route('/live/{room}', 'next', { methods: ['GET'], webSocket: true, match: { headers: { 'x-tenant': 'north' } } }),
    ],
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  for (const each of Object.values(services)) await each.close()
})

const seen = (): string => {
  const found = Object.entries(services).flatMap(([name, { received }]) =>
    received.splice(0).map(({ method, url }) => `${name} ${method} ${url}`),
  )
  return found.join()
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const ask = async (path: string, headers: string[] = [], method = 'GET'): Promise<string> => {
      const { status } = await client.ask({ path, headers, method })
      return `${status} ${seen()}`.trim()
    }

    t.equal(await ask('/chats/42/messages?x=1'), '200 any GET /chats/42/messages?x=1')
    t.equal(await ask('/chats/42/messages', ['x-tenant', 'north']), '200 next GET /chats/42/messages')
    t.equal(await ask('/chats/42/messages', ['x-tenant', 'east']), '200 any GET /chats/42/messages')
    t.equal(
      await ask('/chats/42/messages', ['x-tenant', 'north', 'x-tenant', 'east']),
      '200 any GET /chats/42/messages',
    )
    t.equal(await ask('/chats/a/../43/./messages'), '200 any GET /chats/43/messages', 'what is normal is matched')
    t.equal(await ask('/chats/42/messages', ['x-tenant', 'north'], 'POST'), '405')
    t.equal(await ask('/chats/open/messages'), '405', 'the most specific path decides')
    for (const path of ['/chats/42', '/chats/42/messages/', '/chats/4%2F2/messages/x', '/chats/{id}']) {
      t.equal(await ask(path), '404', path)
    }
    t.equal(await ask('/chats/4%2f2/messages'), '400', 'a slash that is no slash ends no segment')
  })
}

for (const transport of socketTransports) {
  t.test(`WebSocket: ${transport.name}`, async (t) => {
    for (const [tenant, expected] of [
      ['east', 'any'],
      ['north', 'next'],
    ] as const) {
      const client = await transport.open(place, { path: '/live/room-1', headers: ['x-tenant', tenant] })
      t.equal(services[expected].sockets.length, 1)
      client.terminate()
      services[expected].sockets.length = 0
    }
  })
}
