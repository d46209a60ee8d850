/** A service that listens on a Unix socket: requests and WebSockets, and what is told where it is gone. */
import { createServer } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { until } from '../kit/wait.ts'

/** A character that a URL would escape. */
const path = join(t.testdir(), 'chat|1.sock')
const checked: string[] = []
const server = createServer((request, response) => {
  if (request.url === '/well') checked.push(request.headers.host ?? '')
  response.setHeader('x-path', `at ${path}`)
  response.end(`${request.method} ${request.url} ${request.headers.host}`)
})
const sockets = new WebSocketServer({ server })
sockets.on('connection', (socket) => socket.on('message', (data) => socket.send(`echo ${data}`)))
await new Promise<void>((done) => server.listen(path, done))
const often = { interval: '50 ms', timeout: '2 s', rise: 1, fall: 1 }
const checks = {
  http: { path: '/well', ...often },
  tcp: { kind: 'tcp', ...often },
  ws: { kind: 'websocket', ...often },
}
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      chat: { endpoints: [`unix:${path}`] },
      ...Object.fromEntries(
        Object.entries(checks).map(([kind, health]) => [kind, { endpoints: [`unix:${path}`], health }]),
      ),
    },
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  sockets.close()
  server.closeAllConnections()
  server.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const reply = await client.ask({ path: '/a?b' })
    t.match(reply, { status: 200, text: `GET /a?b localhost:${place.port}` })
  })
}

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    const client = await transport.open(place, { path: '/live' })
    client.send('hi')
    t.equal((await client.next()).text, 'echo hi')
    await client.close()
  })
}

async function states(): Promise<string[]> {
  const all = (await (await fetch(`http://127.0.0.1:${gateway.adminPort}/services`)).json()) as {
    services: { name: string; endpoints: { name: string; state: string }[] }[]
  }
  return all.services.map(({ name, endpoints }) => `${name} ${endpoints[0]!.name} ${endpoints[0]!.state}`)
}

t.test('active checks of all kinds ask the socket', async (t) => {
  await until(() => checked.length > 3, 'checks')
  t.equal(checked[0], 'localhost')
  t.same(
    await states(),
    ['chat', 'http', 'tcp', 'ws'].map((name) => `${name} unix:${path} in`),
  )
})

t.test('gone', async (t) => {
  sockets.close()
  server.closeAllConnections()
  await new Promise((done) => server.close(done))
  const client = requestTransports[0]!.open(place)
  t.teardown(() => client.close())
  const reply = await client.ask({ path: '/x' })
  t.match(reply.json(), { status: 502, code: 'upstream-unreachable' })
  t.notMatch(reply.text, path)
  await until(
    async () => (await states()).filter((each) => each.endsWith(' down')).length === 3,
    'the checks to say so',
  )
})
