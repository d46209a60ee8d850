/**
 * One set of message rules for every way a message can travel: what arrives at the service is the same clean text, and what
 * cannot be read is refused.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib'
import { type Socket as ServerSocket, Server as SocketIoServer } from 'socket.io'
import { io, type Socket } from 'socket.io-client'
import t from 'tap'
import { CONTINUATION, TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { htmlFilter } from '../../src/messages/html.ts'
import { openRaw, type Reply, type RequestClient, rawExchange, requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { type SocketClient, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

/** Text that must arrive byte for byte. */
const BENIGN = [
  'Hello',
  '',
  ' ',
  'a < b and b > c',
  'I <3 you',
  '>_<.',
  'AT&T, Tom & Jerry',
  'https://example.com/?a=1&b=2&copy=3#x',
  '&lt;script&gt; as words',
  'emoji 😀🏳️‍🌈 < 🌈',
  'שלום עולם مرحبا',
  '中文 < 日本語',
  'words in "quotes" and \\ a backslash',
  'two\nlines\tand a tab',
  '+49 170 1234567; 100% = all; a+b',
  'percent %3Cb%3E',
  'C:\\temp\\new',
]

const stripped = (text: string): string => htmlFilter({ html: 'strip', output: 'html' })(text)!

/** Text with live HTML in it, and what is left of it. */
const HOSTILE: [text: string, clean: string][] = [
  ['<b>bold</b>', 'bold'],
  ['a <i>b</i> c', 'a b c'],
  ['<script>alert(1)</script>after', 'after'],
  ['<img src=x onerror=alert(1)>', ''],
  ['<svg/onload=alert(1)>x', 'x'],
  ['<a href="javascript:alert(1)">link</a>', 'link'],
  ['un<b>believ</b>able 😀', 'unbelievable 😀'],
  ['a < b <u>c</u>', 'a < b c'],
  ['<IMG\nSRC=x ONERROR=alert(1)>\nnext line', '\nnext line'],
  ['<img src=x onerror=alert(1)//', '&lt;img src=x onerror=alert(1)//'],
  ['<scr<script>ipt>alert(1)</scr</script>ipt>', stripped('<scr<script>ipt>alert(1)</scr</script>ipt>')],
  ['<!-- --!><img src=x onerror=alert(1)>x', stripped('<!-- --!><img src=x onerror=alert(1)>x')],
]

const TABLE: [text: string, clean: string][] = [...BENIGN.map((text): [string, string] => [text, text]), ...HOSTILE]
const LIVE = /<(?:[a-zA-Z/!?]|$)/

const upstream = await startUpstream()

/** What a real socket.io server hears: the text of each message, with the transport by which it came. */
const heard: { text: string; transport: string; extra: unknown }[] = []
const chat = createServer()
const socketIo = new SocketIoServer(chat, { maxHttpBufferSize: 1e6, serveClient: false })
const onConnection = (socket: ServerSocket): void => {
  const note = (value: unknown, done?: unknown): void => {
    const { text, ...extra } = value as { text: string }
    heard.push({ text, transport: socket.conn.transport.name, extra })
    if (typeof done === 'function') done({ got: text })
  }
  socket.on('message', note)
  socket.on('other', (value: unknown, done?: unknown) => {
    heard.push({ text: JSON.stringify(value), transport: socket.conn.transport.name, extra: null })
    if (typeof done === 'function') done('ok')
  })
}
socketIo.on('connection', onConnection)
socketIo.of('/agents').on('connection', onConnection)
await new Promise<void>((resolve) => chat.listen(0, '127.0.0.1', resolve))

const route = {
  service: 'chat',
  profiles: ['internet'],
  purpose: 'test',
  methods: ['GET', 'POST', 'PUT'],
  webSocket: true,
  maxBody: '1 MB',
}
const rules = { fields: ['$.text', '$..caption'], events: { message: ['$[0].text'] }, maxSize: '4 KB' }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    services: {
      chat: { endpoints: [upstream.url] },
      io: { endpoints: [`http://127.0.0.1:${(chat.address() as AddressInfo).port}`] },
    },
    routes: [
      { ...route, path: '/say/*', messages: 'refusing' },
      { ...route, path: '/strict/*', messages: 'closing' },
      { ...route, path: '/free/*' },
      { ...route, path: '/small/*', messages: 'refusing', maxBody: '100 B' },
      { ...route, path: '/socket.io/*', service: 'io', messages: 'refusing', socketIo: true },
      { ...route, path: '/packets/*', messages: 'refusing', socketIo: true },
      { ...route, path: '/named/*', messages: 'named', socketIo: true },
    ],
    messages: {
      refusing: rules,
      closing: { ...rules, onViolation: 'close' },
      named: { ...rules, otherEvents: 'refuse', onViolation: 'close' },
    },
  }),
)
const place = { port: gateway.publicPort }

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
  await socketIo.close()
  chat.closeAllConnections()
})

