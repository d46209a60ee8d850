/** Clients that take their time: too slow is answered or cut by the deadline that fits, slow but steady is served to the end. */
import { once } from 'node:events'
import type { Socket } from 'node:net'
import { connect as connectNet } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { openRaw, openSession, type Place, rawExchange, requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { openSlowReader } from '../kit/slow-reader.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const upstream = await startUpstream()
const timeouts = (more: Json): Json => publicListener({ timeouts: more })
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      headers: timeouts({ headers: '1 s' }),
      idle: timeouts({ idle: '1 s' }),
      body: timeouts({ bodyGrace: '1 s', bodyMinRate: '1 KB' }),
      send: timeouts({ send: '2 s' }),
      rate: timeouts({ send: '3 s', sendMinRate: '1 MB' }),
      handshake: timeouts({ handshake: '1 s' }),
      crowd: publicListener({ connections: { perAddress: 3 } }),
      total: publicListener({ connections: { max: 2 } }),
      few: publicListener({ connections: { maxRequests: 3 } }),
      young: publicListener({ connections: { maxAge: '1 s' } }),
      busy: publicListener({ connections: { inFlightPerAddress: 2 } }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      {
        path: '/*',
        service: 'chat',
        profiles: ['internet'],
        purpose: 'test',
        methods: ['GET', 'POST'],
        maxBody: '10 MB',
      },
    ],
  }),
)
const at = (listener: string): Place => ({ port: gateway.port(`listeners.${listener}.address`) })
const HOST = 'host: localhost\r\n'

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

async function linesOf(path: string): Promise<Json[]> {
  return await until(async () => {
    await gateway.gateway.log.flush()
    const found = gateway.accessLines().filter((line) => line.path === path)
    return found.length > 0 && found
  }, `the line of ${path}`)
}

async function closes(socket: Socket, what: string): Promise<string> {
  let text = ''
  socket.on('error', () => {})
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString('latin1')
  })
  if (!socket.closed) await within(once(socket, 'close'), what)
  return text
}

t.test('a head that does not end is 408, and the connection with it', async (t) => {
  const drip = openRaw(at('headers'))
  await once(drip, 'secureConnect')
  drip.write(`GET /slow-head HTTP/1.1\r\n${HOST}`)
  // Every new byte may not buy more time.
  const timer = setInterval(() => drip.write('x-a: b\r\n'), 100)
  t.teardown(() => clearInterval(timer))
  const text = await closes(drip, 'the end of a slow head')
  t.match(text, /^HTTP\/1\.1 408 /)
  t.match(text, /connection: close\r\n/i)
  t.equal(text.match(/HTTP\/1\.1/g)!.length, 1)
})

t.test('the second head of a connection has the same time', async (t) => {
  const socket = openRaw(at('headers'))
  await once(socket, 'secureConnect')
  socket.write(`GET /first HTTP/1.1\r\n${HOST}\r\nGET /second HTTP/1.1\r\n${HOST}`)
  const text = await closes(socket, 'the end')
  t.match(text, /^HTTP\/1\.1 200 [\s\S]*HTTP\/1\.1 408 /)
})

t.test('a connection that says nothing is closed without a word', async (t) => {
  const socket = openRaw(at('headers'))
  t.equal(await closes(socket, 'the end of a silent connection'), '')
})

t.test('a session that opens no stream is closed', async (t) => {
  const session = openSession(at('idle'))
  await within(once(session, 'close'), 'the end of an idle session')
  t.pass()
})

