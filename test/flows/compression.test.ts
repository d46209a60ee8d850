/** Compressed WebSocket messages (RFC 7692) where a route allows them: with message rules and without, by real clients. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server as SocketIoServer } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { getHeader as headerOf } from '../../src/http/headers.ts'
import { deflateMessage } from '../../src/http/permessage-deflate.ts'
import { PING, TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type SocketClient, socketTransports } from '../kit/socket-clients.ts'
import { oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

const WORDS = 'some words that come again, '.repeat(40)
const offers: (string | undefined)[] = []
const heard: string[] = []

const service = createServer((_req, res) => res.end())
const raw = new WebSocketServer({ noServer: true, perMessageDeflate: true, maxPayload: 10_000_000 })
raw.on('connection', (socket, request) => {
  offers.push(request.headers['sec-websocket-extensions'])
  socket.on('message', (data, isBinary) => {
    heard.push(data.toString())
    socket.send(data, { binary: isBinary })
  })
  socket.on('error', () => {})
})
const server = new SocketIoServer(service, { allowEIO3: true, serveClient: false, destroyUpgrade: false })
server.on('connection', (socket) => {
  socket.on('message', (value: unknown, done: (answer: unknown) => void) => done(value))
})
service.on('upgrade', (req, socket, head) => {
  if (req.url!.startsWith('/socket.io/')) return
  raw.handleUpgrade(req, socket, head, (each) => raw.emit('connection', each, req))
})
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))

const route = { service: 'chat', profiles: ['internet'], purpose: 'chat', webSocket: true }
const socket = { compression: 'on' }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(service.address() as AddressInfo).port}`, {
    routes: [
      { ...route, path: '/off' },
      { ...route, path: '/free', socket: { ...socket, maxMessage: '100 KB' } },
      { ...route, path: '/slow', socket: { ...socket, messageRate: '5 per second' } },
      { ...route, path: '/ruled', socket, messages: 'chat', answers: 'chat' },
      { ...route, path: '/socket.io/*', socket, socketIo: true, messages: 'chat' },
    ],
    messages: { chat: { fields: ['$.text'], events: { message: ['$[0].text'] } } },
  }),
)
t.teardown(async () => {
  await gateway.close()
  service.closeAllConnections()
  await server.close()
})
const place = { port: gateway.publicPort }

/** A frame with reserved bits, masked. */
function frame(first: number, payload: Buffer): Buffer {
  const made = writeFrame(TEXT, payload, true)
  made[0] = first
  return made
}

/** Counts what comes over the wire. */
function bytesOf(client: SocketClient): () => number {
  let bytes = 0
  client.stream.on('data', (chunk: Buffer) => {
    bytes += chunk.length
  })
  return () => bytes
}

async function refusals(reason: string): Promise<number> {
  const response = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)
  const found = new RegExp(`socket_refusals_total\\{[^}]*${reason}[^}]*\\} (\\d+)`).exec(await response.text())
  return Number(found?.[1] ?? 0)
}

