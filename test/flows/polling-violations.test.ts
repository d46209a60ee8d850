/** A message that breaks a rule has one effect by both transports of a real socket.io client: it is dropped, or the session ends. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketIoServer } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import t from 'tap'
import { openHttp1 } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { within } from '../kit/wait.ts'

const heard = new Map<string, unknown[]>()
const http = createServer()
const server = new SocketIoServer(http, { path: '/socket.io/', serveClient: false })
const strict = new SocketIoServer(http, { path: '/strict.io/', serveClient: false })
const limited = new SocketIoServer(http, { path: '/limited.io/', serveClient: false })
for (const each of [server, strict, limited]) {
  each.on('connection', (socket) => {
    const list: unknown[] = []
    heard.set(socket.id, list)
    socket.onAny((event: string, value: unknown) => list.push([event, value]))
    socket.on('flush', (_value: unknown, done: () => void) => done())
  })
}
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))

const route = { service: 'chat', profiles: ['internet'], purpose: 'chat', webSocket: true, socketIo: true }
const events = { message: ['$[0].text'], flush: [] }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    routes: [
      { ...route, path: '/socket.io/*', messages: 'refusing', origins: ['https://page.example'] },
      { ...route, path: '/strict.io/*', messages: 'closing' },
      { ...route, path: '/limited.io/*', messages: 'refusing', socket: { messageLimits: ['few'] } },
    ],
    messages: {
      refusing: { events, otherEvents: 'refuse' },
      closing: { events, otherEvents: 'refuse', onViolation: 'close' },
    },
    limits: { few: { by: ['address', 'event'], rate: '3 per hour' } },
  }),
)
const opened: Socket[] = []
t.teardown(async () => {
  for (const each of opened) each.disconnect()
  await gateway.close()
  http.closeAllConnections()
  await server.close()
})

async function join(path: string, transport: string): Promise<Socket> {
  const socket = io(`https://127.0.0.1:${gateway.publicPort}`, {
    path,
    transports: [transport],
    rejectUnauthorized: false,
    reconnection: false,
    forceNew: true,
  })
  opened.push(socket)
  await within(new Promise((resolve) => socket.on('connect', () => resolve(null))), 'the connection')
  return socket
}

const flushed = (socket: Socket) => within(socket.emitWithAck('flush', 0), 'the answer')

for (const transport of ['websocket', 'polling']) {
  t.test(`${transport}: refused alone, what was sent with it arrives`, async (t) => {
    const socket = await join('/socket.io/', transport)
    const { id } = socket
    // The client puts what is sent in one turn into one body.
    socket.emit('message', { text: '1' })
    socket.emit('admin', { text: 'forbidden' })
    socket.emit('message', { text: '<b>2</b>' })
    await flushed(socket)
    // And a body of which nothing is left.
    socket.emit('admin', { text: 'forbidden' })
    await new Promise((resolve) => setTimeout(resolve, 50))
    await flushed(socket)
    t.equal(socket.id, id, 'the session is the same')
    t.same(
      heard.get(id!)!.filter((each) => (each as unknown[])[0] !== 'flush'),
      [
        ['message', { text: '1' }],
        ['message', { text: '2' }],
      ],
    )
    socket.disconnect()
  })

  t.test(`${transport}: with "onViolation": "close" the session ends`, async (t) => {
    const socket = await join('/strict.io/', transport)
    const gone = new Promise<string>((resolve) => socket.on('disconnect', resolve))
    const { id } = socket
    socket.emit('admin', { text: 'forbidden' })
    t.match(await within(gone, 'the end'), /^transport (error|close)$/)
    t.same(heard.get(id!), [])
  })

  t.test(`${transport}: limits of messages count here too`, async (t) => {
    const socket = await join('/limited.io/', transport)
    const { id } = socket
    for (let i = 0; i < 6; i++) socket.emit('message', { text: String(i) })
    // One answer per transport: the events have a count each.
    await flushed(socket)
    const texts = heard.get(id!)!.filter((each) => (each as unknown[])[0] === 'message')
    t.equal(texts.length, transport === 'websocket' ? 3 : 0, 'what the first transport used up is gone for the second')
    socket.disconnect()
  })
}

t.test('a page of another origin can read the answer that the gateway gives itself', async (t) => {
  const client = openHttp1({ port: gateway.publicPort })
  t.teardown(() => client.close())
  const headers = ['content-type', 'text/plain;charset=UTF-8', 'origin', 'https://page.example']
  const answer = await client.ask({
    method: 'POST',
    path: '/socket.io/?EIO=4&transport=polling&sid=x',
    headers,
    body: Buffer.from('42["admin",{}]'),
  })
  t.equal(answer.status, 200)
  t.equal(answer.text, 'ok')
  const at = answer.headers.indexOf('access-control-allow-origin')
  t.equal(answer.headers[at + 1], 'https://page.example')
  t.ok(answer.headers.includes('strict-transport-security'))
})