interface Echo {
  readonly headers: string[]
  readonly body: string
}
const JSON_TYPE = ['content-type', 'application/json']
const FORM_TYPE = ['content-type', 'application/x-www-form-urlencoded']
const TEXT_TYPE = ['content-type', 'text/plain; charset=utf-8']
const fieldOf = (headers: readonly string[], name: string): string | null => {
  const at = headers.findIndex((each, i) => i % 2 === 0 && each.toLowerCase() === name)
  return at === -1 ? null : headers[at + 1]!
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const post = (body: string | Buffer | string[], headers: string[], path = '/say/x'): Promise<Reply> =>
      client.ask({ method: 'POST', path, body, headers })

    t.test('JSON: the fields arrive clean, the others as they were', async (t) => {
      for (const [text, clean] of TABLE) {
        const sent = JSON.stringify({ text, id: 7, other: '<b>', parts: [{ caption: text }] })
        const { body, headers } = (await post(sent, JSON_TYPE)).json() as Echo
        t.same(JSON.parse(body), { text: clean, id: 7, other: '<b>', parts: [{ caption: clean }] }, text)
        t.equal(fieldOf(headers, 'content-length'), String(Buffer.byteLength(body)))
        t.equal(fieldOf(headers, 'transfer-encoding'), null)
        if (text === clean) t.equal(body, sent, 'byte for byte')
      }
    })

    t.test('JSON with escapes in it is read as the service would read it', async (t) => {
      const escaped = (text: string) =>
        [...text].map((each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
      const { body } = (await post(`{"\\u0074ext":"${escaped('<b>x</b>').join('')}"}`, JSON_TYPE)).json() as Echo
      t.same(JSON.parse(body), { text: 'x' })
      const upper = (await post('{"TEXT":"<b>x</b>"}', JSON_TYPE)).json() as Echo
      t.same(JSON.parse(upper.body), { TEXT: 'x' })
    })

    t.test('form and plain text', async (t) => {
      for (const [text, clean] of TABLE) {
        if (text === '') continue
        const form = new URLSearchParams({ text, id: '7' }).toString()
        const { body } = (await post(form, FORM_TYPE)).json() as Echo
        t.same(Object.fromEntries(new URLSearchParams(body)), { text: clean, id: '7' }, text)
        if (text === clean) t.equal(body, form, 'byte for byte')
        const plain = (await post(text, TEXT_TYPE)).json() as Echo
        t.equal(plain.body, clean, text)
        t.equal(fieldOf(plain.headers, 'content-length'), String(Buffer.byteLength(clean)))
      }
    })

    t.test('a body that is not changed arrives byte for byte, odd spaces, digits and escapes too', async (t) => {
      for (const body of [
        '{ "text" : "a < b \\u00fc" ,\n\t"id":12345678901234567890 }',
        '{"a":1.0,"b":1e400,"text":"\\ud83d\\ude00"}',
        '"just a string"',
        'null',
        '[]',
        '[1,2,{"text":["a"]}]',
      ]) {
        const echo = (await post(body, JSON_TYPE)).json() as Echo
        t.equal(echo.body, body)
      }
      const digits = (await post('{"text":"<b>x</b>","id":12345678901234567890}', JSON_TYPE)).json() as Echo
      t.equal(digits.body, '{"text":"x","id":12345678901234567890}')
    })

    t.test('bodies that come in pieces of unknown length are inspected as a whole', async (t) => {
      const reply = await post(['{"text":"<sc', 'ript>alert(1)</scr', 'ipt>wor', 'ds"}'], JSON_TYPE)
      const { body, headers } = reply.json() as Echo
      t.equal(body, '{"text":"words"}')
      t.equal(fieldOf(headers, 'content-length'), String(body.length))
      t.equal(fieldOf(headers, 'transfer-encoding'), null)
      const bytes = Buffer.from('{"text":"<b>Grüße 😀</b>"}')
      const one = [...bytes].map((each) => Buffer.from([each]))
      const echo = (await client.ask({ method: 'POST', path: '/say/x', headers: JSON_TYPE, body: one })).json() as Echo
      t.equal(echo.body, '{"text":"Grüße 😀"}')
    })

    t.test('Expect: 100-continue goes together with inspection', async (t) => {
      const reply = await post('{"text":"<b>x</b>"}', [...JSON_TYPE, 'expect', '100-continue'])
      t.equal(reply.status, 200)
      t.equal((reply.json() as Echo).body, '{"text":"x"}')
      const before = upstream.received.length
      const refused = await post('x'.repeat(5000), [...TEXT_TYPE, 'expect', '100-continue'])
      t.equal(refused.status, 413)
      t.equal(upstream.received.length, before)
    })

    t.test('digests of the body do not travel with a changed one', async (t) => {
      const digests = ['content-digest', 'sha-256=:AAAA:', 'repr-digest', 'x', 'digest', 'x', 'content-md5', 'x']
      const changed = (await post('{"text":"<b>x</b>"}', [...JSON_TYPE, ...digests])).json() as Echo
      const same = (await post('{"text":"x"}', [...JSON_TYPE, ...digests])).json() as Echo
      for (const name of ['content-digest', 'repr-digest', 'digest', 'content-md5']) {
        t.equal(fieldOf(changed.headers, name), null, name)
        t.not(fieldOf(same.headers, name), null, name)
      }
    })

    t.test('no body: nothing to inspect', async (t) => {
      t.equal((await client.ask({ path: '/say/x' })).status, 200)
      t.equal((await client.ask({ method: 'POST', path: '/say/x' })).status, 200)
      t.equal((await client.ask({ method: 'POST', path: '/say/x', body: [], headers: JSON_TYPE })).status, 200)
    })

    t.test('what cannot be inspected is refused, and nothing of it reaches the service', async (t) => {
      const hostile = '{"text":"<b>SECRET</b>"}'
      const multipart = '--x\n\ncontent-disposition: form-data; name="text"\r\n\r\n<b>SECRET</b>\r\n--x--\r\n'
      const table: [what: string, status: number, headers: string[], body: string | Buffer | string[]][] = [
        ['broken gzip', 400, [...JSON_TYPE, 'content-encoding', 'gzip'], gzipSync(hostile).subarray(0, 20)],
        ['two codings', 415, [...JSON_TYPE, 'content-encoding', 'deflate, gzip'], gzipSync(deflateSync(hostile))],
        ['a bomb', 413, [...JSON_TYPE, 'content-encoding', 'br'], brotliCompressSync(Buffer.alloc(2 ** 24, ' '))],
        ['no gzip, of unknown length', 400, [...JSON_TYPE, 'content-encoding', 'gzip'], ['x', 'SECRET']],
        ['unknown coding', 415, [...JSON_TYPE, 'content-encoding', 'x-own'], hostile],
        ['utf-16', 415, ['content-type', 'application/json; charset=utf-16le'], Buffer.from(hostile, 'utf16le')],
        ['utf-7', 415, ['content-type', 'text/plain; charset=utf-7'], '+ADw-b+AD4-SECRET'],
        ['latin1', 415, ['content-type', 'text/plain; charset=iso-8859-1'], Buffer.from('<b>SECRET \xfc', 'latin1')],
        ['broken multipart', 400, ['content-type', 'multipart/form-data; boundary=x'], multipart],
        ['HTML', 415, ['content-type', 'text/html'], '<b>SECRET</b>'],
        ['XML', 415, ['content-type', 'application/xml'], '<text>SECRET</text>'],
        ['bytes', 415, ['content-type', 'application/octet-stream'], hostile],
        ['no type', 415, [], hostile],
        ['not UTF-8', 400, JSON_TYPE, Buffer.from('{"text":"SECRET \xfc\xff"}', 'latin1')],
        ['utf-16 that is said to be JSON', 400, JSON_TYPE, Buffer.from(`\ufeff${hostile}`, 'utf16le')],
        ['no JSON', 400, JSON_TYPE, '{"text":"<b>SECRET</b>"'],
        ['two documents', 400, JSON_TYPE, '{"text":"a"}{"text":"<b>SECRET</b>"}'],
        ['single quotes', 400, JSON_TYPE, "{'text':'<b>SECRET</b>'}"],
        ['a comment', 400, JSON_TYPE, '/**/{"text":"<b>SECRET</b>"}'],
        ['a key twice', 400, JSON_TYPE, '{"text":"a","text":"<b>SECRET</b>"}'],
        ['a key twice, escaped', 400, JSON_TYPE, '{"text":"a","\\u0074ext":"<b>SECRET</b>"}'],
        ['a prototype', 400, JSON_TYPE, '{"__proto__":{"text":"<b>SECRET</b>"}}'],
        ['too deep', 400, JSON_TYPE, `${'['.repeat(60)}"SECRET"${']'.repeat(60)}`],
        ['a form name twice', 400, FORM_TYPE, 'text=a&text=%3Cb%3ESECRET'],
        ['a broken escape', 400, FORM_TYPE, 'text=%3Cb%3ESECRET%zz'],
        ['JSON in disguise', 400, TEXT_TYPE, '{"text":"\\u003cb>SECRET"}'],
        ['too large', 413, JSON_TYPE, JSON.stringify({ text: 'SECRET'.repeat(1000) })],
        [
          'too large, of unknown length',
          413,
          JSON_TYPE,
          ['{"text":"', 'SECRET'.repeat(500), 'SECRET'.repeat(500), '"}'],
        ],
      ]
      const before = upstream.received.length
      const bytes = upstream.bytes().length
      for (const [what, status, headers, body] of table) {
        const reply = await post(body, headers)
        t.equal(reply.status, status, what)
        t.equal(reply.isComplete, true, what)
        t.notMatch(reply.text, /SECRET/, what)
      }
      t.equal(upstream.received.length, before)
      t.equal(upstream.bytes().length, bytes)
    })

    t.test('the bound of the route counts too, and a route without rules passes everything', async (t) => {
      t.equal((await post(JSON.stringify({ text: 'x'.repeat(200) }), JSON_TYPE, '/small/x')).status, 413)
      const free = (await post('{"text":"<b>x</b>"}', JSON_TYPE, '/free/x')).json() as Echo
      t.equal(free.body, '{"text":"<b>x</b>"}')
    })

    t.test('a socket.io query does not lead past the rules', async (t) => {
      const body = '{"text":"<b>SECRET</b>"}'
      for (const [query, status] of [
        ['', 400],
        ['?EIO=5&transport=polling', 400],
        ['?EIO=4', 400],
        ['?transport=polling', 400],
        ['?EIO=4&transport=polling&transport=websocket', 400],
        ['?EIO=4&transport=websocket', 400],
        ['?EIO=4&transport=polling', 415],
        ['?EIO=3&transport=polling', 415],
        ['?EIO=4&transport=other', 400],
      ] as const) {
        t.equal((await post(body, JSON_TYPE, `/packets/x${query}`)).status, status, query)
      }
      const poll = '?EIO=4&transport=polling&sid=a'
      t.equal((await post('42["other",{"text":"x"}]', TEXT_TYPE, `/named/x${poll}`)).status, 422)
      t.equal((await post('42["message",{"text":"x"}]', TEXT_TYPE, `/named/x${poll}`)).status, 200)
      const payload = '42["message",{"text":"<b>x</b>"}]'
      const echo = (await post(payload, TEXT_TYPE, `/packets/x${poll}`)).json() as Echo
      t.equal(echo.body, '42["message",{"text":"x"}]')
      // Where socket.io is not spoken a text stays a text: fields of an event that no path names would be let through.
      const dodge = (await post('42["message",{"other":"<b>x</b>"}]', TEXT_TYPE, `/say/x${poll}`)).json() as Echo
      t.equal(dodge.body, '42["message",{"other":"x"}]')
      const json = (await post('{"text":"<b>x</b>"}', JSON_TYPE, `/say/x${poll}`)).json() as Echo
      t.equal(json.body, '{"text":"x"}')
    })
  })
}

