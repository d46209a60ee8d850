/** A WebSocket through the gateway, over HTTP/1.1 and over HTTP/2: handshake, frames, ends, and who may open one. */
import { createHash } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { request as requestHttp } from 'node:http'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import t from 'tap'
import { WebSocket, WebSocketServer } from 'ws'
import { FrameReader, TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { openRaw, openSession, rawExchange } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { HandshakeRefused, type SocketClient, type SocketTransport, socketTransports } from '../kit/socket-clients.ts'
import { startRawUpstream, startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11'
const acceptFor = (key: string): string =>
  createHash('sha1')
    .update(key + GUID)
    .digest('base64')

/** Ends of the sockets as the upstream saw them, by path. */
const ends = new Map<string, { code: number; reason: string }>()
const pings = new Map<string, number>()
const upstream = await startUpstream({
  onSocket: (socket, request) => {
    const url = request.url!
    socket.on('error', () => {})
    socket.on('close', (code, reason) => ends.set(url, { code, reason: reason.toString() }))
    socket.on('ping', () => pings.set(url, (pings.get(url) ?? 0) + 1))
    if (url.startsWith('/greeting')) socket.send('welcome')
    const code = /close=(\d+)/.exec(url)
    if (code !== null) return socket.close(Number(code[1]), 'as asked')
    socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary }))
  },
})

/** Answers the handshake as the path says: with what no honest server would send. */
const odd = await startRawUpstream((connection) => {
  const { socket, chunks } = connection
  let answered = false
  socket.on('data', () => {
    const text = Buffer.concat(chunks).toString('latin1')
    if (answered || !text.includes('\r\n\r\n')) return
    answered = true
    const accept = acceptFor(/sec-websocket-key: (\S+)/i.exec(text)![1]!)
    const head = 'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n'
    const answers: Record<string, string | Buffer> = {
      '/odd/other-protocol': `${head}sec-websocket-accept: ${accept}\r\nsec-websocket-protocol: never-offered\r\n\r\n`,
      '/odd/two-protocols': `${head}sec-websocket-accept: ${accept}\r\nsec-websocket-protocol: a\r\nsec-websocket-protocol: b\r\n\r\n`,
      '/odd/extension': `${head}sec-websocket-accept: ${accept}\r\nsec-websocket-extensions: permessage-deflate\r\n\r\n`,
      '/odd/no-accept': `${head}\r\n`,
      '/odd/200': 'HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok',
      '/odd/other-upgrade': `HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n`,
      '/odd/same-packet': Buffer.concat([
        Buffer.from(`${head}sec-websocket-accept: ${accept}\r\n\r\n`),
        writeFrame(TEXT, Buffer.from('first'), false),
        writeFrame(TEXT, Buffer.from('second'), false),
      ]),
    }
    socket.write(answers[/^GET (\S+)/.exec(text)![1]!] ?? 'HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
  })
})

const certificate = await makeCertificate({ names: ['127.0.0.1'] })
const secret = await startUpstream({ tls: certificate })
const folder = t.testdir()
writeFileSync(join(folder, 'ca.pem'), certificate.cert)

const route = { service: 'chat', profiles: ['internet'], purpose: 'test', webSocket: true }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      impatient: publicListener({ timeouts: { webSocketIdle: '700 ms' } }),
      admin: { address: '127.0.0.1:0' },
    },
    services: {
      chat: { endpoints: [upstream.url] },
      odd: { endpoints: [odd.url] },
      secret: { endpoints: [secret.url], tls: { ca: join(folder, 'ca.pem') } },
    },
    routes: [
      { ...route, path: '/*', methods: ['GET', 'POST'] },
      { ...route, path: '/odd/*', service: 'odd' },
      { ...route, path: '/secret/*', service: 'secret' },
      { ...route, path: '/requests/*', webSocket: false },
      { ...route, path: '/friends/*', origins: ['https://friend.example'] },
      { ...route, path: '/filtered/*', messages: 'text' },
      { ...route, path: '/strict/*', messages: 'strict' },
    ],
    messages: {
      text: { fields: ['$.text'], maxSize: '64 KB' },
      strict: { fields: ['$.text'], maxSize: '64 KB', onViolation: 'close' },
    },
  }),
)
const place = { port: gateway.publicPort }
const impatient = { port: gateway.port('listeners.impatient.address') }
const OWN_ORIGIN = `https://localhost:${place.port}`

