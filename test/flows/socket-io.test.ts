/**
 * Real socket.io servers and clients with the gateway between them: by polling, by WebSocket, and by changing from one to
 * the other, on a route with message rules and on one without.
 */
import { createServer, type IncomingMessage, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { type Socket as ServerSocket, Server as SocketIoServer } from 'socket.io'
import { io, type ManagerOptions, type Socket, type SocketOptions } from 'socket.io-client'
import t from 'tap'
import { openHttp2 } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { until, within } from '../kit/wait.ts'

type Options = Partial<ManagerOptions & SocketOptions>

/** A chat: what one says, all hear. */
class Chat {
  readonly path: string
  readonly requests: IncomingMessage[] = []
  readonly sockets: ServerSocket[] = []
  readonly heard: unknown[] = []
  port = 0
  /** Keeps a conversation in polling for a while. */
  upgradeDelayMs = 0
  #http: Server | null = null
  #io: SocketIoServer | null = null

  constructor(path: string) {
    this.path = path
  }

  async start(): Promise<void> {
    const http = createServer()
    const server = new SocketIoServer(http, {
      path: this.path,
      pingInterval: 300,
      pingTimeout: 10_000,
      serveClient: false,
    })
    // The library hides from listeners what it answers itself, but for those that come after it.
    http.prependListener('request', (request) => this.requests.push(request))
    http.prependListener('upgrade', (request) => this.requests.push(request))
    const { engine } = server
    const handleUpgrade = engine.handleUpgrade.bind(engine)
    engine.handleUpgrade = (...rest) => void setTimeout(handleUpgrade, this.upgradeDelayMs, ...rest)
    for (const namespace of ['/', '/agents']) server.of(namespace).on('connection', (socket) => this.#welcome(socket))
    await new Promise<void>((resolve) => http.listen(this.port, '127.0.0.1', resolve))
    this.port = (http.address() as AddressInfo).port
    this.#http = http
    this.#io = server
  }

  #welcome(socket: ServerSocket): void {
    this.sockets.push(socket)
    socket.on('message', (value: unknown, done?: (answer: unknown) => void) => {
      this.heard.push(value)
      socket.nsp.emit('message', value)
      done?.({ by: socket.conn.transport.name })
    })
    socket.on('who', (done: (answer: unknown) => void) => done(socket.handshake.auth))
    socket.on('bytes', (bytes: Buffer, done: (answer: unknown) => void) => done(bytes))
    socket.on('leave', () => socket.disconnect())
  }

  async stop(): Promise<void> {
    this.#http!.closeAllConnections()
    await this.#io!.close()
  }
}

const filtered = new Chat('/socket.io/')
const free = new Chat('/free.io/')
await filtered.start()
await free.start()

const route = { profiles: ['internet'], purpose: 'chat', webSocket: true }
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      filtered: { endpoints: [`http://127.0.0.1:${filtered.port}`] },
      free: { endpoints: [`http://127.0.0.1:${free.port}`] },
    },
    routes: [
      { ...route, path: '/socket.io/*', service: 'filtered', messages: 'chat', socketIo: true },
      { ...route, path: '/free.io/*', service: 'free', maxBody: '1 MB' },
    ],
    messages: { chat: { events: { message: ['$[0].text'] }, maxSize: '16 KB' } },
  }),
)

t.teardown(async () => {
  await gateway.close()
  await filtered.stop()
  await free.stop()
})

const WAYS: [way: string, options: Options][] = [
  ['polling', { transports: ['polling'], upgrade: false }],
  ['websocket', { transports: ['websocket'] }],
  ['polling, then websocket', { transports: ['polling', 'websocket'] }],
]

async function join(chat: Chat, options: Options, namespace = ''): Promise<Socket> {
  const socket = io(`https://localhost:${gateway.publicPort}${namespace}`, {
    path: chat.path,
    forceNew: true,
    rejectUnauthorized: false,
    reconnectionDelay: 50,
    reconnectionDelayMax: 200,
    ...options,
  })
  t.teardown(() => socket.disconnect())
  await connected(socket)
  return socket
}

function connected(socket: Socket): Promise<void> {
  return within(
    new Promise((resolve) => {
      if (socket.connected) resolve()
      else socket.once('connect', resolve)
    }),
    'the connection',
  )
}

const ask = (socket: Socket, ...event: [string, ...unknown[]]): Promise<unknown> =>
  within(socket.timeout(15_000).emitWithAck(...event), `the answer to ${event[0]}`)