t.test('many at once, each its own', async (t) => {
  const clients: RequestClient[] = requestTransports.map((each) => each.open(place))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  const replies = await Promise.all(
    Array.from({ length: 40 }, (_, i) =>
      clients[i % 2]!.ask({
        method: 'POST',
        path: '/say/x',
        headers: JSON_TYPE,
        body: [`{"text":"<b>number `, `${i}</b>"}`],
      }),
    ),
  )
  for (const [i, reply] of replies.entries()) t.equal((reply.json() as Echo).body, `{"text":"number ${i}"}`)
})

t.test('a request behind an inspected one on the same connection is its own', async (t) => {
  const request = (text: string) => {
    const body = JSON.stringify({ text })
    return `POST /say/x HTTP/1.1\r\nhost: localhost:${place.port}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n\r\n${body}`
  }
  const result = await rawExchange(place, request('<b>one</b>') + request('two') + request('<i>three</i>'), {
    enough: (text) => text.includes('three'),
  })
  t.same(result.statuses, [200, 200, 200])
  t.same(
    [...result.text.matchAll(/\{\\"text\\":\\"(\w+)\\"\}/g)].map((found) => found[1]),
    ['one', 'two', 'three'],
  )
})

for (const transport of socketTransports) {
  t.test(transport.name, async (t) => {
    const open = (path: string): Promise<SocketClient> => transport.open(place, { path })

    t.test('plain text and JSON arrive clean', async (t) => {
      const socket = await open('/say/ws')
      for (const [text, clean] of TABLE) {
        socket.send(text)
        t.equal((await socket.next()).text, clean, text)
        const json = JSON.stringify({ text, id: 7, other: '<b>' })
        socket.send(json)
        const echo = (await socket.next()).text
        t.same(JSON.parse(echo), { text: clean, id: 7, other: '<b>' }, text)
        if (text === clean) t.equal(echo, json, 'byte for byte')
      }
      await socket.close()
    })

    t.test('a tag that is cut into frames, within a character too, is still a tag', async (t) => {
      const socket = await open('/say/ws')
      const bytes = Buffer.from('😀<script>alert(1)</script>ü')
      for (let at = 0; at < bytes.length; at++) {
        const piece = Buffer.from([bytes[at]!])
        socket.stream.write(frame(at === 0 ? TEXT : CONTINUATION, piece, at === bytes.length - 1))
      }
      t.equal((await socket.next()).text, '😀ü')
      await socket.close()
    })

    t.test('a message that breaks a rule is refused alone, by default', async (t) => {
      const socket = await open('/say/ws')
      for (const bad of [
        '{"text":"a","text":"<b>SECRET</b>"}',
        '{"text":"\\u003cb>SECRET",}',
        '{"__proto__":{"text":"SECRET"}}',
        Buffer.from('<b>SECRET</b>'),
      ]) {
        socket.send(bad)
      }
      socket.send('after')
      t.equal((await socket.next()).text, 'after')
      t.same(socket.waiting, [])
      await socket.close()
      t.notMatch(upstream.bytes(), /SECRET/)
    })

    t.test('or closes the socket, where the rules say so', async (t) => {
      for (const [bad, code] of [
        ['{"text":"a","text":"<b>SECRET</b>"}', 1008],
        ['{"__proto__":{"text":"SECRET"}}', 1008],
        [Buffer.from('<b>SECRET</b>'), 1003],
      ] as const) {
        const socket = await open('/strict/ws')
        socket.send('before')
        t.equal((await socket.next()).text, 'before')
        socket.send(bad as string)
        socket.send('after')
        t.equal((await within(socket.closed, 'the end')).code, code)
        t.same(socket.waiting, [], 'what comes after is not heard')
      }
    })

    t.test('broken frames always close', async (t) => {
      const bad: [what: string, bytes: Buffer, code: number][] = [
        ['not UTF-8', writeFrame(TEXT, Buffer.from([0xc3, 0x28]), true), 1007],
        ['too large', writeFrame(TEXT, Buffer.alloc(5000, 'x'), true), 1009],
        ['not masked', writeFrame(TEXT, Buffer.from('x'), false), 1002],
        ['reserved bit', withByte(writeFrame(TEXT, Buffer.from('x'), true), 0, 0xc1), 1002],
        ['unknown opcode', withByte(writeFrame(TEXT, Buffer.from('x'), true), 0, 0x83), 1002],
        ['a continuation of nothing', writeFrame(CONTINUATION, Buffer.from('x'), true), 1002],
        ['a long ping', writeFrame(9, Buffer.alloc(126), true), 1002],
        ['a close code that is none', writeFrame(8, Buffer.from([0x03, 0xed]), true), 1002],
      ]
      for (const [what, bytes, code] of bad) {
        const socket = await open('/say/ws')
        socket.stream.write(bytes)
        t.equal((await within(socket.closed, 'the end')).code, code, what)
      }
      const socket = await open('/say/ws')
      for (let i = 0; i < 5; i++) socket.send('x'.repeat(1000), { fin: false })
      t.equal((await within(socket.closed, 'the end')).code, 1009, 'too large in pieces')
    })

    t.test('what the service sends passes as it is', async (t) => {
      const socket = await open('/say/ws')
      socket.send('hello')
      await socket.next()
      upstream.sockets.at(-1)!.send('<b>from the service</b>')
      t.equal((await socket.next()).text, '<b>from the service</b>')
      upstream.sockets.at(-1)!.send(Buffer.from([1, 2, 3]))
      t.equal((await socket.next()).isBinary, true)
      await socket.close()
    })
  })
}

