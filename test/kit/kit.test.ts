import { createSecureServer, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import t from 'tap'
import { WebSocket } from 'ws'
import { makeCertificate } from './certificates.ts'
import { openHttp1, openHttp2, type Place, rawExchange, requestTransports } from './clients.ts'
import { HandshakeRefused, socketTransports } from './socket-clients.ts'
import { freePort, startRawUpstream, startUpstream } from './upstream.ts'
import { until, within } from './wait.ts'

const made = await makeCertificate({ names: ['localhost', '127.0.0.1'] })
const upstream = await startUpstream({ tls: made })
t.teardown(() => upstream.close())
const place: Place = { port: upstream.port, ca: made.cert }

/** HTTP/2 with the answers that the kit has to tell apart. */
async function startHttp2(): Promise<Place> {
  const server = createSecureServer({ cert: made.cert, key: made.key, settings: { enableConnectProtocol: true } })
  const sessions = new Set<{ destroy(): void }>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream: ServerHttp2Stream, headers) => {
    stream.on('error', () => {})
    const path = headers[':path']!
    if (headers[':method'] === 'CONNECT') return serveConnect(stream, path)
    if (path === '/reset') return stream.close(2)
    if (path === '/cut') {
      stream.respond({ ':status': 200 })
      // Not close(): it ends the stream as if it were complete before it resets it.
      stream.write('half', () => stream.destroy(new Error('cut')))
      return
    }
    const chunks: Buffer[] = []
    stream.on('data', (chunk: Buffer) => chunks.push(chunk))
    stream.on('end', () => {
      stream.additionalHeaders({ ':status': 103, link: '</a>' })
      stream.respond({ ':status': 200, 'set-cookie': ['a=1', 'b=2'] }, { waitForTrailers: true })
      stream.on('wantTrailers', () => stream.sendTrailers({ 'x-sum': '1' }))
      stream.end(`${headers[':method']} ${headers[':authority']} ${Buffer.concat(chunks)}`)
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const session of sessions) session.destroy()
    server.close()
  })
  return { port: (server.address() as AddressInfo).port, ca: made.cert }
}

function serveConnect(stream: ServerHttp2Stream, path: string): void {
  if (path === '/ws/refuse') {
    stream.respond({ ':status': 403 })
    stream.end('no')
    return
  }
  stream.respond({ ':status': 200, 'sec-websocket-protocol': 'chat' })
  const socket = new WebSocket(null as unknown as string, undefined as unknown as string[], { autoPong: true })
  const inner = socket as unknown as { setSocket(stream: unknown, head: Buffer, options: object): void }
  inner.setSocket(stream, Buffer.alloc(0), { maxPayload: 0, allowSynchronousEvents: true })
  socket.on('error', () => {})
  socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
}

t.test('HTTP/1.1: what was sent is what the upstream saw', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const reply = await client.ask({ method: 'POST', path: '/a?b', headers: ['X-A', '1', 'X-A', '2'], body: 'hello' })
  t.equal(reply.status, 200)
  t.equal(reply.isComplete, true)
  t.match(reply.json(), { method: 'POST', url: '/a?b', body: 'hello' })
  t.match(upstream.received.at(-1), { method: 'POST', state: 'complete' })
  t.match(upstream.bytes(), /^POST \/a\?b HTTP\/1\.1\r\n.*\r\n\r\nhello$/ms, 'every byte is recorded')
  t.match((await client.ask({ path: '/b', method: 'PUT', body: ['he', 'llo'] })).json(), { body: 'hello' })
  t.same((await client.ask({ path: '/trailers' })).trailers, ['x-checksum', 'abc'])
  t.match((await client.ask({ path: '/early-hints' })).informational, [{ status: 103 }])
  t.match((await client.ask({ path: '/events' })).text, 'data: event 2')
  t.match((await client.ask({ path: '/trickle?count=3&ms=1' })).text, '0\n1\n2\n')
  t.equal((await client.ask({ path: '/huge?bytes=1000001' })).body.length, 1_000_001)
  t.equal((await client.ask({ path: '/status/204' })).status, 204)
  t.equal((await client.ask({ path: '/until-close' })).text, 'hello')
  t.equal((await client.ask({ path: '/a', method: 'HEAD' })).body.length, 0)
})

t.test('HTTP/1.1: an answer that was cut is not complete', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const statuses: Record<string, number> = {
    '/die/before-head': 0,
    '/die/in-head': 0,
    '/die/after-head': 200,
    '/die/in-body': 200,
    '/die/in-chunk': 200,
    '/lie/short': 200,
    '/lie/garbage': 0,
    '/lie/bad-chunk': 200,
    '/lie/both-lengths': 0,
    '/lie/bad-header': 0,
  }
  for (const [path, status] of Object.entries(statuses)) {
    const reply = await client.ask({ path })
    t.match(reply, { status, isComplete: false }, path)
    t.not(reply.error, '', path)
  }
})