t.teardown(async () => {
  await gateway.close()
  await Promise.all([upstream.close(), odd.close(), secret.close()])
})

function metric(name: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const request = requestHttp(
      { host: '127.0.0.1', port: gateway.adminPort, path: '/metrics', agent: false },
      (response) => {
        let text = ''
        response.setEncoding('utf8').on('data', (part: string) => {
          text += part
        })
        response.on('end', () => resolve(Number(new RegExp(`^portcullis_${name} (\\S+)$`, 'm').exec(text)?.[1])))
      },
    )
    request.on('error', reject)
    request.end()
  })
}

async function refusal(
  transport: SocketTransport,
  path: string,
  headers: string[] = [],
  protocols?: string[],
): Promise<HandshakeRefused> {
  try {
    const socket = await transport.open(place, { path, headers, ...(protocols === undefined ? {} : { protocols }) })
    socket.terminate()
  } catch (error) {
    if (error instanceof HandshakeRefused) return error
    throw error
  }
  throw new Error(`the handshake for ${path} was accepted`)
}

const headerOf = (headers: readonly string[], name: string): string | null => {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at === -1 ? null : headers[at + 1]!
}
const received = (url: string) => upstream.received.filter((each) => each.url === url)

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    const open = (path: string, more: { headers?: string[]; protocols?: string[] } = {}): Promise<SocketClient> =>
      transport.open(place, { path, ...more })
    const here = (path: string): string => `${path}?${transport.name}`

    t.test('what is sent comes back, in both kinds of frames, empty and long ones too', async (t) => {
      const socket = await open(here('/echo'))
      for (const text of ['hello', '', 'Grüße 😀', 'x'.repeat(125), 'x'.repeat(126), 'x'.repeat(65_535)]) {
        socket.send(text)
        const message = await socket.next()
        t.equal(message.text === text && !message.isBinary, true, `${text.length} characters`)
      }
      for (const size of [0, 1, 70_000]) {
        const bytes = Buffer.alloc(size, 7)
        socket.send(bytes)
        const message = await socket.next()
        t.equal(message.isBinary && message.data.equals(bytes), true, `${size} bytes`)
      }
      await socket.close()
    })

    t.test('a large message passes whole, both ways', async (t) => {
      const socket = await open(here('/large'))
      const bytes = Buffer.alloc(6_000_000)
      for (let i = 0; i < bytes.length; i += 1024) bytes.writeUInt32BE(i, i)
      socket.send(bytes)
      const message = await socket.next()
      t.equal(message.data.equals(bytes), true)
      await socket.close()
    })

    t.test('fragments pass as fragments, also with a ping between them', async (t) => {
      const socket = await open(here('/fragments'))
      socket.send('one ', { fin: false })
      socket.send('two ', { fin: false })
      await socket.ping()
      socket.send('three', { fin: true })
      t.equal((await socket.next()).text, 'one two three')
      await socket.close()
    })

    t.test('a ping reaches the service and its pong comes back', async (t) => {
      const socket = await open(here('/ping'))
      await socket.ping()
      await socket.ping()
      t.equal(pings.get(here('/ping')), 2)
      await socket.close()
    })

    t.test('a subprotocol is chosen by the service, out of those that were offered', async (t) => {
      const socket = await open(here('/protocols'), { protocols: ['chat.v2', 'chat.v1'] })
      t.equal(socket.protocol, 'chat.v2')
      await socket.close()
      const without = await open(here('/no-protocols'))
      t.equal(without.protocol, '')
      t.equal(headerOf(without.headers, 'sec-websocket-protocol'), null)
      await without.close()
      t.equal((await refusal(transport, '/odd/other-protocol', [], ['chat.v1'])).status, 502)
      t.equal((await refusal(transport, '/odd/other-protocol')).status, 502)
      t.equal((await refusal(transport, '/odd/two-protocols', [], ['a', 'b'])).status, 502)
    })

    t.test('the service is told who asks, as with any request, and gets a key of the gateway', async (t) => {
      const socket = await open(here('/told'), {
        headers: ['x-forwarded-for', '6.6.6.6', 'x-own', '1', 'cookie', 'a=b'],
      })
      const [request] = received(here('/told'))
      t.equal(request!.method, 'GET')
      t.equal(headerOf(request!.rawHeaders, 'host'), `localhost:${place.port}`)
      t.equal(headerOf(request!.rawHeaders, 'x-forwarded-for'), '127.0.0.1')
      t.equal(headerOf(request!.rawHeaders, 'x-own'), '1')
      t.equal(headerOf(request!.rawHeaders, 'cookie'), 'a=b')
      t.equal(headerOf(request!.rawHeaders, 'sec-websocket-version'), '13')
      t.match(headerOf(request!.rawHeaders, 'sec-websocket-key'), /^[A-Za-z0-9+/]{22}==$/)
      t.match(headerOf(socket.headers, 'x-request-id'), /^[0-9a-f]{32}$/)
      t.equal(headerOf(request!.rawHeaders, 'x-request-id'), headerOf(socket.headers, 'x-request-id'))
      await socket.close()
    })

    t.test('extensions are never negotiated: a client that offers compression goes on without it', async (t) => {
      const offer = ['sec-websocket-extensions', 'permessage-deflate; client_max_window_bits']
      const socket = await open(here('/deflate'), { headers: offer })
      t.equal(headerOf(socket.headers, 'sec-websocket-extensions'), null)
      t.equal(headerOf(received(here('/deflate'))[0]!.rawHeaders, 'sec-websocket-extensions'), null)
      socket.send('plain words')
      t.equal((await socket.next()).text, 'plain words')
      t.ok(upstream.connections.length > 0)
      await socket.close()
      t.equal((await refusal(transport, '/odd/extension', offer)).status, 502)
    })

    t.test('close codes and reasons pass, from the client', async (t) => {
      for (const code of [1000, 1001, 1003, 1011, 3000, 4999]) {
        const path = here(`/from-client/${code}`)
        // The other library refuses to send 1001 itself.
        const socket = await open(path)
        if (code === 1001) sendClose(socket.stream, 1001, 'leaving')
        else void socket.close(code, 'leaving')
        t.same(await until(() => ends.get(path), path), { code, reason: 'leaving' })
        if (code !== 1001) t.equal((await within(socket.closed, 'the end')).code, code)
        socket.terminate()
      }
      const path = here('/from-client/none')
      const socket = await open(path)
      socket.stream.write(writeFrame(8, Buffer.alloc(0), true))
      t.same(await until(() => ends.get(path), path), { code: 1005, reason: '' })
      socket.terminate()
    })

    t.test('close codes and reasons pass, from the service', async (t) => {
      for (const code of [1000, 1001, 1008, 1012, 3000, 4321]) {
        const socket = await open(here(`/from-service/${code}?close=${code}&`))
        t.same(await within(socket.closed, 'the end'), { code, reason: 'as asked' })
      }
    })

    t.test('a service that refuses is relayed, with the headers of every answer', async (t) => {
      const refused = await refusal(transport, '/ws/refuse')
      t.equal(refused.status, 403)
      t.equal(refused.body, 'no')
      t.match(headerOf(refused.headers, 'strict-transport-security'), /max-age/)
      t.equal((await refusal(transport, '/odd/missing')).status, 404)
    })

    t.test('a service that does not speak WebSocket right is a bad gateway', async (t) => {
      for (const path of ['/ws/bad-accept', '/odd/no-accept', '/odd/200', '/odd/other-upgrade', '/ws/before-head']) {
        t.equal((await refusal(transport, path)).status, 502, path)
      }
    })

    t.test('what the service sends right behind its handshake is not lost', async (t) => {
      const socket = await open('/odd/same-packet')
      t.equal((await socket.next()).text, 'first')
      t.equal((await socket.next()).text, 'second')
      socket.terminate()
      const greeted = await open(here('/greeting'))
      t.equal((await greeted.next()).text, 'welcome')
      await greeted.close()
    })

    t.test('a service that dies ends the socket, and a client that dies too', async (t) => {
      const socket = await open(here('/upstream-dies'))
      socket.send('a')
      await socket.next()
      upstream.sockets.at(-1)!.terminate()
      t.equal((await within(socket.closed, 'the end')).code, 1006)

      const other = await open(here('/client-dies'))
      other.send('a')
      await other.next()
      other.terminate()
      t.equal((await until(() => ends.get(here('/client-dies')), 'the end')).code, 1006)
    })

    t.test('Origin: the own page and programs may open a WebSocket, other pages may not', async (t) => {
      for (const origin of [null, OWN_ORIGIN]) {
        const socket = await open(here('/origin'), { headers: origin === null ? [] : ['origin', origin] })
        await socket.close()
      }
      const before = upstream.received.length
      for (const origin of [
        'https://evil.example',
        'null',
        `http://localhost:${place.port}`,
        'https://localhost',
        `${OWN_ORIGIN}.evil.example`,
        'https://friend.example',
      ]) {
        t.equal((await refusal(transport, here('/origin'), ['origin', origin])).status, 403, origin)
      }
      t.equal(upstream.received.length, before, 'nothing reached the service')
    })

    t.test('Origin: pages on the list of the route are welcome there', async (t) => {
      for (const origin of ['https://friend.example', OWN_ORIGIN]) {
        const socket = await open(here('/friends/a'), { headers: ['origin', origin] })
        await socket.close()
      }
      for (const origin of ['http://friend.example', 'https://friend.example:444', 'https://x.friend.example']) {
        t.equal((await refusal(transport, here('/friends/a'), ['origin', origin])).status, 403, origin)
      }
    })

    t.test('a route without webSocket has none, and an unknown host neither', async (t) => {
      const before = upstream.received.length
      t.equal((await refusal(transport, here('/requests/a'))).status, 403)
      const misdirected = await refusal(transport, '/x', ['host', 'evil.example'])
      t.ok([400, 421].includes(misdirected.status), String(misdirected.status))
      t.equal(upstream.received.length, before, 'nothing reached the service')
    })

    t.test('a WebSocket to a service that speaks TLS', async (t) => {
      const socket = await open(here('/secret/a'))
      socket.send('over TLS')
      t.equal((await socket.next()).text, 'over TLS')
      t.equal(secret.received.at(-1)!.url, here('/secret/a'))
      await socket.close()
    })

    t.test('nothing moves for too long: 1001 to both sides', async (t) => {
      for (const path of [here('/idle'), here('/filtered/idle')]) {
        const socket = await transport.open(impatient, { path })
        socket.send('a')
        await socket.next()
        t.same(await within(socket.closed, 'the end'), { code: 1001, reason: 'idle' })
        t.equal((await until(() => ends.get(path), path)).code, 1001)
      }
    })

    t.test('binary messages: passed where nothing is inspected, refused where it is', async (t) => {
      const socket = await open(here('/filtered/binary'))
      socket.send(Buffer.from('<b>secret</b>'))
      socket.send('after')
      t.equal((await socket.next()).text, 'after', 'dropped alone')
      await socket.close()
      const strict = await open(here('/strict/binary'))
      strict.send(Buffer.from('<b>secret</b>'))
      t.equal((await within(strict.closed, 'the end')).code, 1003)
      t.equal((await until(() => ends.get(here('/strict/binary')), 'the end')).code, 1003)
    })

    t.test('through message rules: pings, fragments, large messages and close codes pass as well', async (t) => {
      const path = here('/filtered/all')
      const socket = await open(path)
      await socket.ping()
      socket.send('one <b>', { fin: false })
      await socket.ping()
      socket.send('two</b> th', { fin: false })
      socket.send('ree', { fin: true })
      t.equal((await socket.next()).text, 'one two three')
      socket.send('x'.repeat(65_536))
      t.equal((await socket.next()).text.length, 65_536)
      t.same(await socket.close(4001, 'done'), { code: 4001, reason: 'done' })
      t.same(await until(() => ends.get(path), path), { code: 4001, reason: 'done' })
      const over = await open(here('/filtered/over'))
      over.send('x'.repeat(65_537))
      t.equal((await within(over.closed, 'the end')).code, 1009)
    })

    t.test('each socket leaves one line in the access log, when it ends', async (t) => {
      const path = `/logged/${transport.name}`
      const socket = await open(`${path}?token=secret`)
      socket.send('some words')
      await socket.next()
      await gateway.gateway.log.flush()
      const linesOf = () => gateway.accessLines().filter((line) => line.path === path)
      t.equal(linesOf().length, 0, 'not before')
      await socket.close()
      await until(async () => {
        await gateway.gateway.log.flush()
        return linesOf().length > 0
      })
      t.equal(linesOf().length, 1)
      t.match(linesOf()[0], {
        webSocket: true,
        status: transport.name === 'ws' ? 101 : 200,
        protocol: transport.name === 'ws' ? 'http/1.1' : 'h2',
        method: 'GET',
        failure: null,
      })
      t.ok((linesOf()[0]!.bytesIn as number) > 0 && (linesOf()[0]!.bytesOut as number) > 0)
      t.notMatch(JSON.stringify(linesOf()), /secret|some words/)
    })

    t.test('the gauge counts the open ones, and comes back to zero', async (t) => {
      await until(async () => (await metric('websockets_open')) === 0, 'no WebSocket is open')
      const sockets = await Promise.all(Array.from({ length: 5 }, () => open(here('/counted'))))
      t.equal(await metric('websockets_open'), 5)
      await sockets[0]!.close()
      sockets[1]!.terminate()
      for (const each of upstream.sockets) each.terminate()
      await until(async () => (await metric('websockets_open')) === 0, 'no WebSocket is open')
      for (const each of sockets) each.terminate()
    })
  })
}