function frame(opcode: number, payload: Buffer, isFinal: boolean): Buffer {
  const bytes = writeFrame(opcode, payload, true)
  return isFinal ? bytes : withByte(bytes, 0, bytes[0]! & 0x7f)
}

function withByte(bytes: Buffer, at: number, value: number): Buffer {
  bytes[at] = value
  return bytes
}

async function connect(transport: 'polling' | 'websocket', namespace = ''): Promise<Socket> {
  const socket = io(`https://localhost:${place.port}${namespace}`, {
    transports: [transport],
    upgrade: false,
    forceNew: true,
    reconnection: false,
    rejectUnauthorized: false,
  })
  await within(
    new Promise<void>((resolve, reject) => {
      socket.on('connect', resolve)
      socket.on('connect_error', reject)
    }),
    `socket.io by ${transport}`,
  )
  return socket
}

for (const transport of ['polling', 'websocket'] as const) {
  t.test(`socket.io by ${transport}`, async (t) => {
    t.test('messages arrive clean, the same text as by every other way', async (t) => {
      for (const namespace of ['', '/agents']) {
        const socket = await connect(transport, namespace)
        for (const [text, clean] of TABLE) {
          const answer = await within(socket.timeout(10_000).emitWithAck('message', { text, id: '<i>' }), 'an answer')
          t.same(answer, { got: clean }, text)
        }
        const last = heard.at(-1)!
        t.equal(last.transport, transport)
        t.same(last.extra, { id: '<i>' }, 'what no path names stays')
        socket.disconnect()
      }
    })

    t.test('events that are not named are cleaned in every string', async (t) => {
      const socket = await connect(transport)
      await within(
        socket.timeout(10_000).emitWithAck('other', { any: ['<b>x</b>', { deep: '<i>y</i>' }] }),
        'an answer',
      )
      t.equal(heard.at(-1)!.text, '{"any":["x",{"deep":"y"}]}')
      socket.disconnect()
    })

    t.test('many messages at once keep their order', async (t) => {
      const socket = await connect(transport)
      heard.length = 0
      for (let i = 0; i < 30; i++) socket.emit('message', { text: `<b>${i}</b>` })
      await until(() => heard.length === 30, 'all messages')
      t.same(
        heard.map(({ text }) => text),
        Array.from({ length: 30 }, (_, i) => String(i)),
      )
      socket.disconnect()
    })

    t.test('what breaks a rule does not arrive', async (t) => {
      const socket = await connect(transport)
      heard.length = 0
      socket.emit('message', { text: 'SECRET', file: Buffer.from('<b>') })
      // The message alone is dropped, its attachment with it: the conversation goes on.
      await within(socket.timeout(10_000).emitWithAck('message', { text: 'after' }), 'an answer')
      t.notOk(heard.some(({ text }) => text === 'SECRET'))
      socket.disconnect()
    })
  })
}