t.test('a client may leave, and the upstream shows it', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const leave = new AbortController()
  const asked = client.ask({ path: '/never', signal: leave.signal })
  await until(() => upstream.received.at(-1)?.url === '/never')
  const open = upstream.openConnections()
  leave.abort()
  t.equal((await asked).isComplete, false)
  await until(() => upstream.openConnections() < open)
})

t.test('an upstream behaves as it is told', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  upstream.on('/mine', (_request, response) => response.end('mine'))
  t.equal((await client.ask({ path: '/mine' })).text, 'mine')
  const raw = await startRawUpstream(({ socket }) => socket.end('bye'))
  t.teardown(() => raw.close())
  const result = await rawExchange({ port: raw.port }, 'x', { secure: false })
  t.match(result, { text: 'bye', closedBy: 'server' })
  t.ok((await freePort()) > 0)
})

t.test('bare bytes show what the server wrote and who closed', async (t) => {
  const pieces = ['GET /status/200 HT', 'TP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n']
  const closed = await rawExchange(place, pieces)
  t.match(closed, { statuses: [200], closedBy: 'server' })
  const left = await rawExchange(place, 'GET /status/201 HTTP/1.1\r\nhost: x\r\n\r\n', {
    enough: (text) => text.endsWith('ok'),
  })
  t.match(left, { statuses: [201], closedBy: 'client' })
})

t.test('HTTP/2: complete, cut and reset answers', async (t) => {
  const client = openHttp2(await startHttp2())
  t.teardown(() => client.close())
  const reply = await client.ask({ path: '/', method: 'POST', body: ['a', 'b'], headers: ['host', 'other.example'] })
  t.match(reply, { status: 200, isComplete: true, text: 'POST other.example ab', trailers: ['x-sum', '1'] })
  t.same(reply.headers.slice(0, 4), ['set-cookie', 'a=1', 'set-cookie', 'b=2'])
  t.same(reply.informational, [{ status: 103, headers: ['link', '</a>'] }])
  t.match(await client.ask({ path: '/cut' }), { status: 200, isComplete: false, text: 'half' })
  t.match(await client.ask({ path: '/reset' }), { status: 0, isComplete: false })
  t.equal(requestTransports.length, 2)
})

t.test('WebSockets over both transports', async (t) => {
  const http2 = await startHttp2()
  for (const transport of socketTransports) {
    await t.test(transport.name, async (t) => {
      const where = transport.name === 'ws' ? place : http2
      const socket = await transport.open(where, {
        path: '/ws',
        protocols: ['chat'],
        headers: ['origin', 'https://a.example'],
      })
      t.equal(socket.protocol, 'chat')
      socket.send('héllo')
      t.match(await socket.next(), { text: 'héllo', isBinary: false })
      socket.send('in ', { fin: false })
      socket.send('pieces')
      t.equal((await socket.next()).text, 'in pieces')
      socket.send(Buffer.from([1, 2]))
      t.match(await socket.next(), { isBinary: true, data: Buffer.from([1, 2]) })
      await socket.ping()
      t.same(await socket.close(1000, 'done'), { code: 1000, reason: 'done' })
      await t.rejects(socket.next())
      const refused = await transport.open(where, { path: '/ws/refuse' }).catch((error) => error)
      t.ok(refused instanceof HandshakeRefused)
      t.match(refused, { status: 403, body: 'no' })
    })
  }
  const ws = socketTransports[0]!
  t.match(await ws.open(place, { path: '/ws/bad-accept' }).catch((error) => error), { status: 0 })
  t.match(await ws.open(place, { path: '/ws/before-head' }).catch((error) => error), { status: 0 })
  t.match(await (await ws.open(place, { path: '/ws/close?code=4001' })).closed, { code: 4001, reason: 'as asked' })
  t.match(await (await ws.open(place, { path: '/ws/die' })).closed, { code: 1006 })
})

t.test('waiting has a deadline', async (t) => {
  await t.rejects(
    until(() => false, 'it', 30),
    /it did not happen within 30 ms/,
  )
  await t.rejects(within(new Promise(() => {}), 'it', 30), /it did not happen/)
  t.equal(await within(Promise.resolve(7), 'it'), 7)
  let calls = 0
  t.equal(await until(() => (++calls > 2 ? 'now' : null)), 'now')
})