function sendClose(stream: Duplex, code: number, reason: string): void {
  const payload = Buffer.alloc(2 + reason.length)
  payload.writeUInt16BE(code, 0)
  payload.write(reason, 2)
  stream.write(writeFrame(8, payload, true))
}

const KEY = 'sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=='
const HANDSHAKE = [
  `host: localhost:${place.port}`,
  'upgrade: websocket',
  'connection: Upgrade',
  KEY,
  'sec-websocket-version: 13',
]
const without = (...starts: string[]): string[] =>
  HANDSHAKE.filter((line) => !starts.some((start) => line.startsWith(start)))

t.test('an incomplete handshake is 400 and nothing of it is forwarded', async (t) => {
  const table: [what: string, first: string, lines: string[]][] = [
    ['no key', 'GET', without('sec-websocket-key')],
    ['no version', 'GET', without('sec-websocket-version')],
    ['another version', 'GET', [...without('sec-websocket-version'), 'sec-websocket-version: 8']],
    ['two versions', 'GET', [...without('sec-websocket-version'), 'sec-websocket-version: 13, 8']],
    ['the version twice', 'GET', [...HANDSHAKE, 'sec-websocket-version: 13']],
    ['no connection', 'GET', without('connection')],
    ['connection says another thing', 'GET', [...without('connection'), 'connection: keep-alive']],
    ['a key of the wrong size', 'GET', [...without('sec-websocket-key'), 'sec-websocket-key: c2hvcnQ=']],
    ['a key that is no base64', 'GET', [...without('sec-websocket-key'), `sec-websocket-key: ${'!'.repeat(22)}==`]],
    ['two keys', 'GET', [...HANDSHAKE, KEY]],
    ['a method that is not GET', 'POST', [...HANDSHAKE, 'content-length: 0']],
    ['a body', 'GET', [...HANDSHAKE, 'content-length: 5']],
    ['a chunked body', 'GET', [...HANDSHAKE, 'transfer-encoding: chunked']],
    ['websocket among others', 'GET', [...without('upgrade', 'sec-websocket-key'), 'upgrade: h2c, websocket']],
  ]
  const before = upstream.bytes().length
  for (const [what, method, lines] of table) {
    const result = await rawExchange(place, `${method} /incomplete HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\nhello`)
    t.equal(result.statuses[0], 400, what)
    t.match(result.text, /connection: close/i, what)
    t.equal(result.statuses.length, 1, `${what}: one answer, then the end`)
  }
  t.equal(upstream.bytes().length, before)
})

