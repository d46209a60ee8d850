/**
 * Attacks on proxies that were published from 2023 to 2026, written frame by frame and byte by byte after their descriptions;
 * `docs/threat-model.md` lists them. Each is named after where it was found.
 */
import { once } from 'node:events'
import t from 'tap'
import { openHttp2, openRaw, type Place, rawExchange } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import {
  block,
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameClient,
  frame,
  integer,
  openFrames,
  setting,
  text,
  uint32,
} from '../kit/http2-frames.ts'
import { startRawUpstream, startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

t.setTimeout(120_000)

const upstream = await startUpstream()
/** Upgrades nothing, whatever it is asked, and keeps its connections. */
const refuser = await startRawUpstream(({ socket, chunks }) => {
  let answered = 0
  socket.on('data', () => {
    const asked = Buffer.concat(chunks).toString('latin1').split('\r\n\r\n').slice(0, -1)
    for (const each of asked.slice(answered)) {
      const status = /^GET \/refuser\/(\d+)/.exec(each)?.[1] ?? '200'
      socket.write(`HTTP/1.1 ${status} x\r\ncontent-length: 2\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\nno`)
    }
    answered = asked.length
  })
})
const refuserBytes = (): string => Buffer.concat(refuser.connections.flatMap(({ chunks }) => chunks)).toString('latin1')
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ connections: { perAddress: 1000, inFlightPerAddress: 1000 } }),
      admin: { address: '127.0.0.1:0' },
    },
    services: { chat: { endpoints: [upstream.url], maxConnections: 2000 }, refuser: { endpoints: [refuser.url] } },
    routes: [
      {
        ...{ path: '/open/*', service: 'chat', profiles: ['internet'], purpose: 'test' },
        ...{ methods: ['GET', 'POST'], webSocket: true },
      },
      {
        ...{ path: '/refuser/*', service: 'refuser', profiles: ['internet'], purpose: 'test' },
        ...{ methods: ['GET'], webSocket: true },
      },
    ],
  }),
)
const place: Place = { port: gateway.publicPort }
const host = `localhost:${place.port}`
const good = openHttp2(place)
/** Requests that the service holds without an answer, by path. */
const held = new Map<string, { begun: number; running: number }>()
upstream.on('/open/held', (request, response) => {
  const counts = held.get(request.url!) ?? { begun: 0, running: 0 }
  held.set(request.url!, counts)
  counts.begun++
  counts.running++
  request.resume()
  response.once('close', () => counts.running--)
})
t.teardown(async () => {
  await good.close()
  await gateway.close()
  await upstream.close()
  await refuser.close()
})

const head = (path: string, method = 'GET'): Buffer =>
  block([
    [':method', method],
    [':scheme', 'https'],
    [':authority', host],
    [':path', path],
    ...(method === 'POST' ? ([['content-length', '3']] as const) : []),
  ])
const isWell = async (): Promise<boolean> => (await good.ask({ path: '/open/good' })).status === 200

interface Reset {
  readonly name: string
  /** What makes the gateway reset stream `id`, whose request is whole or open. */
  readonly frames: (id: number) => Buffer[]
  readonly isOpen?: boolean
}

const priority = (id: number, on: number): Buffer =>
  frame(FRAME.priority, 0, id, Buffer.concat([uint32(on), Buffer.of(9)]))
const resets: Reset[] = [
  { name: 'WINDOW_UPDATE of 0', frames: (id) => [frame(FRAME.windowUpdate, 0, id, uint32(0))] },
  { name: 'a window over 2^31-1', frames: (id) => [frame(FRAME.windowUpdate, 0, id, uint32(0x7fffffff))] },
  { name: 'PRIORITY of a wrong length', frames: (id) => [frame(FRAME.priority, 0, id, 'abcd')] },
  { name: 'PRIORITY that depends on itself', frames: (id) => [priority(id, id)] },
  { name: 'DATA after the end', frames: (id) => [frame(FRAME.data, 0, id, 'x')] },
  {
    name: 'HEADERS after the end',
    frames: (id) => [frame(FRAME.headers, END_HEADERS | END_STREAM, id, head('/open/held'))],
  },
  {
    name: 'HEADERS in the middle, without an end',
    isOpen: true,
    frames: (id) => [frame(FRAME.headers, END_HEADERS, id, block([['x-a', 'b']]))],
  },
  { name: 'DATA over its length', isOpen: true, frames: (id) => [frame(FRAME.data, 0, id, 'longer')] },
  { name: 'DATA under its length', isOpen: true, frames: (id) => [frame(FRAME.data, END_STREAM, id, 'x')] },
  { name: 'a reset of its own', frames: (id) => [frame(FRAME.reset, 0, id, uint32(8))] },
  { name: 'a reset without an error', frames: (id) => [frame(FRAME.reset, 0, id, uint32(0))] },
]

