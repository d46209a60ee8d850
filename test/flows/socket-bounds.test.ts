/** The bounds of an open WebSocket, through the whole gateway: how many, how large, how fast, how long, and what is said at the end. */
import { request as requestHttp } from 'node:http'
import t from 'tap'
import { PING, writeFrame } from '../../src/http/websocket-frames.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { HandshakeRefused, type SocketClient, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

/** What the service saw, by path. */
const heard = new Map<string, string[]>()
const ends = new Map<string, { code: number; reason: string }>()
const strayPongs = new Map<string, number>()
const upstream = await startUpstream({
  onSocket: (socket, request) => {
    const url = request.url!
    heard.set(url, heard.get(url) ?? [])
    socket.on('error', () => {})
    socket.on('close', (code, reason) => ends.set(url, { code, reason: reason.toString() }))
    socket.on('pong', () => strayPongs.set(url, (strayPongs.get(url) ?? 0) + 1))
    socket.on('message', (data, isBinary) => {
      heard.get(url)!.push(isBinary ? `${(data as Buffer).length} bytes` : data.toString())
      socket.send(data, { binary: isBinary })
    })
    if (!url.startsWith('/flood')) return
    const chunk = Buffer.alloc(64 * 1024)
    const flood = (error?: Error) => void (error ?? socket.send(chunk, flood))
    flood()
  },
})
const redis = await startRedis()

const route = (path: string, socket: object, more: object = {}) => ({
  path: `${path}/*`,
  service: 'chat',
  profiles: ['internet'],
  purpose: 'test',
  webSocket: true,
  socket,
  ...more,
})
const chat = { messages: 'chat' }
const packets = { messages: 'packets', socketIo: true }
const config = (limits: object) =>
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ timeouts: { send: '1 second' } }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      route('/protocols', { subprotocols: ['chat.v1', 'chat.v2'] }),
      route('/two', { perAddress: 2 }),
      route('/small', { maxMessage: '1 KB' }),
      route('/wait', { messageRate: '20 per second' }),
      route('/wait-filtered', { messageRate: '20 per second' }, chat),
      route('/few', { messageRate: '3 per hour', overRate: 'refuse' }),
      route('/few-filtered', { messageRate: '3 per hour', overRate: 'refuse' }, chat),
      route('/few-close', { messageRate: '3 per hour', overRate: 'close' }),
      route('/bytes', { byteRate: '2 KB', overRate: 'refuse' }),
      route('/limited', { messageLimits: ['limited'] }),
      route('/limited-filtered', { messageLimits: ['filtered'] }, chat),
      route('/limited-close', { messageLimits: ['closing'], overLimit: 'close' }),
      route('/limited-filtered-close', { messageLimits: ['filtered-closing'], overLimit: 'close' }, chat),
      route('/events', { messageLimits: ['by-event'] }, packets),
      route('/many', { messageLimits: ['many', 'many-more'] }),
      route('/many-filtered', { messageLimits: ['many', 'many-more'] }, chat),
      route('/idle', { idle: '700 ms', ping: '200 ms', pong: '20 seconds' }),
      route('/pinged', { ping: '200 ms', pong: '400 ms' }),
      route('/pinged-filtered', { ping: '200 ms', pong: '400 ms' }, chat),
      route('/short', { lifetime: '600 ms' }),
      route('/short-filtered', { lifetime: '600 ms' }, chat),
      route('/no-binary', { binary: 'refuse' }),
      route('/text-only', { binary: 'close' }),
      route('/free', {}),
      route('/flood', {}),
      route('/flood-filtered', {}, chat),
    ],
    messages: {
      chat: { fields: ['$.text'] },
      packets: { events: { message: ['$[0].text'], typing: [] } },
    },
    limits,
  })
