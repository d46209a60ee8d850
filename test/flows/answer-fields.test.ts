/** What a service says of itself in header fields, as clients get it: over HTTP/1.1, HTTP/2 and at a WebSocket's handshake. */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const upstream = await startUpstream()
const route = (path: string, more: object = {}) => ({
  ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', webSocket: true },
  ...more,
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    internalNames: ['db.corp.example'],
    routes: [
      route('/*'),
      route('/chat/*', { rewrite: '/*', cookies: { readable: ['XSRF-TOKEN'], sameSite: 'none' } }),
      route('/nodes/*', { internalIn: ['x-node'] }),
    ],
  }),
)
const place = { port: gateway.publicPort }
const origin = `https://localhost:${place.port}`
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

/** The fields of the next answer. */
let said: [string, string][] = []
for (const path of ['/answer', '/nodes/answer']) {
  upstream.on(path, (_request, response) => {
    for (const [name, value] of said) response.appendHeader(name, value)
    response.end('ok')
  })
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const get = async (path: string, name: string, ...values: string[]): Promise<string | null> => {
      said = values.map((value) => [name, value])
      return (await client.ask({ path })).header(name)
    }

    t.test('its own origin becomes the public one, paths become those of clients', async (t) => {
      t.equal(await get('/answer', 'location', `${upstream.url}/next?a=b`), `${origin}/next?a=b`)
      t.equal(await get('/chat/answer', 'location', `${upstream.url}/next`), `${origin}/chat/next`)
      t.equal(await get('/chat/answer', 'location', '/next'), '/chat/next')
      t.equal(await get('/chat/answer', 'content-location', '/next'), '/chat/next')
      t.equal(await get('/answer', 'location', 'https://login.example.com/'), 'https://login.example.com/')
      t.equal(await get('/answer', 'location', 'http://10.9.8.7/'), null)
    })

    t.test('a head that comes again is looked at for each route', async (t) => {
      for (let i = 0; i < 3; i++) {
        t.equal(await get('/chat/answer', 'location', '/next'), '/chat/next')
        t.equal(await get('/answer', 'location', '/next'), '/next')
        t.equal(await get('/nodes/answer', 'x-node', '10.1.2.3'), '10.1.2.3')
        t.equal(await get('/answer', 'x-node', '10.1.2.3'), null)
      }
    })

    t.test('cookies get what they lack', async (t) => {
      said = [
        ['set-cookie', 'a=1; Path=/app; Domain=db.corp.example'],
        ['set-cookie', 'XSRF-TOKEN=2'],
      ]
      const { headers } = await client.ask({ path: '/chat/answer' })
      const cookies = headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === 'set-cookie')
      t.same(cookies, ['a=1; Path=/chat/app; Secure; HttpOnly; SameSite=None', 'XSRF-TOKEN=2; Secure; SameSite=None'])
    })

    t.test('names and addresses of the inside do not leave, in early hints and trailers neither', async (t) => {
      t.equal(await get('/answer', 'x-debug', 'from db.corp.example'), null)
      t.equal(await get('/answer', 'x-debug', 'from [fd00::1]'), null)
      t.equal(await get('/answer', 'x-debug', 'from 8.8.8.8'), 'from 8.8.8.8')
      upstream.on('/late', (_request, response) => {
        response.writeEarlyHints({ link: `<${upstream.url}/a.css>; rel=preload; as=style` })
        response.writeHead(200, { trailer: 'x-node, x-sum' })
        response.write('x')
        response.addTrailers({ 'x-node': '192.168.7.7', 'x-sum': '1' })
        response.end()
      })
      const reply = await client.ask({ path: '/late', headers: ['te', 'trailers'] })
      t.equal(reply.status, 200)
      t.notMatch(JSON.stringify([reply.headers, reply.trailers, reply.informational]), /192\.168|127\.0\.0\.1/)
      t.match(JSON.stringify(reply.trailers), /x-sum/)
    })
  })
}

for (const transport of socketTransports) {
  t.test(`${transport.name}: the handshake carries nothing of the inside`, async (t) => {
    const client = await transport.open(place, { path: '/chat/echo' })
    t.notMatch(client.headers.join(), /127\.0\.0\.1/)
    client.terminate()
  })
}