t.test('no live HTML was heard by any of the services', (t) => {
  for (const { text } of heard) t.notMatch(text, LIVE)
  t.end()
})

t.test('outcomes are counted, and no log knows a word of them', async (t) => {
  await gateway.gateway.log.flush()
  t.notMatch(JSON.stringify(gateway.accessLines()), /SECRET|script|believ/)
  t.ok(gateway.accessLines().some((line) => line.failure === 'message-unreadable'))
  const reply = await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)
  const text = await reply.text()
  for (const outcome of ['same', 'changed', 'refused']) {
    t.match(text, new RegExp(`portcullis_message_outcomes_total\\{outcome="${outcome}"\\} [1-9]`))
  }
})

t.test('a client that leaves in the middle of an inspected body reaches nobody', async (t) => {
  const before = upstream.received.length
  const socket = openRaw(place)
  socket.write(
    `POST /say/x?leaves HTTP/1.1\r\nhost: localhost:${place.port}\r\ncontent-type: application/json\r\ncontent-length: 500\r\n\r\n{"text":"<b>`,
  )
  await new Promise((resolve) => setTimeout(resolve, 50))
  socket.destroy()
  await until(async () => {
    await gateway.gateway.log.flush()
    return gateway.accessLines().some((line) => line.failure === 'client-gone')
  }, 'the access line')
  t.equal(upstream.received.length, before)
})
