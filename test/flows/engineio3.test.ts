/**
 * Clients of socket.io 2 (Engine.IO 3), against a server of theirs and against one of today that admits them, with the
 * gateway between: by polling, by WebSocket, by changing over, and by the forms of browsers without XMLHttpRequest.
 */
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import type { AddressInfo } from 'node:net'
import { parse } from 'node:querystring'
import { Server as NewServer } from 'socket.io'
import { io as newClient } from 'socket.io-client'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type OldSocket, oldClient, oldServer } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

type Heard = { value: unknown; transport: string; namespace: string }

/** What both servers do: hear, answer, and tell all. */
function welcome(heard: Heard[], namespace: string): (socket: OldSocket) => void {
  return (socket) => {
    socket.on('message', ((value: unknown, done?: (answer: unknown) => void) => {
      heard.push({ value, transport: socket.conn.transport.name, namespace })
      socket.emit('message', value)
      done?.({ heard: heard.length })
    }) as never)
  }
}

async function startServer(attach: (http: ReturnType<typeof createServer>) => { close(): unknown }) {
  const http = createServer()
  const server = attach(http)
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  t.teardown(async () => {
    http.closeAllConnections()
    await server.close()
    http.close()
  })
  return `http://127.0.0.1:${(http.address() as AddressInfo).port}`
}

const heard: Record<string, Heard[]> = { old: [], new: [], bytes: [], young: [] }
const options = { serveClient: false, pingInterval: 400, pingTimeout: 10_000 }
const old = await startServer((http) => {
  const server = oldServer(http, { ...options, path: '/old.io' })
  for (const name of ['/', '/agents']) server.of(name).on('connection', welcome(heard.old!, name))
  return server
})
const bytes = await startServer((http) => {
  const server = oldServer(http, { ...options, path: '/bytes.io' })
  server.of('/').on('connection', welcome(heard.bytes!, '/'))
  return server
})
const young = await startServer((http) => {
  const server = new NewServer(http, { ...options, path: '/young.io/', allowEIO3: true })
  server.on('connection', welcome(heard.young!, '/') as never)
  return server
})
const today = await startServer((http) => {
  const server = new NewServer(http, { ...options, path: '/new.io/', allowEIO3: true })
  for (const name of ['/', '/agents']) server.of(name).on('connection', welcome(heard.new!, name) as never)
  return server
})

const route = { profiles: ['internet'], purpose: 'chat', webSocket: true, socketIo: true, messages: 'chat' }
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      old: { endpoints: [old] },
      new: { endpoints: [today] },
      bytes: { endpoints: [bytes] },
      young: { endpoints: [young] },
    },
    routes: [
      { ...route, path: '/old.io/*', service: 'old' },
      { ...route, path: '/new.io/*', service: 'new' },
      { ...route, path: '/bytes.io/*', service: 'bytes', messages: 'bytes', answers: 'bytes' },
      { ...route, path: '/young.io/*', service: 'young', messages: 'bytes', answers: 'bytes' },
    ],
    messages: {
      chat: { events: { message: ['$[0].text'] }, otherEvents: 'refuse' },
      bytes: { events: { message: ['$[0].text'] }, binary: 'pass' },
    },
  }),
)
t.teardown(() => gateway.close())

const WAYS: [string, object][] = [
  ['polling', { transports: ['polling'], upgrade: false }],
  ['polling in base64', { transports: ['polling'], upgrade: false, forceBase64: true }],
  ['websocket', { transports: ['websocket'] }],
  ['polling, then websocket', { transports: ['polling', 'websocket'] }],
]

async function join(
  t: { teardown(end: () => void): unknown },
  kind: string,
  how: object,
  namespace = '',
): Promise<OldSocket> {
  const socket = oldClient(`https://localhost:${gateway.publicPort}${namespace}`, {
    path: `/${kind}.io`,
    forceNew: true,
    rejectUnauthorized: false,
    reconnection: false,
    ...how,
  })
  t.teardown(() => socket.disconnect())
  await until(() => socket.connected, 'the connection')
  return socket
}

const ask = (socket: OldSocket, value: unknown): Promise<unknown> =>
  within(new Promise((resolve) => socket.emit('message', value, resolve)), 'the answer')