for (const transport of socketTransports) {
  const open = (path: string, compressFrom = 0) => transport.open(place, { path, compressFrom })

  t.test(`${transport.name}: not without the setting`, async (t) => {
    const client = await open('/off')
    t.equal(headerOf(client.headers, 'sec-websocket-extensions'), null)
    client.send(WORDS)
    t.equal((await client.next()).text, WORDS)
    await client.close()
  })

  t.test(`${transport.name}: not where it is not offered`, async (t) => {
    const client = await transport.open(place, { path: '/free' })
    t.equal(headerOf(client.headers, 'sec-websocket-extensions'), null)
    client.send(WORDS)
    t.equal((await client.next()).text, WORDS)
    await client.close()
  })

  for (const path of ['/free', '/ruled']) {
    t.test(`${transport.name}, ${path}: both ways, and the service hears nothing of it`, async (t) => {
      const client = await open(path)
      t.equal(
        headerOf(client.headers, 'sec-websocket-extensions'),
        'permessage-deflate; server_no_context_takeover; client_no_context_takeover',
      )
      t.equal(offers.at(-1), undefined)
      const came = bytesOf(client)
      for (const text of [WORDS, 'short', WORDS, '']) {
        client.send(text)
        t.equal((await client.next()).text, text)
      }
      t.ok(came() < 400, `${came()} bytes for ${2 * WORDS.length}`)
      for (let i = 0; i < 40; i++) client.send(WORDS[i]!, { fin: i === 39 })
      t.equal((await client.next()).text, WORDS.slice(0, 40), 'in fragments')
      await client.ping()
      client.send('x'.repeat(path === '/free' ? 90_000 : 9000))
      t.equal((await client.next()).text.length, path === '/free' ? 90_000 : 9000)
      t.same(await client.close(1000, 'bye'), { code: 1000, reason: 'bye' })
    })
  }

  t.test(`${transport.name}: rules see what was compressed, cut at every byte`, async (t) => {
    const client = await open('/ruled')
    const dirty = JSON.stringify({ text: '<b>hello</b> 4111 1111 1111 1111' })
    const clean = JSON.stringify({ text: 'hello **** **** **** 1111' })
    const deflated = deflateMessage(Buffer.from(dirty), 15)
    for (let cut = 0; cut <= deflated.length; cut += 5) {
      client.stream.write(frame(0x41, deflated.subarray(0, cut)))
      client.stream.write(frame(0x80 | PING, Buffer.from('p')))
      client.stream.write(frame(0x80, deflated.subarray(cut)))
      t.equal((await client.next()).text, clean)
    }
    t.notOk(heard.some((text) => text.includes('4111') || text.includes('<b>')))
    client.terminate()
  })

  t.test(`${transport.name}: faults and bombs end the socket, and are counted`, async (t) => {
    const bomb = deflateMessage(Buffer.alloc(20_000_000, 0x20), 15)
    const before = await refusals('compression')
    const heardBefore = heard.length
    for (const [name, path, bytes, code] of [
      ['a bomb', '/free', frame(0xc1, bomb), 1009],
      ['a bomb on a route with rules', '/ruled', frame(0xc1, deflateMessage(Buffer.alloc(17_000, 0x20), 15)), 1009],
      [
        'a bomb in fragments',
        '/free',
        Buffer.concat([frame(0x41, bomb.subarray(0, 900)), frame(0x80, bomb.subarray(900))]),
        1009,
      ],
      ['broken data', '/free', frame(0xc1, Buffer.from([7, 7, 7])), 1007],
      ['no UTF-8', '/ruled', frame(0xc1, deflateMessage(Buffer.from([0xff]), 15)), 1007],
      ['RSV1 on a ping', '/free', frame(0xc9, Buffer.from('x')), 1002],
      [
        'RSV1 on a continuation',
        '/ruled',
        Buffer.concat([frame(0x41, bomb.subarray(0, 5)), frame(0xc0, bomb.subarray(5, 9))]),
        1002,
      ],
      ['RSV2', '/free', frame(0xe1, Buffer.from('x')), 1002],
      ['compressed where it was not agreed', '/off', frame(0xc1, deflateMessage(Buffer.from('x'), 15)), 1002],
    ] as const) {
      const client = await open(path)
      client.stream.write(bytes)
      t.equal((await client.closed).code, code, name)
    }
    t.equal(heard.length, heardBefore, 'nothing of it arrived')
    t.equal((await refusals('compression')) - before, 5)
  })

  t.test(`${transport.name}: a client that is held is not inflated ahead of its rate`, async (t) => {
    const client = await open('/slow')
    const one = frame(0xc1, deflateMessage(Buffer.from('one of many'), 15))
    const before = heard.length
    client.stream.write(Buffer.concat(Array.from({ length: 12 }, () => one)))
    for (let i = 0; i < 12; i++) t.equal((await client.next()).text, 'one of many')
    t.equal(heard.length - before, 12)
    await client.close()
  })
}

for (const kind of ['new', 'old']) {
  t.test(`socket.io, a client that is ${kind}`, async (t) => {
    const how = {
      forceNew: true,
      rejectUnauthorized: false,
      reconnection: false,
      transports: ['websocket'],
      perMessageDeflate: { threshold: 0 },
    }
    const url = `https://localhost:${gateway.publicPort}`
    const client = (kind === 'new' ? io(url, how as never) : oldClient(url, how)) as ReturnType<typeof oldClient>
    t.teardown(() => client.disconnect())
    await until(() => client.connected)
    const inner = (client.io.engine.transport as unknown as { ws: { extensions: unknown } }).ws
    t.match(JSON.stringify(inner.extensions), /permessage-deflate/)
    for (let i = 0; i < 3; i++) {
      const answer = within(
        new Promise((resolve) => client.emit('message', { text: `<b>${WORDS}</b>` }, resolve)),
        'the answer',
      )
      t.same(await answer, { text: WORDS })
    }
  })
}
