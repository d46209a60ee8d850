/**
 * One conversation by REST and WebSocket over HTTP/1.1 and HTTP/2, and by real socket.io clients of two ages in each
 * transport and with a change of it on the way, every byte in a record of its own: the service hears the same from all.
 */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Server } from 'socket.io'
import { io } from 'socket.io-client'
import t from 'tap'
import { WebSocketServer } from 'ws'
import { startSplitter } from '../kit/byte-splitter.ts'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { oldClient } from '../kit/socket-io-2.ts'
import { until, within } from '../kit/wait.ts'

interface Said {
  readonly text: string
  readonly parts?: readonly { readonly caption: string }[]
}

/** What is said, and what the service must hear, by whatever way it came. */
const CONVERSATION: readonly (readonly [said: Said, heard: Said])[] = [
  same('plain words'),
  same('a < b and 1 < 2, x > y & z, I <3 you, https://example.com/?a=1&b=2'),
  same('Grüße, 你好, 😀 👩‍👩‍👧 e\u0301'),
  same('مرحبا، كيف \u200fحالك؟ שלום \u202bעולם\u202c'),
  same('x&lt;b&gt; &amp;lt; \\u003c "quoted" \\n\nline'),
  [{ text: 'a<R b and 1<2' }, { text: 'a&lt;R b and 1&lt;2' }],
  [{ text: '<b>bold</b> and <script>alert(1)</script>after' }, { text: 'bold and after' }],
  [{ text: '<img src=x onerror=alert(1)>before' }, { text: 'before' }],
  [{ text: '<scr<script>ipt>1</scr</script>ipt>' }, { text: '&lt;script&gt;' }],
  [{ text: 'card 4111 1111 1111 1111, cvv 123' }, { text: 'card **** **** **** 1111, cvv ***' }],
  [{ text: '٤١١١ ١١١١ ١١١١ ١١١١ 😀' }, { text: '**** **** **** ١١١١ 😀' }],
  [
    { text: 'nested', parts: [{ caption: '<i>deep</i>' }, { caption: '4111<b>1111</b>11111111' }] },
    { text: 'nested', parts: [{ caption: 'deep' }, { caption: '************1111' }] },
  ],
  [{ text: '{"inner":"<b>x</b>"}' }, { text: '{"inner":"x"}' }],
  same('the last'),
]
const EXPECTED = CONVERSATION.map(([, heard]) => heard)

function same(text: string): readonly [Said, Said] {
  return [{ text }, { text }]
}

const heard: Said[] = []
/** By which transport of socket.io each came. */
const ways: string[] = []
const http = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    heard.push(JSON.parse(Buffer.concat(chunks).toString()) as Said)
    response.end('{}')
  })
})
const server = new Server(http, { allowEIO3: true, serveClient: false, pingInterval: 60_000, destroyUpgrade: false })
for (const namespace of ['/', '/agents']) {
  server.of(namespace).on('connection', (socket) => {
    socket.on('message', (value: Said, done: (answer: unknown) => void) => {
      heard.push(value)
      ways.push(socket.conn.transport.name)
      done({ heard: heard.length })
    })
  })
}
const plain = new WebSocketServer({ noServer: true })
http.on('upgrade', (request, socket, head) => {
  if (!request.url!.startsWith('/ws')) return
  plain.handleUpgrade(request, socket, head, (accepted) => {
    accepted.on('message', (data) => {
      heard.push(JSON.parse(data.toString()) as Said)
      accepted.send('{}')
    })
  })
})
await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))

const shared = { service: 'chat', profiles: ['internet'], purpose: 'chat', messages: 'chat' }
const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(http.address() as AddressInfo).port}`, {
    routes: [
      { ...shared, path: '/rest', methods: ['POST'] },
      { ...shared, path: '/ws', methods: ['GET'], webSocket: true },
      { ...shared, path: '/socket.io/*', webSocket: true, socketIo: true },
    ],
    messages: {
      chat: {
        fields: ['$.text', '$..caption'],
        events: { message: ['$[0].text', '$..caption'] },
        otherEvents: 'refuse',
      },
    },
  }),
)
const splitter = await startSplitter(gateway.publicPort)
const splitter2 = await startSplitter(gateway.publicPort, 'h2')
t.teardown(async () => {
  await splitter.close()
  await splitter2.close()
  await gateway.close()
  http.closeAllConnections()
  await server.close()
})

// The page would come from the gateway's own origin; Host names the splitter, and so does Origin.
const url = `https://localhost:${splitter.port}`