for (const kind of ['old', 'new']) {
  const list = heard[kind]!
  for (const [way, how] of WAYS) {
    t.test(`${way}, a server that is ${kind}`, async (t) => {
      const socket = await join(t, kind, how)
      await ask(socket, { text: '<b>one</b> 😀 <script>alert(1)</script>a < b: "x"\n\\n' })
      t.same(list.at(-1)!.value, { text: 'one 😀 a < b: "x"\n\\n' })
      if (way.includes('then')) await until(() => socket.io.engine.transport.name === 'websocket', 'the change')
      const texts = Array.from({ length: 20 }, (_, i) => ({ text: `<i>${i}</i>` }))
      const before = list.length
      for (const each of texts) socket.emit('message', each)
      await until(() => list.length === before + 20, 'all of them')
      t.same(
        list.slice(before).map(({ value }) => value),
        texts.map((_, i) => ({ text: `${i}` })),
        'each once, in order',
      )
      t.equal(list.at(-1)!.transport, way.includes('websocket') ? 'websocket' : 'polling')
      let pongs = 0
      socket.on('pong', () => void pongs++)
      await until(() => pongs >= 2, 'heartbeats')
      socket.disconnect()
    })

    t.test(`${way}, a server that is ${kind}: namespaces`, async (t) => {
      const socket = await join(t, kind, how, '/agents?token=a-b')
      await ask(socket, { text: '<b>among agents</b>' })
      t.match(list.at(-1), { value: { text: 'among agents' }, namespace: '/agents' })
      socket.disconnect()
    })
  }
}

t.test('an event that is refused does not arrive', async (t) => {
  for (const [way, how] of WAYS.slice(2, 3)) {
    const socket = await join(t, 'old', how)
    const before = heard.old!.length
    socket.emit('other', '<b>')
    socket.emit('error', 'would end a service that does not listen to it')
    socket.emit('message', { file: Buffer.from('<b>') })
    await ask(socket, { text: 'after' }).catch(() => {})
    t.same(
      heard.old!.slice(before).map(({ value }) => value),
      [{ text: 'after' }],
      way,
    )
    socket.disconnect()
  }
})

t.test('attachments, where they may pass, both ways', async (t) => {
  const file = Buffer.from([0, 60, 98, 62, 255, 1, 30, 4])
  for (const kind of ['bytes', 'young']) {
    const list = heard[kind]!
    for (const [way, how] of WAYS) {
      const socket = await join(t, kind, how)
      if (way.includes('then')) await until(() => socket.io.engine.transport.name === 'websocket', 'the change')
      const back = within(
        new Promise<{ text: string; file: Buffer }>((resolve) => socket.once('message', resolve as never)),
        'the attachment on its way back',
      )
      socket.emit('message', { text: '<i>before</i>' })
      t.same(await back, { text: 'before' })
      const echo = within(
        new Promise<{ text: string; file: Buffer }>((resolve) => socket.once('message', resolve as never)),
        'the attachment on its way back',
      )
      await ask(socket, { text: '<b>x</b> é😀', file })
      t.same(list.at(-1)!.value, { text: 'x é😀', file }, `${way}, ${kind}`)
      const { text, file: returned } = await echo
      t.equal(text, 'x é😀')
      t.same(Buffer.from(returned), file, `${way}, ${kind}: back`)
      socket.disconnect()
    }
  }
})

/** The parser of their clients in browsers, which send attachments as bytes; in Node they use base64. */
const parser = createRequire(createRequire(import.meta.url).resolve('socket.io-2'))('engine.io-parser') as {
  decodePayload(body: Buffer | string, callback: (packet: { type: string; data?: unknown }) => void): void
  encodePayload(packets: { type: string; data?: unknown }[], binary: boolean, callback: (body: Buffer) => void): void
}

