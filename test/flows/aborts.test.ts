/** Clients that leave at every moment of an exchange: the service is told, the exchange ends once, and nothing is held any more. */
import { once } from 'node:events'
import t, { type Test } from 'tap'
import { openRaw, type Reply, type RequestClient, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const redis = await startRedis()
const upstream = await startUpstream()
const IN_FLIGHT = 3
const route = (path: string, more: Json = {}): Json => ({
  ...{
    path,
    service: 'chat',
    profiles: ['internet'],
    purpose: 'test',
    methods: ['GET', 'POST'],
    maxBody: '1 GB',
    webSocket: true,
  },
  ...more,
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ connections: { inFlightPerAddress: IN_FLIGHT } }),
      admin: { address: '127.0.0.1:0' },
    },
    // Long enough to leave while the store is asked.
    limits: {
      store: { redis: { url: redis.url, timeout: '2 seconds' } },
      plenty: { rate: '100000 per minute' },
    },
    services: {
      chat: { endpoints: [upstream.url] },
      short: { endpoints: [upstream.url], timeouts: { firstByte: '2 seconds' } },
    },
    routes: [
      route('/*'),
      route('/never/read/*', { service: 'short' }),
      route('/limited/*', { limits: ['plenty'] }),
      route('/read/*', { messages: 'chat' }),
    ],
    messages: { chat: { fields: ['$.text'] } },
  }),
)
const place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
  await redis.kill()
})

async function lineOf(path: string): Promise<Json> {
  return await until(async () => {
    await gateway.gateway.log.flush()
    return gateway.accessLines().find((line) => line.path === path)
  }, `the line of ${path}`)
}

/** The client left: one line, 499 where no head was out, and every slot of its address free again. */
async function ended(t: Test, path: string, client: RequestClient, status: number): Promise<void> {
  const line = await lineOf(path)
  t.match(line, { status, failure: status === 504 ? 'upstream-timeout' : 'client-gone' }, path)
  const replies = await until(async () => {
    const all = await Promise.all(Array.from({ length: IN_FLIGHT }, () => client.ask({ path: '/free' })))
    return all.every((each) => each.status === 200) && all
  }, 'the slots to be free')
  t.equal(replies.length, IN_FLIGHT)
  await gateway.gateway.log.flush()
  t.equal(gateway.accessLines().filter((each) => each.path === path).length, 1, 'one line')
}

const arrived = (path: string) =>
  until(() => upstream.received.find(({ url }) => url === path), `${path} at the service`)

const cut = (path: string) =>
  until(
    () => upstream.received.some(({ url, state }) => url === path && state === 'aborted'),
    `the end of ${path} at the service`,
  )