/** A hundred at once, streams that run included, and as many a second as the gateway takes without complaint. */
const AT_ONCE = 130
const PER_SECOND = 34
const ROUNDS = 400

for (const each of resets) {
  t.test(`MadeYouReset (CVE-2025-8671), ${each.name}`, async (t) => {
    const path = `/open/held/${encodeURIComponent(each.name)}`
    const begun = () => held.get(path)?.begun ?? 0
    const client = await openFrames(place)
    const startedAt = performance.now()
    const allowed = () => AT_ONCE + (PER_SECOND * (performance.now() - startedAt)) / 1000
    const isCut = () => client.isClosed || client.goaway() > 0
    for (let round = 0; round < ROUNDS && !isCut(); round++) {
      const id = 2 * round + 1
      const [flags, method] = each.isOpen ? [END_HEADERS, 'POST'] : [END_HEADERS | END_STREAM, 'GET']
      await client.send(frame(FRAME.headers, flags, id, head(path, method)))
      // The request must be running at the service, or nothing is gained.
      await until(() => begun() > round || client.outcome(id) !== '' || isCut(), 'the request')
      await client.send(...each.frames(id))
    }
    t.ok(isCut() || ROUNDS <= allowed(), 'who is faster than that is cut')
    t.ok(begun() <= allowed(), `${begun()} reached the service`)
    client.close()
    await until(() => held.get(path)!.running === 0, 'all of them to be taken back there')
    t.equal(await isWell(), true)
  })
}

/** One entry of the dynamic table, then one byte for each time that it is named again. */
function crumbs(stream: number, count: number, name = 'cookie', value = 'a'): Buffer {
  const entry = Buffer.concat([Buffer.of(0x40), text(name), text(value)])
  const again = Buffer.alloc(count - 1, integer(62, 7, 0x80))
  return frame(FRAME.headers, END_HEADERS | END_STREAM, stream, Buffer.concat([head('/open/crumbs'), entry, again]))
}
const outcomeOf = async (client: FrameClient, stream: number): Promise<string> => {
  await until(() => client.outcome(stream) !== '' || client.isClosed || client.goaway() > 0, 'an answer')
  return client.outcome(stream)
}

t.test('HTTP/2 Bomb (CVE-2026-49975, CVE-2026-47774)', async (t) => {
  t.test('crumbs of a cookie are one field to the service', async (t) => {
    const client = await openFrames(place)
    await client.send(crumbs(1, 60))
    t.equal(await outcomeOf(client, 1), '200')
    const arrived = upstream.received.findLast(({ url }) => url === '/open/crumbs')!
    t.equal(arrived.rawHeaders.filter((name) => name.toLowerCase() === 'cookie').length, 1)
    client.close()
  })

  for (const [name, value] of [
    ['cookie', 'a'],
    ['cookie', ''],
    ['x', ''],
  ] as const) {
    t.test(`each "${name}: ${value}" counts as a field, whatever it weighs`, async (t) => {
      const before = upstream.received.length
      const client = await openFrames(place)
      await client.send(frame(FRAME.settings, 0, 0, setting(4, 0)))
      for (let i = 0; i < 90 && !client.isClosed; i++) await client.send(crumbs(2 * i + 1, 8000, name, value))
      await client.until(() => client.goaway() > 0)
      t.ok(client.goaway() > 0 || client.isClosed, 'cut, not held behind a window of 0')
      await client.closed
      t.equal(upstream.received.length, before, 'nothing reached the service')
      t.equal(await isWell(), true)
    })
  }

  t.test('a dynamic table whose every entry throws out another', async (t) => {
    const client = await openFrames(place)
    for (let i = 0; i < 3000 && !client.isClosed && client.goaway() <= 0; i++) {
      const entries = Array.from({ length: 40 }, (_, k) =>
        Buffer.concat([Buffer.of(0x40), text(`x-${i}-${k}`), text('v'.repeat(300))]),
      )
      // Sizes of the table that change with every block.
      const sizes = Buffer.concat([integer(0, 5, 0x20), integer(4096, 5, 0x20)])
      const fields = Buffer.concat([sizes, head('/open/evict'), ...entries])
      await client.send(frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * i + 1, fields))
    }
    // Whole requests of many fields, one after the other, are a load like another: limits count them.
    t.equal(await isWell(), true)
    client.close()
  })
})

