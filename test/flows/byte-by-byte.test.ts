/**
 * One conversation by REST, ws, and real socket.io clients of two ages in each transport, every byte in a record of its own:
 * the service hears the same clean texts from all of them.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { startSplitter } from '../kit/byte-splitter.ts'
import { openHttp1 } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

const TEXTS = [
  'plain words',
  'a<R b and 1<2, x > y & z, I <3 you',
  'Grüße, 你好, مرحبا 😀 e\u0301',
  '<b>bold</b> and <script>alert(1)</script>after',
  '<img src=x onerror=alert(1)>before',
  'card 4111 1111 1111 1111 thanks',
  'x&lt;b&gt; https://example.com/?a=1&b=2',
]

const heard: string[] = []
const http = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    heard.push((JSON.parse(Buffer.concat(chunks).toString()) as { text: string }).text)
    response.end('{}')
  })
})
const server = new Server(http, { allowEIO3: true, serveClient: false, pingInterval: 60_000, destroyUpgrade: false })
server.on('connection', (socket) => {
  socket.on('message', (value: { text: string }, done: () => void) => {
    heard.push(value.text)
    done()
  })
})
const plain = new WebSocketServer({ noServer: true })
http.on('upgrade', (request, socket, head) => {
  if (!request.url!.startsWith('/ws')) return
  plain.handleUpgrade(request, socket, head, (accepted) => {
    accepted.on('message', (data) => {
      heard.push((JSON.parse(data.toString()) as { text: string }).text)
      accepted.send('{}')
    })
  })
})
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))

const shared = { service: 'chat', profiles: ['internet'], purpose: 'chat', messages: 'chat' }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    routes: [
      { ...shared, path: '/rest', methods: ['POST'] },
      { ...shared, path: '/ws', methods: ['GET'], webSocket: true },
      { ...shared, path: '/socket.io/*', webSocket: true, socketIo: true },
    ],
    messages: { chat: { fields: ['$.text'], events: { message: ['$[0].text'] }, otherEvents: 'refuse' } },
  }),
)
const splitter = await startSplitter(gateway.publicPort)
t.teardown(async () => {
  await splitter.close()
  await gateway.close()
  http.closeAllConnections()
  await server.close()
})

const place = { port: splitter.port }
// The page would come from the gateway's own origin; Host names the splitter, and so does Origin.
const url = `https://localhost:${splitter.port}`

/** Says all texts and gives what the service heard. */
async function converse(say: (text: string) => Promise<unknown>): Promise<string[]> {
  heard.length = 0
  for (const text of TEXTS) await within(say(text), `the answer to ${text}`)
  return [...heard]
}

const rest = openHttp1({ port: gateway.publicPort })
const expected = await converse((text) =>
  rest.ask({
    method: 'POST',
    path: '/rest',
    body: JSON.stringify({ text }),
    headers: ['content-type', 'application/json'],
  }),
)
await rest.close()

t.test('by REST in one piece the texts are clean', (t) => {
  t.equal(expected.length, TEXTS.length)
  t.equal(expected[0], TEXTS[0])
  t.equal(expected[2], TEXTS[2])
  t.equal(expected[3], 'bold and after')
  t.equal(expected[5], 'card **** **** **** 1111 thanks')
  t.end()
})

t.test('REST, byte by byte', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const said = await converse((text) =>
    client.ask({
      method: 'POST',
      path: '/rest',
      body: JSON.stringify({ text }),
      headers: ['content-type', 'application/json'],
    }),
  )
  t.same(said, expected)
})

t.test('ws, byte by byte', async (t) => {
  const socket = await socketTransports[0]!.open(place, { path: '/ws' })
  t.same(
    await converse((text) => {
      socket.send(JSON.stringify({ text }))
      return socket.next()
    }),
    expected,
  )
  await socket.close()
})

for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
  t.test(`socket.io 4 by ${transports.join(', then ')}, byte by byte`, async (t) => {
    const socket = io(url, { transports, upgrade: transports.length > 1, rejectUnauthorized: false, forceNew: true })
    t.teardown(() => socket.disconnect())
    t.same(await converse((text) => socket.emitWithAck('message', { text })), expected)
  })

  t.test(`socket.io 2 by ${transports.join(', then ')}, byte by byte`, async (t) => {
    const socket = oldClient(url, {
      transports,
      upgrade: transports.length > 1,
      rejectUnauthorized: false,
      forceNew: true,
    })
    t.teardown(() => socket.disconnect())
    await until(() => socket.connected, 'the connection')
    const say = (text: string): Promise<unknown> =>
      new Promise((resolve) => socket.emit('message', { text }, resolve as never))
    t.same(await converse(say), expected)
  })
}

t.test('every byte did travel by itself', (t) => {
  t.ok(splitter.count() > 10_000, String(splitter.count()))
  t.end()
})