t.test('a TLS handshake that is not finished is cut', async (t) => {
  for (const bytes of ['', '\x16\x03\x01\x02\x00', '\x16']) {
    const socket = connectNet(at('handshake').port, '127.0.0.1')
    await once(socket, 'connect')
    if (bytes !== '') socket.write(bytes, 'latin1')
    const text = await closes(socket, 'the end of the handshake')
    t.notMatch(text, /HTTP/)
  }
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    t.test('a body under the minimum rate is 408, and the service is told', async (t) => {
      const client = transport.open(at('body'))
      t.teardown(() => client.close())
      const path = `/slow-body-${transport.name}`
      let isAnswered = false
      async function* drip(): AsyncGenerator<Buffer> {
        while (!isAnswered) {
          yield Buffer.from('a')
          await sleep(50)
        }
      }
      const reply = await client.ask({
        method: 'POST',
        path,
        body: drip(),
        onHead: () => {
          isAnswered = true
        },
      })
      isAnswered = true
      t.equal(reply.status, 408)
      t.match(reply.text, /body-timeout/)
      await until(() => upstream.received.some(({ url, state }) => url === path && state === 'aborted'), 'the abort')
      t.match(await linesOf(path), [{ status: 408, failure: 'body-timeout' }])
      t.equal((await linesOf(path)).length, 1)
    })

    t.test('a body over the minimum rate may take as long as it needs', async (t) => {
      const client = transport.open(at('body'))
      t.teardown(() => client.close())
      async function* steady(): AsyncGenerator<Buffer> {
        for (let i = 0; i < 15; i++) {
          yield Buffer.alloc(1000, 'b')
          await sleep(150)
        }
      }
      const reply = await client.ask({ method: 'POST', path: `/steady-${transport.name}`, body: steady() })
      t.equal(reply.status, 200)
      t.equal((reply.json() as { body: string }).body.length, 15_000)
    })

    t.test('a client that does not read its answer is cut', async (t) => {
      const reader = await openSlowReader(transport.name, at('send'), `/huge?bytes=50000000&${transport.name}`)
      t.teardown(() => reader.destroy())
      const line = await until(async () => {
        await gateway.gateway.log.flush()
        return gateway
          .accessLines()
          .find(
            (each) =>
              each.path === '/huge' &&
              (each.bytesOut as number) < 50_000_000 &&
              each.protocol === (transport.name === 'h1' ? 'http/1.1' : 'h2'),
          )
      }, 'the end of the exchange')
      t.equal(line.failure, 'unread-answer')
      t.equal(await reader.readAll(), false, 'the answer was not ended as if it were whole')
    })

    t.test('a client that reads slowly but steadily is not cut', async (t) => {
      const reader = await openSlowReader(transport.name, at('send'), `/huge?bytes=12000000`)
      t.teardown(() => reader.destroy())
      // Longer than the timeout by far, and never as long as that without reading.
      for (let i = 0; i < 24; i++) {
        await reader.read(300_000)
        await sleep(200)
      }
      t.equal(await reader.readAll(), true)
      t.equal(reader.bytes, 12_000_000)
    })

    t.test('a client that takes a little now and then, less than it must, is cut', async (t) => {
      const path = `/huge?bytes=400000000&rate-${transport.name}`
      const reader = await openSlowReader(transport.name, at('rate'), path)
      t.teardown(() => reader.destroy())
      const protocol = transport.name === 'h1' ? 'http/1.1' : 'h2'
      let line: Json | undefined
      while (line === undefined && reader.bytes < 200_000_000) {
        await reader.read(40_000)
        await sleep(100)
        await gateway.gateway.log.flush()
        line = gateway
          .accessLines()
          .find((each) => each.path === '/huge' && each.listener === 'rate' && each.protocol === protocol)
      }
      t.equal(line?.failure, 'unread-answer')
      t.equal(await reader.readAll(), false)
    })

    t.test('what is quiet is not slow: events now and then, read as they come', async (t) => {
      const client = transport.open(at('rate'))
      t.teardown(() => client.close())
      const reply = await client.ask({ path: '/trickle?count=5&ms=1500' })
      t.equal(reply.isComplete, true)
      t.equal(reply.text, '0\n1\n2\n3\n4\n')
    })

    t.test('an idle connection is closed after its time, one in use is not', async (t) => {
      const client = transport.open(at('idle'))
      t.teardown(() => client.close())
      t.equal((await client.ask({ path: '/trickle?count=20&ms=100' })).isComplete, true)
      for (let i = 0; i < 4; i++) {
        t.equal((await client.ask({ path: '/x' })).status, 200)
        await sleep(300)
      }
    })

    t.test('a connection ends after its number of requests, without a lost one', async (t) => {
      const client = transport.open(at('few'))
      t.teardown(() => client.close())
      const closing: boolean[] = []
      for (let i = 0; i < 7; i++) {
        const reply = await client.ask({ path: `/few-${i}` })
        t.equal(reply.status, 200)
        closing.push(reply.header('connection') === 'close')
      }
      if (transport.name === 'h1') t.same(closing, [false, false, true, false, false, true, false])
    })

    t.test('requests of one address at once are bounded', async (t) => {
      const client = transport.open(at('busy'))
      t.teardown(() => client.close())
      const stop = new AbortController()
      const held = [0, 1].map(() => client.ask({ path: `/never/held`, signal: stop.signal }))
      await until(async () => (await client.ask({ path: '/x' })).status === 429, 'the refusal')
      const other = transport.open({ ...at('busy'), from: '127.0.0.7' })
      t.teardown(() => other.close())
      t.equal((await other.ask({ path: '/x' })).status, 200, 'another address has its own')
      stop.abort()
      for (const each of held) t.equal((await each).isComplete, false)
      await until(async () => (await client.ask({ path: '/x' })).status === 200, 'the slots to come back')
    })
  })
}