const limits = {
  limited: { rate: '4 per hour' },
  filtered: { rate: '4 per hour' },
  closing: { rate: '2 per hour' },
  'filtered-closing': { rate: '2 per hour' },
  'by-event': { by: ['address', 'event'], rate: '2 per hour' },
  many: { rate: '100000 per hour' },
  'many-more': { by: ['address', 'event'], rate: '100000 per hour' },
}
const stores = {
  memory: await startGatewayHere(config(limits)),
  redis: await startGatewayHere(
    config({ ...limits, store: { redis: { url: redis.url, timeout: '5 seconds' }, onOutage: 'deny' } }),
  ),
}

t.teardown(async () => {
  await Promise.all([stores.memory.close(), stores.redis.close()])
  await Promise.all([upstream.close(), redis.kill()])
})

function metrics(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = requestHttp({ host: '127.0.0.1', port, path: '/metrics', agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.on('end', () => resolve(text))
    })
    request.on('error', reject)
    request.end()
  })
}

const texts = (count: number): string[] => Array.from({ length: count }, (_, i) => `message ${i}`)

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    const place = { port: stores.memory.publicPort }
    const here = (path: string): string => `${path}/${transport.name}`
    const open = (path: string, protocols?: string[]): Promise<SocketClient> =>
      transport.open(place, { path: here(path), ...(protocols === undefined ? {} : { protocols }) })
    const refusal = async (path: string, protocols?: string[]): Promise<number> => {
      const opened = await open(path, protocols).catch((error: unknown) => error)
      if (opened instanceof HandshakeRefused) return opened.status
      ;(opened as SocketClient).terminate()
      return 0
    }
    /** Sends, and then knows that all of it was judged: the pong comes behind it. */
    const sendAll = async (socket: SocketClient, messages: readonly (string | Buffer)[]): Promise<void> => {
      for (const each of messages) socket.send(each)
      await socket.ping()
    }
    const end = (socket: SocketClient) => within(socket.closed, 'the end')

    t.test('only subprotocols of the list are spoken', async (t) => {
      const both = await open('/protocols', ['secret.v9', 'chat.v2', 'chat.v1'])
      t.equal(both.protocol, 'chat.v2')
      await both.close()
      const seen = upstream.received.findLast((each) => each.url === here('/protocols'))!
      const at = seen.rawHeaders.findIndex((each) => each.toLowerCase() === 'sec-websocket-protocol')
      t.equal(seen.rawHeaders[at + 1], 'chat.v2, chat.v1', 'the service never hears of others')
      const none = await open('/protocols')
      t.equal(none.protocol, '')
      await none.close()
      t.equal(await refusal('/protocols', ['secret.v9']), 403)
    })

    t.test('an address has so many sockets open, no more', async (t) => {
      const first = await open('/two')
      const second = await open('/two')
      t.equal(await refusal('/two'), 429)
      first.terminate()
      const third = await until(() => open('/two').catch(() => null), 'a free slot')
      t.equal(await refusal('/two'), 429)
      second.terminate()
      third.terminate()
    })

    t.test('a message that is too large closes with 1009, in one frame or in fragments', async (t) => {
      const whole = await open('/small')
      await sendAll(whole, ['x'.repeat(1024)])
      whole.send('x'.repeat(1025))
      t.match(await end(whole), { code: 1009 })
      const cut = await open('/small')
      cut.send('x'.repeat(1000), { fin: false })
      cut.send('x'.repeat(25), { fin: true })
      t.match(await end(cut), { code: 1009 })
      await until(() => ends.get(here('/small'))?.code === 1009, 'the service is told')
      t.same(new Set(heard.get(here('/small'))), new Set(['x'.repeat(1024)]))
    })

    for (const path of ['/wait', '/wait-filtered']) {
      t.test(`${path}: over the rate the gateway reads no faster, and nothing is lost`, async (t) => {
        const socket = await open(path)
        const begun = performance.now()
        for (const each of texts(45)) socket.send(each)
        for (const each of texts(45)) t.equal((await socket.next()).text, each)
        t.ok(performance.now() - begun > 1000, '25 messages over the burst of 20 take over a second')
        await socket.close()
      })
    }

    for (const path of ['/few', '/few-filtered']) {
      t.test(`${path}: over the rate messages are dropped, the socket stays`, async (t) => {
        const socket = await open(path)
        const before = heard.get(here(path))!.length
        await sendAll(socket, texts(3))
        socket.send('in ', { fin: false })
        await socket.ping()
        socket.send('parts', { fin: true })
        await sendAll(socket, texts(5))
        t.same(heard.get(here(path))!.slice(before), texts(3))
        t.match(await socket.close(), { code: 1000 })
      })
    }

    t.test('or close the socket with 1013', async (t) => {
      const socket = await open('/few-close')
      for (const each of texts(5)) socket.send(each)
      t.match(await end(socket), { code: 1013, reason: 'too many messages' })
      await until(() => ends.get(here('/few-close')), 'the service is told')
      t.same(heard.get(here('/few-close')), texts(3))
    })

    t.test('bytes count too', async (t) => {
      const socket = await open('/bytes')
      await sendAll(socket, [Buffer.alloc(100_000), 'too soon'])
      t.same(heard.get(here('/bytes')), ['100000 bytes'])
      socket.terminate()
    })

    t.test('binary messages are dropped, or close with 1003', async (t) => {
      const socket = await open('/no-binary')
      await sendAll(socket, ['a', Buffer.from('b'), 'c'])
      t.same(heard.get(here('/no-binary')), ['a', 'c'])
      await socket.close()
      const strict = await open('/text-only')
      strict.send(Buffer.from('b'))
      t.match(await end(strict), { code: 1003 })
    })

    t.test('an idle socket ends with 1001, whatever pings say', async (t) => {
      const socket = await open('/idle')
      socket.send('a')
      t.match(await end(socket), { code: 1001, reason: 'idle' })
    })

    for (const path of ['/pinged', '/pinged-filtered']) {
      t.test(`${path}: a client that answers pings stays, and the service hears nothing of it`, async (t) => {
        const socket = await open(path)
        let answered = 0
        const seen: Buffer[] = []
        socket.stream.on('data', (chunk: Buffer) => seen.push(chunk))
        await until(() => {
          answered = seen.filter((chunk) => chunk[0] === 0x89).length
          return answered > 2
        }, 'pings')
        await sendAll(socket, ['still here'])
        t.equal(strayPongs.get(here(path)) ?? 0, 0)
        t.equal(heard.get(here(path))!.at(-1), 'still here')
        await socket.close()
      })

      t.test(`${path}: one that does not is gone`, async (t) => {
        const socket = await open(path)
        ends.delete(here(path))
        socket.stream.pause()
        const { code, reason } = await until(() => ends.get(here(path)), 'the end')
        t.same({ code, reason }, { code: 1001, reason: 'no answer to a ping' })
        socket.terminate()
      })
    }

    for (const path of ['/short', '/short-filtered']) {
      t.test(`${path}: a busy socket ends when its time has come`, async (t) => {
        const socket = await open(path)
        const busy = setInterval(() => socket.send('busy'), 20)
        t.match(await end(socket), { code: 1001, reason: 'open for too long' })
        clearInterval(busy)
      })
    }

    t.test('a flood of pings closes with 1008', async (t) => {
      const socket = await open('/free')
      for (let i = 0; i < 2000; i++) socket.stream.write(writeFrame(PING, Buffer.alloc(0), true))
      t.match(await end(socket), { code: 1008, reason: 'too many control frames' })
    })

    for (const path of ['/flood', '/flood-filtered']) {
      t.test(`${path}: a client that reads nothing is cut, and memory stays`, async (t) => {
        const socket = await open(path)
        socket.stream.pause()
        await until(() => ends.has(here(path)), 'the service is told')
        t.equal(ends.get(here(path))!.code === 1008 || ends.get(here(path))!.code === 1006, true)
        socket.terminate()
      })
    }

    t.test('every socket is gone at the end', async (t) => {
      const gone = async () => /^portcullis_websockets_open 0$/m.test(await metrics(stores.memory.adminPort))
      t.ok(await until(gone, 'no open sockets'))
    })
  })
}