t.test('an upgrade to something else is no upgrade: the request is forwarded without it', async (t) => {
  const lines = [
    `host: localhost:${place.port}`,
    'upgrade: h2c',
    'connection: upgrade, http2-settings',
    'http2-settings: AAMA',
  ]
  const result = await rawExchange(place, `GET /h2c HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`, {
    enough: (text) => text.includes('"url":"/h2c"'),
  })
  t.equal(result.statuses[0], 200)
  const [request] = received('/h2c')
  for (const name of ['upgrade', 'http2-settings']) t.equal(headerOf(request!.rawHeaders, name), null)
})

t.test('over HTTP/2 an incomplete handshake is 400, and another protocol too', async (t) => {
  const before = upstream.bytes().length
  for (const [what, fields] of Object.entries({
    'no version': {},
    'another version': { 'sec-websocket-version': '8' },
    'another protocol': { ':protocol': 'connect-udp', 'sec-websocket-version': '13' },
    'a length': { 'sec-websocket-version': '13', 'content-length': '5' },
  })) {
    const session = openSession(place)
    await new Promise<void>((resolve) => session.once('remoteSettings', () => resolve()))
    const status = await new Promise<number>((resolve) => {
      const stream = session.request(
        {
          ':method': 'CONNECT',
          ':protocol': 'websocket',
          ':scheme': 'https',
          ':path': '/incomplete',
          ':authority': `localhost:${place.port}`,
          ...fields,
        },
        { endStream: false },
      )
      stream.on('error', () => {})
      stream.on('response', (headers) => resolve(headers[':status']!))
      stream.on('close', () => resolve(0))
      stream.resume()
    })
    session.destroy()
    // A length is refused by the frame rules already: the stream is reset.
    t.ok(status === 400 || (what === 'a length' && status === 0), `${what}: ${status}`)
  }
  t.equal(upstream.bytes().length, before)
})