for (const transport of requestTransports) {
  t.test(`polling with attachments as bytes, ${transport.name}`, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    for (const kind of ['bytes', 'young']) {
      const query = `/${kind}.io/?EIO=3&transport=polling`
      const read = ({ body, headers }: { body: Buffer; headers: string[] }): { type: string; data?: unknown }[] => {
        const packets: { type: string; data?: unknown }[] = []
        const isBytes = headers.includes('application/octet-stream')
        parser.decodePayload(isBytes ? body : body.toString(), (packet) => void packets.push(packet))
        return packets
      }
      const sid = (JSON.parse(String(read(await client.ask({ path: query }))[0]!.data)) as { sid: string }).sid
      const path = `${query}&sid=${sid}`
      const post = (type: string, body: Buffer) =>
        client.ask({ method: 'POST', path, headers: ['content-type', type], body })
      const write = (text: string, file: Buffer): Buffer => {
        const placed = JSON.stringify(['message', { text, file: { _placeholder: true, num: 0 } }])
        let bytes: Buffer = Buffer.alloc(0)
        const packets = [`51-${placed}`, file].map((data) => ({ type: 'message', data }))
        parser.encodePayload(packets, true, (body) => {
          bytes = body
        })
        return bytes
      }
      const file = Buffer.from([0, 255, 60, 98, 62, 30])
      const body = write('<b>é</b> 😀', file)
      const sent = await post('application/octet-stream', body)
      t.equal(sent.status, 200, sent.text)
      await until(() => heard[kind]!.some(({ value }) => (value as { text: string }).text === 'é 😀'))
      t.same(heard[kind]!.at(-1)!.value, { text: 'é 😀', file })
      const packets: { type: string; data?: unknown }[] = []
      while (!packets.some(({ data }) => Buffer.isBuffer(data))) packets.push(...read(await client.ask({ path })))
      t.match(packets.find(({ data }) => String(data).startsWith('51-'))!.data, /"text":"é 😀"/)
      t.same(packets.find(({ data }) => Buffer.isBuffer(data))!.data, file)
      const before = heard[kind]!.length
      t.equal((await post('application/octet-stream', body.subarray(0, -1))).status, 400, 'cut')
      t.equal(
        (await post('application/octet-stream; x=y', body)).status,
        415,
        'another spelling, which is text to a server',
      )
      t.equal((await post('text/plain', body)).status, 400, 'as text')
      t.equal(heard[kind]!.length, before)
    }
  })
}

t.test('clients of both ages talk to one service', async (t) => {
  const before = heard.new!.length
  const young = newClient(`https://localhost:${gateway.publicPort}`, {
    path: '/new.io/',
    forceNew: true,
    rejectUnauthorized: false,
  })
  t.teardown(() => young.disconnect())
  const elder = await join(t, 'new', {})
  await within(young.timeout(15_000).emitWithAck('message', { text: '<b>young</b>' }), 'the answer')
  await ask(elder, { text: '<b>old</b>' })
  t.same(
    heard.new!.slice(before).map(({ value }) => value),
    [{ text: 'young' }, { text: 'old' }],
  )
  young.disconnect()
  elder.disconnect()
})

for (const transport of requestTransports) {
  t.test(`forms of old browsers, ${transport.name}`, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    for (const kind of ['old', 'new']) {
      const query = `/${kind}.io/?EIO=3&transport=polling&j=0`
      const opened = await client.ask({ path: query })
      t.equal(opened.status, 200)
      const sid = /sid\\?":\\?"([^"\\]+)/.exec(opened.text)![1]!
      const list = heard[kind]!
      const before = list.length
      const packet = (text: string) => `42["message",${JSON.stringify({ text })}]`
      const framed = (text: string) => `${packet(text).length}:${packet(text)}`
      const post = (body: string, type = 'application/x-www-form-urlencoded', path = query) =>
        client.ask({ method: 'POST', path: `${path}&sid=${sid}`, headers: ['content-type', type], body })
      const form = (payload: string) =>
        new URLSearchParams({ d: payload.replaceAll('\\n', '\\\\n').replaceAll('\n', '\\n') }).toString()
      t.equal((await post(form(framed('<b>form</b>\n\\n 😀')))).status, 200)
      await until(() => list.length === before + 1)
      t.same(list.at(-1)!.value, { text: 'form\n\\n 😀' })
      // The session reads any body as a form; each of these holds another message for it.
      const inner = encodeURIComponent(framed('<script>alert(1)</script>'))
      const trap = packet(`&d=${inner}&`)
      t.match(parse(trap).d, /script/)
      const sent = [
        await post(trap, 'text/plain;charset=UTF-8', `/${kind}.io/?EIO=4&transport=polling`),
        await post(`${trap.length}:${trap}`, 'text/plain', `/${kind}.io/?EIO=3&transport=polling`),
        await post(`x=1&d=${inner}`),
        await post(`d=1&d=${inner}`),
      ]
      t.same(
        sent.slice(2).map(({ status }) => status),
        [400, 400],
        'no form of the client’s kind',
      )
      t.equal((await post(form(framed('the last')))).status, 200)
      await until(() => (list.at(-1)!.value as { text: string }).text === 'the last')
      t.notMatch(JSON.stringify(list.slice(before)), /script/)
    }
  })
}