for (const [store, gateway] of Object.entries(stores)) {
  t.test(`limits of single messages, counted in ${store}`, async (t) => {
    const [ws, wsOverH2] = socketTransports
    const place = { port: gateway.publicPort }
    const here = (path: string): string => `${path}/${store}`
    const open = (path: string, query = ''): Promise<SocketClient> => ws!.open(place, { path: here(path) + query })
    const both = async (path: string): Promise<SocketClient[]> => [
      await open(path),
      await wsOverH2!.open(place, { path: here(path) }),
    ]

    for (const path of ['/limited', '/limited-filtered']) {
      t.test(`${path}: all sockets of an address together; what is over it is dropped`, async (t) => {
        const [one, other] = await both(path)
        for (const each of texts(3)) one!.send(each)
        await one!.ping()
        for (const each of texts(3)) other!.send(each)
        await other!.ping()
        t.same(heard.get(here(path)), ['message 0', 'message 1', 'message 2', 'message 0'])
        t.match(await one!.close(), { code: 1000 })
        t.match(await other!.close(), { code: 1000 })
      })
    }

    for (const path of ['/limited-close', '/limited-filtered-close']) {
      t.test(`${path}: or closes the socket with 1013`, async (t) => {
        const socket = await open(path)
        for (const each of texts(5)) socket.send(each)
        t.match(await within(socket.closed, 'the end'), { code: 1013, reason: 'too many messages' })
        await until(() => ends.get(here(path)), 'the service is told')
        t.same(heard.get(here(path)), texts(2))
      })
    }

    t.test('socket.io events have counts of their own, those without a name one together', async (t) => {
      const socket = await open('/events', '?EIO=4&transport=websocket')
      const all = ['message', 'typing', 'message', 'made-up', 'message', 'typing', 'typing', 'other', 'invented']
      for (const [i, event] of all.entries()) socket.send(`42["${event}",{"text":"${i}"}]`)
      socket.send('42["\\u006dessage",{"text":"in disguise"}]')
      socket.send('2')
      await socket.ping()
      const events = heard.get(`${here('/events')}?EIO=4&transport=websocket`)!
      t.same(
        events.map((each) => /\["([^"]+)"/.exec(each)?.[1] ?? each),
        [...['message', 'typing', 'message', 'made-up', 'typing', 'other', '2']],
      )
      const text = await metrics(gateway.adminPort)
      t.match(text, 'portcullis_socket_refusals_total{event="message",reason="limit"}')
      t.match(text, 'portcullis_socket_refusals_total{event="typing",reason="limit"} 1')
      t.match(text, /portcullis_socket_refusals_total\{event="other",reason="limit"\} 1/)
      t.notMatch(text, 'made-up', 'names that a client makes up are no labels')
      await socket.close()
    })

    for (const path of ['/many', '/many-filtered']) {
      t.test(`${path}: order is kept while the store is asked, with fragments and pings in between`, async (t) => {
        const socket = await open(path)
        for (const each of texts(150)) {
          socket.send(each.slice(0, 4), { fin: false })
          socket.send(each.slice(4), { fin: true })
        }
        await socket.ping()
        t.same(heard.get(here(path)), texts(150))
        t.match(await socket.close(), { code: 1000 })
        await until(() => ends.get(here(path))?.code === 1000, 'the close comes through')
      })
    }
  })
}

t.test('what was refused is told by event and reason', async (t) => {
  const text = await metrics(stores.memory.adminPort)
  for (const reason of ['rate', 'binary']) t.match(text, `socket_refusals_total{event="message",reason="${reason}"}`)
  for (const reason of ['idle', 'lifetime', 'pong', 'slow', 'control', 'protocol']) {
    t.match(text, `socket_refusals_total{event="-",reason="${reason}"}`)
  }
})