/** Says all and gives what the service heard. `between` comes after the first three. */
async function converse(
  say: (value: Said) => Promise<unknown>,
  between: () => Promise<void> = async () => {},
): Promise<Said[]> {
  heard.length = 0
  ways.length = 0
  for (const [i, [said]] of CONVERSATION.entries()) {
    if (i === 3) await between()
    await within(say(said), `the answer to ${said.text}`)
  }
  return [...heard]
}

const PLACES = { h1: splitter, h2: splitter2, ws: splitter, 'ws-over-h2': splitter2 }

for (const transport of requestTransports) {
  for (const [how, port] of [
    ['in one piece', gateway.publicPort],
    ['byte by byte', PLACES[transport.name].port],
  ] as const) {
    t.test(`REST, ${transport.name}, ${how}`, async (t) => {
      const client = transport.open({ port })
      t.teardown(() => client.close())
      const headers = ['content-type', 'application/json']
      const say = (said: Said) => client.ask({ method: 'POST', path: '/rest', body: JSON.stringify(said), headers })
      t.same(await converse(say), EXPECTED)
    })
  }
}

for (const transport of socketTransports) {
  t.test(`${transport.name}, byte by byte, whole and in fragments of a byte`, async (t) => {
    const socket = await transport.open({ port: PLACES[transport.name].port }, { path: '/ws' })
    const whole = await converse((said) => {
      socket.send(JSON.stringify(said))
      return socket.next()
    })
    t.same(whole, EXPECTED)
    const inFragments = await converse((said) => {
      const bytes = Buffer.from(JSON.stringify(said))
      for (let i = 0; i < bytes.length; i++) {
        socket.send(bytes.subarray(i, i + 1), { binary: false, fin: i === bytes.length - 1 })
      }
      return socket.next()
    })
    t.same(inFragments, EXPECTED)
    await socket.close()
  })
}

/** What clients of both ages share. */
interface Talker {
  readonly connected: boolean
  readonly io: { readonly engine: { readonly transport: { readonly name: string } } }
  emit(event: string, ...values: unknown[]): unknown
  disconnect(): unknown
}

for (const age of [4, 2]) {
  for (const transports of [['polling'], ['websocket'], ['polling', 'websocket']]) {
    t.test(`socket.io ${age} by ${transports.join(', then ')}, byte by byte`, async (t) => {
      const how = { transports, upgrade: transports.length > 1, rejectUnauthorized: false, forceNew: true }
      const open = (namespace: string): Talker => {
        const socket = (age === 4 ? io : oldClient)(url + namespace, how) as unknown as Talker
        t.teardown(() => socket.disconnect())
        return socket
      }
      const say = (socket: Talker) => (said: Said) =>
        new Promise((resolve) => {
          socket.emit('message', said, resolve)
        })
      const socket = open('')
      const changed = async (): Promise<void> => {
        if (how.upgrade) await until(() => socket.io.engine.transport.name === 'websocket', 'the change')
      }
      t.same(await converse(say(socket), changed), EXPECTED)
      t.equal(ways[0], transports[0])
      t.equal(ways.at(-1), transports.at(-1))
      t.match(await within(say(socket)({ text: '<b>' }), 'the answer'), { heard: CONVERSATION.length + 1 })
      t.same(await converse(say(open('/agents'))), EXPECTED, 'in a namespace')
    })
  }
}

t.test('every byte did travel by itself', (t) => {
  for (const each of [splitter, splitter2]) t.ok(each.count() > 5000, String(each.count()))
  t.end()
})
