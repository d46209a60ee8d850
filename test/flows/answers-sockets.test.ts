/** What a service sends over sockets and polls is cleaned by the rules for answers: one set of rules in both directions. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketIoServer } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

const DIRTY = { text: '<b>hello</b> 4111 1111 1111 1111 <script>alert(1)</script>a < b' }
const CLEAN = { text: 'hello **** **** **** 1111 a < b' }
const FILE = Buffer.from([0, 60, 98, 62, 255])

const service = createServer((req, res) => {
  const type = req.url === '/lines' ? 'application/x-ndjson' : 'text/plain'
  res.writeHead(200, { 'content-type': type })
  res.end(req.url === '/lines' ? `${JSON.stringify(DIRTY)}\n{"text":"x"}\n` : DIRTY.text)
})
const raw = new WebSocketServer({ noServer: true })
const rawHeard: string[] = []
raw.on('connection', (socket) => {
  socket.on('message', (data) => {
    rawHeard.push(data.toString())
    socket.send(JSON.stringify(DIRTY))
    socket.send(FILE)
    for (const [i, each] of [...DIRTY.text].entries()) socket.send(each, { fin: i === DIRTY.text.length - 1 })
  })
})
const heard: unknown[] = []
const server = new SocketIoServer(service, { allowEIO3: true, serveClient: false, destroyUpgrade: false })
service.on('upgrade', (req, socket, head) => {
  if (req.url === '/ws') raw.handleUpgrade(req, socket, head, (each) => raw.emit('connection', each, req))
})
server.on('connection', (socket) => {
  socket.on('message', (value: unknown, done: (answer: unknown) => void) => {
    heard.push(value)
    socket.emit('message', DIRTY, 'more')
    socket.emit('secret', 'nobody named this event')
    socket.emit('file', { text: '<b>x</b>', file: FILE })
    socket.emit('message', { text: 'last' })
    done(DIRTY)
  })
})
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))

const route = { service: 'chat', profiles: ['internet'], purpose: 'chat', webSocket: true }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(service.address() as AddressInfo).port}`, {
    routes: [
      { ...route, path: '/*', messages: 'chat', answers: 'chat' },
      { ...route, path: '/socket.io/*', socketIo: true, messages: 'chat', answers: 'chat' },
    ],
    messages: {
      chat: {
        fields: ['$.text'],
        events: { message: ['$[0].text'], file: ['$[0].text'] },
        otherEvents: 'refuse',
        binary: 'pass',
      },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  service.closeAllConnections()
  await server.close()
})
const place = { port: gateway.publicPort }

for (const transport of requestTransports) {
  t.test(`answers, ${transport.name}`, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    t.equal((await client.ask({ path: '/lines' })).text, `${JSON.stringify(CLEAN)}\n{"text":"x"}\n`)
    t.equal((await client.ask({ path: '/text' })).text, CLEAN.text)
  })
}

for (const transport of socketTransports) {
  t.test(`WebSocket, ${transport.name}`, async (t) => {
    const client = await transport.open(place, { path: '/ws' })
    client.send(JSON.stringify(DIRTY))
    t.same(JSON.parse((await client.next()).text), CLEAN)
    t.same(JSON.parse(rawHeard.at(-1)!), CLEAN, 'the same words in both directions')
    t.same((await client.next()).data, FILE)
    t.equal((await client.next()).text, CLEAN.text)
    await client.close()
  })
}

for (const [way, options] of [
  ['polling', { transports: ['polling'], upgrade: false }],
  ['websocket', { transports: ['websocket'] }],
  ['both', {}],
] as const) {
  for (const kind of ['new', 'old']) {
    t.test(`socket.io, ${way}, a client that is ${kind}`, async (t) => {
      const url = `https://localhost:${gateway.publicPort}`
      const isOldPoll = kind === 'old' && way !== 'websocket'
      const how = { forceNew: true, rejectUnauthorized: false, reconnection: false, forceBase64: isOldPoll, ...options }
      const socket = (kind === 'new' ? io(url, how as never) : oldClient(url, how)) as ReturnType<typeof oldClient>
      t.teardown(() => socket.disconnect())
      const seen: unknown[] = []
      for (const event of ['message', 'secret', 'file'])
        socket.on(event, ((...values: unknown[]) => void seen.push(event, ...values)) as never)
      await until(() => socket.connected)
      const answer = await within(new Promise((resolve) => socket.emit('message', DIRTY, resolve)), 'the answer')
      t.same(answer, CLEAN)
      t.same(heard.at(-1), CLEAN)
      await until(() => seen.length >= 7)
      t.same(seen, ['message', CLEAN, 'more', 'file', { text: 'x', file: FILE }, 'message', { text: 'last' }])
    })
  }
}

t.test('script tags of old browsers', async (t) => {
  const client = requestTransports[0]!.open(place)
  t.teardown(() => client.close())
  const path = '/socket.io/?EIO=3&transport=polling&j=7&b64=1'
  const opened = await client.ask({ path })
  t.match(opened.text, /^___eio\[7\]\("\d+:0\{\\"sid/)
  const sid = /sid\\":\\"([^"\\]+)/.exec(opened.text)![1]
  const packet = `421["message",${JSON.stringify(DIRTY)}]`
  const posted = await client.ask({
    method: 'POST',
    path: `${path}&sid=${sid}`,
    headers: ['content-type', 'application/x-www-form-urlencoded'],
    body: `d=${encodeURIComponent(`${packet.length}:${packet}`)}`,
  })
  t.match(posted, { status: 200, text: 'ok' })
  let shown = ''
  while (!shown.includes('last')) shown += (await client.ask({ path: `${path}&sid=${sid}` })).text
  t.match(shown, 'hello **** **** **** 1111')
  t.notMatch(shown, /<b>|4111|nobody named/)
})