/** Takes what a socket hears from now on. */
function listen(socket: Socket): unknown[] {
  const list: unknown[] = []
  socket.on('message', (value) => list.push(value))
  return list
}

for (const chat of [filtered, free]) {
  const kind = chat === filtered ? 'with message rules' : 'without message rules'
  for (const [way, options] of WAYS) {
    t.test(`${way}, ${kind}`, async (t) => {
      t.test('events and acknowledgements, both ways', async (t) => {
        const socket = await join(chat, options)
        const heard = listen(socket)
        for (let i = 0; i < 5; i++)
          t.match(await ask(socket, 'message', { text: `number ${i}` }), { by: /polling|websocket/ })
        t.same(
          heard,
          Array.from({ length: 5 }, (_, i) => ({ text: `number ${i}` })),
        )
        socket.on('question', (value: unknown, done: (answer: unknown) => void) => done({ answered: value }))
        const own = chat.sockets.find(({ id }) => id === socket.id)!
        t.same(await own.timeout(15_000).emitWithAck('question', 'how?'), { answered: 'how?' })
        socket.disconnect()
      })

      t.test('namespaces, what a client says of itself, volatile events', async (t) => {
        const agents = await join(chat, { ...options, auth: { token: 'a-b.c_d', name: 'Ada' } }, '/agents')
        const customers = await join(chat, options)
        t.same(await ask(agents, 'who'), { token: 'a-b.c_d', name: 'Ada' })
        t.same(await ask(customers, 'who'), {})
        const [byAgents, byCustomers] = [listen(agents), listen(customers)]
        await ask(agents, 'message', { text: 'among agents' })
        await ask(customers, 'message', { text: 'to all customers' })
        t.same(byAgents, [{ text: 'among agents' }])
        t.same(byCustomers, [{ text: 'to all customers' }])
        // Volatile events may be lost by their nature: one of them has to come.
        await until(() => {
          customers.volatile.emit('message', { text: 'volatile' })
          return byCustomers.length > 1
        }, 'a volatile event')
        agents.disconnect()
        customers.disconnect()
      })

      t.test('heartbeats pass, so that a quiet conversation stays', async (t) => {
        const socket = await join(chat, options)
        const { id } = socket
        let pings = 0
        socket.io.on('ping', () => {
          pings++
        })
        await until(() => pings >= 3, 'three heartbeats')
        t.match(await ask(socket, 'message', { text: 'still here' }), { by: /./ })
        t.equal(socket.id, id, 'the same conversation')
        socket.disconnect()
      })

      t.test('the service ends a conversation, and the client does', async (t) => {
        const socket = await join(chat, options)
        const reason = new Promise((resolve) => socket.once('disconnect', resolve))
        socket.emit('leave')
        t.equal(await within(reason, 'the end'), 'io server disconnect')
        socket.disconnect()
        const other = await join(chat, options)
        const own = chat.sockets.find(({ id }) => id === other.id)!
        const end = new Promise((resolve) => own.once('disconnect', resolve))
        other.disconnect()
        t.match(await within(end, 'the end'), /client namespace disconnect|transport close/)
      })

      t.test('a long message in other scripts arrives as it was', async (t) => {
        const socket = await join(chat, options)
        const heard = listen(socket)
        const text = '長い文章 😀 a < b ü '.repeat(300)
        await ask(socket, 'message', { text })
        t.same(heard, [{ text }])
        socket.disconnect()
      })
    })
  }
}

t.test('the change from polling to WebSocket loses nothing of a running conversation', async (t) => {
  for (const chat of [filtered, free]) {
    chat.upgradeDelayMs = 300
    const socket = await join(chat, { transports: ['polling', 'websocket'] })
    const { engine } = socket.io
    let sent = 0
    t.same(await ask(socket, 'message', { text: `${sent++}` }), { by: 'polling' })
    const heard = listen(socket)
    heard.push({ text: '0' })
    while (engine.transport.name === 'polling') {
      socket.emit('message', { text: `<b>${sent++}</b>` })
      await sleep(2)
    }
    t.ok(sent > 10, `${sent} before the change`)
    for (let i = 0; i < 10; i++) socket.emit('message', { text: `<b>${sent++}</b>` })
    await until(() => heard.length === sent, 'all of them came back')
    t.same(
      heard.map((each) => (each as { text: string }).text.replaceAll(/<.b>|<b>/g, '')),
      Array.from({ length: sent }, (_, i) => String(i)),
      'each once, in order',
    )
    t.same(heard.at(-1), { text: chat === filtered ? `${sent - 1}` : `<b>${sent - 1}</b>` })
    t.same(await ask(socket, 'message', { text: 'x' }), { by: 'websocket' })
    chat.upgradeDelayMs = 0
    socket.disconnect()
  }
})