async function* endless(): AsyncGenerator<Buffer> {
  for (;;) {
    yield Buffer.alloc(10_000, 'u')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

async function* unfinished(): AsyncGenerator<Buffer> {
  yield Buffer.from('{"text":"')
  await new Promise(() => {})
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const stays = transport.open(place)
    t.teardown(() => stays.close())
    const leaving = (wish: Parameters<RequestClient['ask']>[0]): { reply: Promise<Reply>; leave: () => void } => {
      const stop = new AbortController()
      return { reply: client.ask({ ...wish, signal: stop.signal }), leave: () => stop.abort() }
    }

    t.test('in the middle of an upload', async (t) => {
      const path = `/upload-${transport.name}`
      const { reply, leave } = leaving({
        method: 'POST',
        path,
        body: endless(),
        // Without it, some clients end the body before they reset the stream, and the upload would be whole.
        headers: ['content-length', '100000000'],
      })
      const received = await arrived(path)
      await until(() => received.body.length > 0, 'some of the body')
      leave()
      await cut(path)
      t.equal((await reply).isComplete, false)
      await ended(t, path, stays, 499)
    })

    t.test('in the middle of an upload that the gateway collects', async (t) => {
      const path = `/read/${transport.name}`
      const { reply, leave } = leaving({
        method: 'POST',
        path,
        headers: ['content-type', 'application/json', 'content-length', '5000'],
        body: unfinished(),
      })
      await new Promise((resolve) => setTimeout(resolve, 50))
      leave()
      t.equal((await reply).isComplete, false)
      await ended(t, path, stays, 499)
      t.notOk(
        upstream.received.some(({ url }) => url === path),
        'the service heard nothing',
      )
    })

    t.test('in the middle of an upload that the service does not read', async (t) => {
      const path = `/never/read/${transport.name}`
      const { reply, leave } = leaving({ method: 'POST', path, body: Buffer.alloc(8_000_000) })
      await arrived(path)
      await new Promise((resolve) => setTimeout(resolve, 200))
      leave()
      t.equal((await reply).isComplete, false)
      const mine = upstream.connections.filter(({ chunks }) => chunks[0]?.includes(path))
      await until(
        () => mine.length > 0 && mine.every((each) => !each.isOpen || each.socket.isPaused()),
        'the connection',
      )
      // A connection that nobody reads does not tell that its other end left; the service's timeout ends it then.
      const line = await lineOf(path)
      t.ok([499, 504].includes(line.status as number), String(line.status))
      await ended(t, path, stays, line.status as number)
    })

    t.test('in the middle of a download', async (t) => {
      const path = `/huge/${transport.name}`
      const { reply, leave } = leaving({ path: `${path}?bytes=500000000`, onData: () => leave() })
      t.equal((await reply).isComplete, false)
      await ended(t, path, stays, 200)
      const line = await lineOf(path)
      t.ok((line.bytesOut as number) < 500_000_000)
    })

    t.test('while the head of the answer is awaited', async (t) => {
      for (const method of ['GET', 'POST']) {
        const path = `/never/${method}-${transport.name}`
        const open = upstream.openConnections()
        const { reply, leave } = leaving({ method, path, ...(method === 'POST' ? { body: 'x' } : {}) })
        await arrived(path)
        t.ok(upstream.openConnections() >= Math.min(1, open))
        const mine = upstream.connections.filter(({ chunks }) => Buffer.concat(chunks).includes(path))
        leave()
        await until(() => mine.every((each) => !each.isOpen), 'the end of the connection to the service')
        t.equal((await reply).isComplete, false)
        await ended(t, path, stays, 499)
      }
    })

    t.test('in the middle of an event stream', async (t) => {
      const path = `/events/${transport.name}`
      const { reply, leave } = leaving({ path: `${path}?count=100000&ms=10`, onData: () => leave() })
      t.equal((await reply).isComplete, false)
      await ended(t, path, stays, 200)
    })

    t.test('while the limits are asked', async (t) => {
      t.equal((await client.ask({ path: '/limited/warm' })).status, 200)
      await redis.pause()
      const path = `/limited/${transport.name}`
      const { reply, leave } = leaving({ path })
      await new Promise((resolve) => setTimeout(resolve, 100))
      leave()
      t.equal((await reply).isComplete, false)
      const line = await lineOf(path)
      await redis.resume()
      t.match(line, { status: 499, failure: 'client-gone' })
      await ended(t, path, stays, 499)
      t.notOk(
        upstream.received.some(({ url }) => url === path),
        'the service heard nothing',
      )
    })
  })
}

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    t.test('in the middle of a WebSocket', async (t) => {
      const path = `/ws/${transport.name}`
      const socket = await transport.open(place, { path })
      socket.send('hello')
      t.equal((await socket.next()).text, 'hello')
      const server = upstream.sockets.at(-1)!
      const gone = once(server, 'close')
      socket.terminate()
      await gone
      const line = await lineOf(path)
      t.equal(line.status, transport.name === 'ws' ? 101 : 200)
      await gateway.gateway.log.flush()
      t.equal(gateway.accessLines().filter((each) => each.path === path).length, 1)
    })

    t.test('in the middle of a message', async (t) => {
      const path = `/ws/half-${transport.name}`
      const socket = await transport.open(place, { path })
      const gone = once(upstream.sockets.at(-1)!, 'close')
      socket.send('first half', { fin: false })
      socket.stream.write(Buffer.from([0x80, 0xfe, 0xff]))
      socket.terminate()
      await gone
      t.equal((await lineOf(path)).webSocket, true)
    })
  })
}

t.test('a client that leaves before the handshake of its WebSocket is answered', async (t) => {
  const path = '/ws/never/raw'
  const socket = openRaw(place)
  await once(socket, 'secureConnect')
  socket.write(
    `GET ${path} HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n`,
  )
  await arrived(path)
  const mine = upstream.connections.filter(({ chunks }) => Buffer.concat(chunks).includes(path))
  socket.destroy()
  await until(() => mine.every((each) => each.socket.readableEnded), 'the end of the connection to the service')
  for (const each of mine) each.socket.destroy()
  t.match(await lineOf(path), { status: 499, failure: 'client-gone' })
})
