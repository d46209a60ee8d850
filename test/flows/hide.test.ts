/** A customer's identity does not reach those who come by a route that hides it, by whatever transport it is sent. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as NewServer } from 'socket.io'
import { io as newClient } from 'socket.io-client'
import t from 'tap'
import { type WebSocket, WebSocketServer } from 'ws'
import { requestTransports } from '../kit/clients.ts'
import { startGateway, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

const PHONE = '+491701234567'
const HIDDEN = '***********67'
const customer = (phone: unknown) => ({ text: 'hello <b>', customer: { phone, name: 'Ada' } })

const service = createServer((req, res) => {
  if (req.url === '/events') {
    res.writeHead(200, { 'content-type': 'text/event-stream' })
    res.end(`data: ${JSON.stringify(customer(PHONE))}\n\ndata: call ${PHONE}\n\ndata: {"last":true}\n\n`)
  } else if (req.url === '/text') res.writeHead(200, { 'content-type': 'text/plain' }).end(PHONE)
  else
    res
      .writeHead(200, { 'content-type': 'application/json' })
      .end(JSON.stringify([customer(PHONE), customer(1701234567)]))
})
const raw = new WebSocketServer({ noServer: true, perMessageDeflate: true })
let open: WebSocket | null = null
raw.on('connection', (socket) => {
  open = socket
  socket.on('message', (data) => socket.send(data.toString()))
})
const server = new NewServer(service, {
  path: '/socket.io/',
  allowEIO3: true,
  serveClient: false,
  destroyUpgrade: false,
})
service.on('upgrade', (req, socket, head) => {
  if (req.url === '/ws') raw.handleUpgrade(req, socket, head, (each) => raw.emit('connection', each, req))
})
server.on('connection', (socket) => {
  socket.on('ask', (done: (answer: unknown) => void) => {
    socket.emit('message', customer(PHONE), 'more')
    socket.emit('file', { customer: { phone: PHONE }, bytes: Buffer.from(PHONE) })
    socket.emit('last', 'x')
    done(customer(PHONE))
  })
})
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))

const route = {
  service: 'chat',
  profiles: ['internet'],
  purpose: 'agents',
  webSocket: true,
  hide: ['$..customer.phone'],
}
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(service.address() as AddressInfo).port}`, {
    routes: [
      { ...route, path: '/*' },
      { ...route, path: '/ruled', answers: 'agent' },
      { ...route, path: '/keyed', hide: { fields: ['$..customer.phone'], mode: 'hash', key: { env: 'HIDE_KEY' } } },
      { ...route, path: '/socket.io/*', socketIo: true },
    ],
    messages: { agent: { fields: ['$[*].text'] } },
  }),
  { HIDE_KEY: 'k'.repeat(40) },
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
    const get = async (path: string) => client.ask({ path })
    t.same((await get('/list')).json(), [customer(HIDDEN), customer('********67')])
    t.match((await get('/ruled')).json(), [{ text: 'hello ', customer: { phone: HIDDEN } }])
    const [one, two] = (await get('/keyed')).json() as { customer: { phone: string } }[]
    t.match(one!.customer.phone, /^[\w-]{22}$/)
    t.not(one!.customer.phone, two!.customer.phone)
    t.same(((await get('/keyed')).json() as unknown[])[0], one, 'the same for the same')
    const events = await get('/events')
    t.equal(events.text, `data: ${JSON.stringify(customer(HIDDEN))}\n\ndata: {"last":true}\n\n`)
    const text = await get('/text')
    t.equal(text.status, 502)
    t.notMatch(text.text, /49170/)
  })
}

for (const transport of socketTransports) {
  t.test(`WebSocket messages, ${transport.name}`, async (t) => {
    const client = await transport.open(place, { path: '/ws' })
    await until(() => open !== null)
    const socket = open!
    open = null
    const all = JSON.stringify(customer(PHONE))
    client.send(all)
    t.same(JSON.parse((await client.next()).text), customer(HIDDEN))
    socket.send(Buffer.from(all))
    socket.send(`call ${PHONE}`)
    for (let i = 0; i < all.length; i++) socket.send(all[i]!, { fin: i === all.length - 1 })
    const next = await client.next()
    t.same(JSON.parse(next.text), customer(HIDDEN), 'what cannot be read is left out; fragments are put together')
    await client.ping()
    socket.send(JSON.stringify('x'.repeat(2_000_000)))
    t.equal((await client.closed).code, 1011)
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
      const how = { forceNew: true, rejectUnauthorized: false, reconnection: false, ...options }
      const socket = (kind === 'new' ? newClient(url, how as never) : oldClient(url, how)) as ReturnType<
        typeof oldClient
      >
      t.teardown(() => socket.disconnect())
      const heard: unknown[] = []
      for (const event of ['message', 'file', 'last'])
        socket.on(event, ((...values: unknown[]) => void heard.push(event, ...values)) as never)
      await until(() => socket.connected)
      const answer = await within(new Promise((resolve) => socket.emit('ask', resolve)), 'the answer')
      t.same(answer, customer(HIDDEN))
      t.same(heard, ['message', customer(HIDDEN), 'more', 'last', 'x'])
    })
  }
}

t.test('a key that is too short is told at the start', async (t) => {
  const weak = testConfig('http://127.0.0.1:1', {
    routes: [{ ...route, path: '/*', hide: { fields: ['$.a'], mode: 'hash', key: { env: 'HIDE_KEY' } } }],
  })
  await t.rejects(startGateway(weak, { HIDE_KEY: 'short' }), /key is shorter than 32/)
})