t.test('an idle HTTP/1.1 connection is closed by the gateway', async (t) => {
  const { text, closedBy } = await rawExchange(at('idle'), `GET /x HTTP/1.1\r\n${HOST}\r\n`)
  t.match(text, /^HTTP\/1\.1 200 /)
  t.notMatch(text, /connection: close/i)
  t.equal(closedBy, 'server')
})

t.test('an HTTP/2 connection that has had its requests says GOAWAY and serves what it accepted', async (t) => {
  const session = openSession(at('few'))
  const goaway = within(once(session, 'goaway'), 'GOAWAY')
  const streams = [0, 1, 2].map((i) => session.request({ ':path': `/trickle?count=5&ms=50&${i}` }))
  const ends = streams.map(async (stream) => {
    let text = ''
    stream.on('data', (chunk: Buffer) => {
      text += chunk
    })
    await within(once(stream, 'end'), 'the end of a stream')
    return text
  })
  await goaway
  for (const end of ends) t.equal(await end, '0\n1\n2\n3\n4\n')
  if (!session.closed) await within(once(session, 'close'), 'the end of the session')
})

t.test('a connection that is too old ends with its next answer', async (t) => {
  const socket = openRaw(at('young'))
  await once(socket, 'secureConnect')
  await sleep(1200)
  socket.write(`GET /x HTTP/1.1\r\n${HOST}\r\n`)
  t.match(await closes(socket, 'the end'), /^HTTP\/1\.1 200 [\s\S]*connection: close/i)
})

async function connectionsOf(t: Test, place: Place, count: number): Promise<Socket[]> {
  const sockets = Array.from({ length: count }, () => openRaw(place))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
  })
  for (const socket of sockets) socket.on('error', () => {})
  return sockets
}

t.test('connections of one address, and of all, are bounded', async (t) => {
  for (const [listener, max] of [
    ['crowd', 3],
    ['total', 2],
  ] as const) {
    const open = await connectionsOf(t, at(listener), max)
    for (const socket of open) if (socket.connecting || !('alpnProtocol' in socket)) await once(socket, 'secureConnect')
    const [over] = await connectionsOf(t, at(listener), 1)
    await within(new Promise((resolve) => over!.once('close', resolve)), 'the refusal')
    if (listener === 'crowd') {
      const other = await rawExchange(
        { ...at(listener), from: '127.0.0.9' },
        `GET /x HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`,
      )
      t.same(other.statuses, [200], 'another address is served')
    }
    for (const socket of open) socket.destroy()
    await until(async () => {
      const again = await rawExchange(at(listener), `GET /x HTTP/1.1\r\n${HOST}connection: close\r\n\r\n`).catch(
        () => null,
      )
      return again?.statuses[0] === 200
    }, `a place on ${listener} again`)
  }
})