t.test('frames that come in the same packet as the handshake are not lost', async (t) => {
  for (const path of ['/same-packet', '/filtered/same-packet']) {
    const frames = ['one', 'two'].map((text) => writeFrame(TEXT, Buffer.from(text), true))
    const head = `GET ${path} HTTP/1.1\r\n${HANDSHAKE.join('\r\n')}\r\n\r\n`
    const socket = openRaw(place)
    const texts: string[] = []
    const reader = new FrameReader(false, 1000)
    let seen = Buffer.alloc(0)
    let isOpen = false
    socket.on('data', (chunk: Buffer) => {
      let rest = chunk
      if (!isOpen) {
        seen = Buffer.concat([seen, chunk])
        const end = seen.indexOf('\r\n\r\n')
        if (end === -1) return
        isOpen = true
        rest = seen.subarray(end + 4)
      }
      reader.push(rest)
      while (reader.next()) texts.push(reader.payload.toString())
    })
    socket.write(Buffer.concat([Buffer.from(head), ...frames]))
    await until(() => texts.length === 2, 'two messages')
    t.same(texts, ['one', 'two'], path)
    t.match(seen.toString('latin1'), /^HTTP\/1\.1 101 /)
    t.ok(seen.toString('latin1').includes(acceptFor('dGhlIHNhbXBsZSBub25jZQ==')))
    socket.destroy()
  }
})