t.test('CVE-2026-21714: a window of the connection over 2^31-1 leaves no session behind', async (t) => {
  for (let i = 0; i < 20; i++) {
    const client = await openFrames(place)
    await client.send(frame(FRAME.windowUpdate, 0, 0, uint32(0x7fffffff)))
    // The client closes nothing: the gateway has to.
    await client.closed
    t.equal(client.goaway(), 3, 'FLOW_CONTROL_ERROR')
  }
})

t.test('CVE-2026-26311: DATA in one packet with the reset of its stream', async (t) => {
  const client = await openFrames(place)
  for (let id = 1; id < 100; id += 2) {
    await client.send(
      frame(FRAME.headers, END_HEADERS, id, head(`/open/held/${id}`, 'POST')),
      frame(FRAME.reset, 0, id, uint32(8)),
      frame(FRAME.data, 0, id, 'abc'),
      frame(FRAME.data, END_STREAM, id),
    )
  }
  t.equal(await isWell(), true)
  await until(() => [...held.values()].every(({ running }) => running === 0), 'nothing to run on at the service')
  client.close()
})

t.test('CVE-2024-27316: a header block that is never finished', async (t) => {
  const client = await openFrames(place)
  await client.send(frame(FRAME.headers, END_STREAM, 1, head('/open/x')))
  for (let i = 0; i < 3000 && !client.isClosed && client.goaway() <= 0; i++) {
    await client.send(frame(FRAME.continuation, 0, 1, Buffer.concat([Buffer.of(0), text('x'), text('y'.repeat(1000))])))
  }
  await client.closed
  t.equal(await isWell(), true)
})

const HANDSHAKE = [
  ...[`Host: ${host}`, 'Connection: Upgrade', 'Upgrade: websocket'],
  ...['Sec-WebSocket-Version: 13', 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='],
].join('\r\n')
const SECRET = `GET /closed/secret HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`

t.test('CVE-2026-2833: what follows an Upgrade is a request, and vetted like one, until there was a 101', async (t) => {
  for (const status of ['200', '403', '404', '426', '500']) {
    for (const lines of [
      HANDSHAKE,
      `Host: ${host}\r\nConnection: Upgrade\r\nUpgrade: foo`,
      `Host: ${host}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__`,
    ]) {
      const reply = await rawExchange(place, `GET /refuser/${status} HTTP/1.1\r\n${lines}\r\n\r\n${SECRET}`)
      t.ok(reply.statuses.length >= 1 && !reply.statuses.includes(101), `${status}, ${lines}: ${reply.statuses}`)
      // No route leads there: it is 404 by the gateway, or the connection ended before.
      if (reply.statuses.length > 1) t.equal(reply.statuses[1], 404)
    }
  }
  t.ok(refuser.connections.length > 0)
  t.notMatch(refuserBytes(), /closed\/secret/)
})

t.test('CVE-2026-2833: nothing that follows is sent before the 101', async (t) => {
  let answer = (): void => {}
  const asked = Promise.withResolvers<void>()
  upstream.on('/open/late', (_request, response) => {
    answer = () => response.writeHead(403, { 'content-length': '0' }).end()
    asked.resolve()
  })
  const socket = openRaw(place)
  t.teardown(() => socket.destroy())
  socket.on('error', () => {})
  await once(socket, 'secureConnect')
  socket.resume()
  socket.write(`GET /open/late HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: foo\r\n\r\n`)
  socket.write(SECRET)
  await asked.promise
  t.equal(await isWell(), true)
  t.notMatch(upstream.bytes(), /closed\/secret|upgrade: foo/i)
  answer()
  await once(socket, 'close')
  t.notMatch(upstream.bytes(), /closed\/secret/)
})

t.test('CVE-2026-58055: an Upgrade with a length keeps its body, and the connection its order', async (t) => {
  const body = 'GET /closed/secret HTTP/1.1\r\n\r\n'
  const reply = await rawExchange(
    place,
    `POST /open/with-body HTTP/1.1\r\nHost: ${host}\r\nConnection: Upgrade\r\nUpgrade: foo\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      `GET /open/after HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`,
  )
  t.same(reply.statuses, [200, 200])
  const arrived = upstream.received.findLast(({ url }) => url === '/open/with-body')!
  t.equal(arrived.body.toString('latin1'), body)
  t.notMatch(upstream.bytes(), /upgrade: foo/i)
  t.notOk(upstream.received.some(({ url }) => url.startsWith('/closed')))
})