t.test('people in different transports chat with one another', async (t) => {
  const people = await Promise.all(WAYS.map(([, options]) => join(filtered, options)))
  const heard = people.map(listen)
  for (const [i, each] of people.entries()) {
    await ask(each, 'message', { text: `<i>hello</i> from ${i} <script>alert(1)</script>`, from: i })
  }
  const expected = people.map((_, i) => ({ text: `hello from ${i} `, from: i }))
  for (const [i, list] of heard.entries()) {
    await until(() => list.length >= 3, `what ${i} hears`)
    t.same(list, expected, WAYS[i]![0])
  }
  const own = filtered.sockets.find(({ id }) => id === people[0]!.id)!
  own.broadcast.emit('message', 'to the others')
  for (const list of heard.slice(1)) await until(() => list.at(-1) === 'to the others')
  t.equal(heard[0]!.length, 3)
  for (const each of people) each.disconnect()
})

t.test('what a client answers to the service is cleaned as well', async (t) => {
  for (const [, options] of WAYS) {
    const socket = await join(filtered, options)
    socket.on('question', (done: (answer: unknown) => void) => done('<img src=x onerror=alert(1)>words'))
    const own = filtered.sockets.find(({ id }) => id === socket.id)!
    t.equal(await own.timeout(15_000).emitWithAck('question'), 'words')
    socket.disconnect()
  }
})

t.test('bytes: free where nothing is inspected, and from the service always', async (t) => {
  const bytes = Buffer.from([0, 1, 2, 253, 254, 255])
  for (const [way, options] of WAYS) {
    const socket = await join(free, options)
    t.same(Buffer.from((await ask(socket, 'bytes', bytes)) as Buffer), bytes, way)
    socket.disconnect()
    const other = await join(filtered, options)
    const heard = listen(other)
    filtered.sockets.find(({ id }) => id === other.id)!.emit('message', bytes)
    await until(() => heard.length === 1)
    t.same(Buffer.from(heard[0] as Buffer), bytes, way)
    other.disconnect()
  }
})

t.test('a conversation starts again when the service comes back', async (t) => {
  for (const [way, options] of WAYS) {
    const socket = await join(free, options)
    await ask(socket, 'message', { text: 'before' })
    const lost = new Promise((resolve) => socket.once('disconnect', resolve))
    const refused = new Promise((resolve) => socket.io.once('reconnect_error', resolve))
    await free.stop()
    await within(lost, 'the loss')
    await within(refused, 'an attempt that fails')
    const back = new Promise((resolve) => socket.once('connect', () => resolve(null)))
    // What is said meanwhile waits in the client.
    const answer = socket.timeout(20_000).emitWithAck('message', { text: 'while away' })
    await free.start()
    await within(back, 'the new connection')
    t.match(await within(answer, 'the answer'), { by: /./ }, way)
    t.ok(free.heard.some((each) => (each as { text: string }).text === 'while away'))
    socket.disconnect()
  }
})

t.test('nothing of this needs a cookie', async (t) => {
  for (const [, options] of WAYS) {
    const socket = await join(filtered, options)
    await ask(socket, 'message', { text: 'x' })
    socket.disconnect()
  }
  const all = [...filtered.requests, ...free.requests]
  t.ok(all.length > 50)
  t.ok(all.every(({ headers }) => headers.cookie === undefined))
  const reply = await fetchHandshake()
  t.equal(reply.status, 200)
  t.equal(reply.setsCookie, false)
})

t.test('every request and every socket left its line, and nothing that was said', async (t) => {
  await gateway.gateway.log.flush()
  const lines = gateway.accessLines()
  t.ok(lines.some((line) => line.webSocket === true && line.status === 101))
  t.ok(lines.some((line) => line.webSocket === false && line.status === 200))
  t.notMatch(JSON.stringify(lines), /sid=|hello|number|Ada/)
})

async function fetchHandshake(): Promise<{ status: number; setsCookie: boolean }> {
  const client = openHttp2({ port: gateway.publicPort })
  const reply = await client.ask({ path: '/socket.io/?EIO=4&transport=polling' })
  await client.close()
  return { status: reply.status, setsCookie: reply.header('set-cookie') !== null }
}