t.test('over HTTP/2, frames sent before the answer to the handshake are not lost', async (t) => {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  await new Promise<void>((resolve) => session.once('remoteSettings', () => resolve()))
  const stream = session.request(
    {
      ':method': 'CONNECT',
      ':protocol': 'websocket',
      ':scheme': 'https',
      ':path': '/early',
      ':authority': `localhost:${place.port}`,
      'sec-websocket-version': '13',
    },
    { endStream: false },
  )
  stream.on('error', () => {})
  stream.write(writeFrame(TEXT, Buffer.from('early'), true))
  const reader = new FrameReader(false, 1000)
  const texts: string[] = []
  stream.on('data', (chunk: Buffer) => {
    reader.push(chunk)
    while (reader.next()) texts.push(reader.payload.toString())
  })
  await until(() => texts.length > 0, 'the echo')
  t.same(texts, ['early'])
  stream.destroy()
})

t.test('a service that would compress is not asked to', async (t) => {
  const server = new WebSocketServer({ host: '127.0.0.1', port: 0, perMessageDeflate: { threshold: 0 } })
  await new Promise((resolve) => server.once('listening', resolve))
  server.on('connection', (socket) => socket.on('message', (data, isBinary) => socket.send(data, { binary: isBinary })))
  const { port } = server.address() as { port: number }
  const own = await startGatewayHere(testConfig(`http://127.0.0.1:${port}`))
  t.teardown(async () => {
    await own.close()
    server.close()
  })
  const socket = new WebSocket(`wss://localhost:${own.publicPort}/`, {
    perMessageDeflate: { threshold: 0 },
    rejectUnauthorized: false,
  })
  t.teardown(() => socket.terminate())
  const text = await within(
    new Promise<string>((resolve, reject) => {
      socket.on('error', reject)
      socket.on('open', () => socket.send('a'.repeat(5000)))
      socket.on('message', (data) => resolve(String(data)))
    }),
    'the echo',
  )
  t.equal(text, 'a'.repeat(5000))
  t.equal(socket.extensions, '')
})

t.test('a client that reads slowly holds the service back, not the memory of the gateway', async (t) => {
  const socket = await socketTransports[0]!.open(place, { path: '/slow' })
  t.teardown(() => socket.terminate())
  socket.send('start')
  await socket.next()
  const service = upstream.sockets.at(-1)!
  socket.stream.pause()
  const chunk = Buffer.alloc(1_000_000, 1)
  const total = 60
  for (let i = 0; i < total; i++) service.send(chunk)
  // What nobody takes waits at the service; the gateway and the two sockets hold a few of it.
  await until(() => service.bufferedAmount < total * chunk.length, 'the first bytes left')
  let before = -1
  await until(() => {
    const same = service.bufferedAmount === before
    before = service.bufferedAmount
    return same
  }, 'nothing moves')
  t.ok(service.bufferedAmount > 20_000_000, `${service.bufferedAmount} bytes wait at the service`)
  socket.stream.resume()
  for (let i = 0; i < total; i++) t.equal((await socket.next()).data.length === chunk.length, true)
})
