/**
 * Hostile HTTP/2, written frame by frame: what could change its meaning on the way to an HTTP/1.1 upstream is refused, floods
 * end in GOAWAY or a closed connection, and a well-behaved client is served all the while.
 */
import t from 'tap'
import { openHttp2, type Place } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import {
  ACK,
  block,
  END_HEADERS,
  END_STREAM,
  FRAME,
  type FrameClient,
  frame,
  integer,
  openFrames,
  PADDED,
  setting,
  text,
  uint32,
} from '../kit/http2-frames.ts'
import { startUpstream } from '../kit/upstream.ts'

t.setTimeout(240_000)

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ connections: { perAddress: 10_000 }, timeouts: { headers: '2 seconds' } }),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
const place: Place = { port: gateway.publicPort }
const host = `localhost:${place.port}`
const good = openHttp2(place)

t.teardown(async () => {
  await good.close()
  await gateway.close()
  await upstream.close()
})

type Field = readonly [name: string, value: string]
const METHOD: Field = [':method', 'GET']
const POST: Field = [':method', 'POST']
const SCHEME: Field = [':scheme', 'https']
const AUTHORITY: Field = [':authority', host]
const PATH: Field = [':path', '/{id}']
const CONNECT: Field = [':method', 'CONNECT']
const BASE: readonly Field[] = [METHOD, SCHEME, AUTHORITY, PATH]
const UPLOAD: readonly Field[] = [POST, SCHEME, AUTHORITY, PATH]
const WEBSOCKET: readonly Field[] = [CONNECT, [':protocol', 'websocket'], SCHEME, AUTHORITY, PATH]
const V13: Field = ['sec-websocket-version', '13']

interface Row {
  readonly name: string
  readonly source: string
  readonly fields: readonly Field[]
  /** DATA after the head; the last piece ends the stream. */
  readonly data?: readonly string[]
  readonly trailers?: readonly Field[]
  /**
   * nghttp2 leaves malformed fields out before node sees them: the request may pass, but nothing of the field. (RFC 9113 wants
   * it refused; node has no way to be told.)
   */
  readonly mayDrop?: boolean
}

const rows: Row[] = []
const add = (source: string, name: string, fields: readonly Field[], more: Partial<Row> = {}): void => {
  rows.push({ name, source, fields, ...more })
}

for (const [name, value] of [
  ['connection', 'close'],
  ['connection', 'keep-alive, x'],
  ['keep-alive', 'timeout=5'],
  ['proxy-connection', 'keep-alive'],
  ['transfer-encoding', 'chunked'],
  ['transfer-encoding', 'identity'],
  ['transfer-encoding', ''],
  ['upgrade', 'websocket'],
  ['upgrade', 'h2c'],
  ['te', 'gzip'],
  ['te', 'trailers, gzip'],
  ['te', 'chunked'],
] as const) {
  add('RFC 9113 8.2.2; PortSwigger: HTTP/2 the sequel (2021), H2.TE', `${name}: ${value}`, [...BASE, [name, value]])
}
add('PortSwigger: H2.TE', 'a coding with a body', [...UPLOAD, ['transfer-encoding', 'chunked']], {
  data: ['0\r\n\r\nGET /{id}-second HTTP/1.1\r\n\r\n'],
})
for (const name of [
  'X-Own',
  'HOST',
  'Content-Length',
  'Transfer-Encoding',
  'x own',
  'x:y',
  'x\r\ny',
  'x\ny',
  'x\0',
  '',
  'x\xe9',
  '"x"',
  'x\x7f',
  ' x',
  'x ',
  'x\t',
  '(x)',
  'x,y',
  'x/y',
  'x=y',
  'x@y',
  'transfer-encoding: chunked\r\nx',
  'foo: bar\r\nhost',
  ' transfer-encoding',
  'transfer-encoding\0',
]) {
  add(
    'RFC 9113 8.2.1; PortSwigger: header name injection',
    `a name ${JSON.stringify(name)}`,
    [...BASE, [name, 'chunked']],
    { mayDrop: true },
  )
}
for (const value of [
  'a\r\nX: y',
  'a\nX: y',
  'a\rX: y',
  'a\0b',
  '\r\n',
  '\r\n\r\nGET /{id}-second HTTP/1.1\r\nHost: x\r\n\r\n',
  'a\x01',
  'a\x0b',
  'a\x1f',
  'a\x7f',
  ' a',
  'a ',
  '\ta',
  'a\t',
  '\ra',
  'a\n',
]) {
  add(
    'RFC 9113 8.2.1, 10.3; PortSwigger: request splitting by CRLF',
    `a value ${JSON.stringify(value)}`,
    [...BASE, ['x-own', value]],
    { mayDrop: true },
  )
}
for (const [name, fields] of [
  ['no :method', [SCHEME, AUTHORITY, PATH]],
  ['no :scheme', [METHOD, AUTHORITY, PATH]],
  ['no :path', [METHOD, SCHEME, AUTHORITY]],
  ['no :authority and no host', [METHOD, SCHEME, PATH]],
  ['no field at all', []],
  [':method twice', [METHOD, METHOD, SCHEME, AUTHORITY, PATH]],
  [':path twice', [METHOD, SCHEME, AUTHORITY, PATH, [':path', '/{id}-second']]],
  [':scheme twice', [METHOD, SCHEME, SCHEME, AUTHORITY, PATH]],
  [':authority twice', [METHOD, SCHEME, AUTHORITY, [':authority', 'evil.example'], PATH]],
  ['a pseudo-header after a field', [METHOD, SCHEME, AUTHORITY, ['x-own', '1'], PATH]],
  [':authority after a field', [METHOD, SCHEME, PATH, ['x-own', '1'], AUTHORITY]],
  ['an unknown pseudo-header', [...BASE, [':foo', 'bar']]],
  [':status in a request', [...BASE, [':status', '200']]],
  ['an empty pseudo-header', [...BASE, [':', 'bar']]],
  [':method in upper case', [[':METHOD', 'GET'], SCHEME, AUTHORITY, PATH]],
  [':path with a space', [METHOD, SCHEME, AUTHORITY, [':path ', '/{id}']]],
] as [string, Field[]][]) {
  add('RFC 9113 8.3', name, fields)
}
for (const method of [
  '',
  'G ET',
  'GET /{id}-second HTTP/1.1\r\nX: y',
  'GET\r\n',
  'GET\0',
  ' GET',
  'GET ',
  'G:ET',
  'get',
  'TRACE',
  'PRI',
  'G\xc9T',
  '"GET"',
]) {
  add('RFC 9113 8.3.1; PortSwigger: method injection (CVE-2021-33193)', `:method ${JSON.stringify(method)}`, [
    [':method', method],
    SCHEME,
    AUTHORITY,
    PATH,
  ])
}
for (const path of [
  ...[
    '',
    '{id}',
    '?{id}',
    '*',
    '**',
    '/{id} HTTP/1.1\r\nX: y',
    '/{id}\r\n',
    '/{id}\n',
    '/{id}\0',
    '/{id} x',
    '/{id}\t',
    '/{id}#x',
    '/{id}\x7f',
    '/{id}\xe9',
    '/{id}\\x',
    'http://localhost/{id}',
    'https://localhost/{id}',
    'http://evil.example/{id}',
  ],
  ...[
    '//../{id}',
    '/../{id}',
    '/{id}%2f',
    '/{id}%5c',
    '/{id}%00',
    '/{id}%',
    '/{id}%zz',
    '/..;/{id}',
    '/{id}?a#b',
    '/{id}?a\r\nb',
    '/{id}?%00',
    '\\{id}',
    '/%c0%ae/{id}',
    `/{id}${'a'.repeat(9000)}`,
  ],
]) {
  add('RFC 9113 8.3.1; PortSwigger: path injection', `:path ${JSON.stringify(path.slice(0, 40))}`, [
    METHOD,
    SCHEME,
    AUTHORITY,
    [':path', path],
  ])
}
for (const scheme of [
  '',
  'ftp',
  'file',
  'https://evil.example/',
  'https\r\nX: y',
  'https\0',
  ' https',
  'ws',
  'https://localhost/x?',
  'hTtPs x',
]) {
  add('RFC 9113 8.3.1; PortSwigger: scheme injection', `:scheme ${JSON.stringify(scheme)}`, [
    METHOD,
    [':scheme', scheme],
    AUTHORITY,
    PATH,
  ])
}
add('RFC 9113 8.3.1', 'a target in absolute form behind another scheme', [
  METHOD,
  [':scheme', 'ftp'],
  AUTHORITY,
  [':path', `https://${host}/{id}`],
])
for (const authority of [
  '',
  'evil.example',
  'user@localhost',
  'localhost@evil.example',
  'localhost\r\nX: y',
  'localhost\0',
  'localhost/x',
  'localhost?x',
  'localhost#x',
  'localhost:0',
  'localhost:99999',
  'localhost,evil.example',
  ' localhost',
  'localhost ',
  'local_host',
  '127.1',
  '[::1',
  '*',
]) {
  add('RFC 9113 8.3.1; PortSwigger: Host header attacks', `:authority ${JSON.stringify(authority)}`, [
    METHOD,
    SCHEME,
    [':authority', authority],
    PATH,
  ])
}
for (const [name, fields] of [
  ['host against :authority', [...BASE, ['host', 'evil.example']]],
  ['host against :authority by port', [...BASE, ['host', 'localhost:1']]],
  ['host empty beside :authority', [...BASE, ['host', '']]],
  ['host twice', [METHOD, SCHEME, PATH, ['host', host], ['host', host]]],
  ['host twice beside :authority', [...BASE, ['host', host], ['host', 'evil.example']]],
  ['only an evil host', [METHOD, SCHEME, PATH, ['host', 'evil.example']]],
] as [string, Field[]][]) {
  add('RFC 9113 8.3.1: host must agree with :authority', name, fields)
}
for (const value of [
  'x',
  '',
  '+5',
  '-5',
  '05',
  '0x5',
  '5,5',
  '5 5',
  '5, 5',
  '18446744073709551621',
  '5\r\n',
  '5\0',
  ' 5',
  '5.0',
]) {
  add(
    'RFC 9113 8.1.1; PortSwigger: H2.CL',
    `content-length ${JSON.stringify(value)}`,
    [...UPLOAD, ['content-length', value]],
    { data: ['hello'] },
  )
}
for (const [name, lengths, data] of [
  ['too small', ['3'], ['hello']],
  ['0 with DATA', ['0'], ['hello']],
  ['too large', ['10'], ['hello']],
  ['too small over two frames', ['7'], ['hello', 'hello']],
  ['without DATA', ['5'], undefined],
  ['twice the same', ['5', '5'], ['hello']],
  ['twice, different', ['5', '6'], ['hello']],
  ['0 with a hidden request', ['0'], ['GET /{id}-second HTTP/1.1\r\nHost: x\r\n\r\n']],
] as [string, string[], string[] | undefined][]) {
  add(
    'RFC 9113 8.1.1; PortSwigger: H2.CL',
    `content-length ${name}`,
    [...UPLOAD, ...lengths.map((each): Field => ['content-length', each])],
    data === undefined ? {} : { data },
  )
}
for (const [name, fields] of [
  ['CONNECT without :protocol', [CONNECT, AUTHORITY]],
  ['CONNECT without :protocol, with :path', [CONNECT, SCHEME, AUTHORITY, PATH]],
  ['CONNECT elsewhere', [CONNECT, [':authority', '169.254.169.254:80']]],
  ['an unknown :protocol', [CONNECT, [':protocol', 'connect-udp'], SCHEME, AUTHORITY, PATH, V13]],
  ['an empty :protocol', [CONNECT, [':protocol', ''], SCHEME, AUTHORITY, PATH, V13]],
  [':protocol in other case', [CONNECT, [':protocol', 'WebSocket'], SCHEME, AUTHORITY, PATH, V13]],
  [':protocol with a line end', [CONNECT, [':protocol', 'websocket\r\nX: y'], SCHEME, AUTHORITY, PATH, V13]],
  [':protocol with GET', [METHOD, [':protocol', 'websocket'], SCHEME, AUTHORITY, PATH, V13]],
  [':protocol twice', [CONNECT, [':protocol', 'websocket'], [':protocol', 'x'], SCHEME, AUTHORITY, PATH, V13]],
  ['a WebSocket without a version', WEBSOCKET],
  ['a WebSocket of version 8', [...WEBSOCKET, ['sec-websocket-version', '8']]],
  ['a WebSocket of two versions', [...WEBSOCKET, V13, V13]],
  ['a WebSocket with a length', [...WEBSOCKET, V13, ['content-length', '5']]],
  ['a WebSocket with upgrade', [...WEBSOCKET, V13, ['upgrade', 'websocket']]],
  ['a WebSocket without :path', [CONNECT, [':protocol', 'websocket'], SCHEME, AUTHORITY, V13]],
  ['a WebSocket without :scheme', [CONNECT, [':protocol', 'websocket'], AUTHORITY, PATH, V13]],
  ['a WebSocket from another origin', [...WEBSOCKET, V13, ['origin', 'https://evil.example']]],
  [
    'a WebSocket to an evil host',
    [CONNECT, [':protocol', 'websocket'], SCHEME, [':authority', 'evil.example'], PATH, V13],
  ],
] as [string, Field[]][]) {
  add('RFC 8441 4, 5; RFC 9113 8.5', name, fields)
}
for (const [name, trailers] of [
  ['a pseudo-header', [[':path', '/{id}-second']]],
  ['an upper-case name', [['X-Own', '1']]],
  ['a coding', [['transfer-encoding', 'chunked']]],
  ['a line end', [['x-own', 'a\r\nX: y']]],
  ['NUL', [['x-own', '\0']]],
] as [string, Field[]][]) {
  add('RFC 9113 8.1', `trailers: ${name}`, UPLOAD, { data: ['hello', ''], trailers })
}

let marker = 0

/** Sends the row on a connection of its own: what came of it, '' where it was refused as it must. */
async function run(row: Row): Promise<string> {
  const id = `m${(marker++).toString(36).padStart(5, '0')}`
  const fill = (fields: readonly Field[]): Buffer =>
    block(fields.map(([name, value]) => [name, value.replaceAll('{id}', id)]))
  const client = await openFrames(place)
  const data = row.data ?? []
  const isOpen = data.length > 0
  await client.send(
    frame(FRAME.headers, END_HEADERS | (isOpen ? 0 : END_STREAM), 1, fill(row.fields)),
    ...data.map((piece, i) =>
      frame(
        FRAME.data,
        i === data.length - 1 && row.trailers === undefined ? END_STREAM : 0,
        1,
        piece.replaceAll('{id}', id),
      ),
    ),
    ...(row.trailers === undefined ? [] : [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, fill(row.trailers))]),
  )
  await client.until(() => client.outcome(1) !== '' || client.goaway() !== -1)
  const outcome = client.outcome(1)
  client.close()
  if (outcome === '200' && row.mayDrop) {
    const arrived = upstream.received
      .filter(({ url }) => url.includes(id))
      .map(({ rawHeaders }) => rawHeaders.join('|'))
    return arrived.length === 1 && !/chunked|x-own|own|X: y|second|foo/i.test(arrived[0]!)
      ? ''
      : `it arrived: ${arrived}`
  }
  // Trailers are never forwarded, whatever stands in them.
  if (outcome === '200' && row.trailers !== undefined) return ''
  if (outcome !== '' && !/^(?:4\d\d|reset \d+)$/.test(outcome)) return `answered ${outcome}`
  const seen = upstream.received.filter(({ url }) => url.includes(id))
  // Where only the body is wrong, its head may have gone; it must not end as whole.
  const mayBegin = isOpen && (row.trailers !== undefined || row.name.startsWith('content-length'))
  if (!mayBegin && seen.length > 0) return 'it arrived'
  if (seen.some(({ url, state }) => url.includes('second') || state === 'complete')) return 'it arrived whole'
  return ''
}

t.test(`hostile requests are refused (${rows.length})`, async (t) => {
  const waiting = [...rows]
  const wrong: string[] = []
  const worker = async (): Promise<void> => {
    for (let row = waiting.pop(); row !== undefined; row = waiting.pop()) {
      const found = await run(row).catch((error: Error) => error.message)
      if (found !== '') wrong.push(`${row.name}: ${found}`)
    }
  }
  await Promise.all(Array.from({ length: 8 }, worker))
  t.same(wrong, [])
  t.notMatch(upstream.bytes(), /-second HTTP|X: y|x-own/i)
  t.equal((await good.ask({ path: '/good' })).status, 200)
})

const HEAD = (id = '/flood'): Buffer => block([METHOD, SCHEME, AUTHORITY, [':path', id]])
const request = (stream: number, path?: string): Buffer =>
  frame(FRAME.headers, END_HEADERS | END_STREAM, stream, HEAD(path))
const openRequest = (stream: number, path?: string): Buffer =>
  frame(FRAME.headers, END_HEADERS, stream, block([POST, SCHEME, AUTHORITY, [':path', path ?? '/never/read']]))
const window = (stream: number, by: number): Buffer => frame(FRAME.windowUpdate, 0, stream, uint32(by))

t.test('broken framing ends the connection', async (t) => {
  const cases: [string, Buffer[]][] = [
    ['DATA on stream 0', [frame(FRAME.data, 0, 0, 'x')]],
    ['HEADERS on stream 0', [frame(FRAME.headers, END_HEADERS | END_STREAM, 0, HEAD())]],
    ['HEADERS on an even stream', [request(2)]],
    ['DATA on an idle stream', [frame(FRAME.data, 0, 1, 'x')]],
    ['RST_STREAM on an idle stream', [frame(FRAME.reset, 0, 1, uint32(8))]],
    ['RST_STREAM of another length', [request(1), frame(FRAME.reset, 0, 1, 'x')]],
    ['WINDOW_UPDATE of 0', [window(0, 0)]],
    ['WINDOW_UPDATE over 2^31-1', [window(0, 0x7fffffff)]],
    ['WINDOW_UPDATE of another length', [frame(FRAME.windowUpdate, 0, 0, 'x')]],
    ['SETTINGS of another length', [frame(FRAME.settings, 0, 0, 'x')]],
    ['SETTINGS on a stream', [frame(FRAME.settings, 0, 1, setting(3, 1))]],
    ['SETTINGS ACK with a payload', [frame(FRAME.settings, ACK, 0, setting(3, 1))]],
    ['SETTINGS_ENABLE_PUSH of 2', [frame(FRAME.settings, 0, 0, setting(2, 2))]],
    ['SETTINGS_INITIAL_WINDOW_SIZE over 2^31-1', [frame(FRAME.settings, 0, 0, setting(4, 0x80000000))]],
    ['SETTINGS_MAX_FRAME_SIZE of 1', [frame(FRAME.settings, 0, 0, setting(5, 1))]],
    [
      'more settings than are taken',
      [frame(FRAME.settings, 0, 0, Buffer.concat(Array.from({ length: 60 }, () => setting(3, 1))))],
    ],
    ['PING of another length', [frame(FRAME.ping, 0, 0, 'x')]],
    ['PING on a stream', [frame(FRAME.ping, 0, 1, '12345678')]],
    ['PUSH_PROMISE from a client', [frame(FRAME.pushPromise, END_HEADERS, 1, Buffer.concat([uint32(2), HEAD()]))]],
    ['CONTINUATION without HEADERS', [frame(FRAME.continuation, END_HEADERS, 1, HEAD())]],
    ['another frame within a header block', [frame(FRAME.headers, 0, 1, HEAD()), frame(FRAME.ping, 0, 0, '12345678')]],
    [
      'CONTINUATION of another stream',
      [frame(FRAME.headers, 0, 1, HEAD()), frame(FRAME.continuation, END_HEADERS, 3, HEAD())],
    ],
    ['a frame over the size', [frame(FRAME.data, 0, 1, Buffer.alloc(20_000))]],
    ['HEADERS over the size', [frame(FRAME.headers, END_HEADERS, 1, Buffer.alloc(20_000))]],
    ['HPACK index 0', [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, Buffer.from([0x80]))]],
    ['an HPACK index that is not there', [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, integer(200, 7, 0x80))]],
    ['an HPACK integer without end', [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, Buffer.alloc(100, 0xff))]],
    [
      'an HPACK string longer than the block',
      [
        frame(
          FRAME.headers,
          END_HEADERS | END_STREAM,
          1,
          Buffer.concat([Buffer.from([0]), integer(5000, 7, 0), Buffer.from('x')]),
        ),
      ],
    ],
    [
      'an HPACK table larger than allowed',
      [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, Buffer.concat([integer(100_000, 5, 0x20), HEAD()]))],
    ],
    [
      'bad Huffman padding',
      [frame(FRAME.headers, END_HEADERS | END_STREAM, 1, Buffer.from([0x00, 0x81, 0x00, 0x81, 0x00]))],
    ],
    ['padding over the frame', [openRequest(1), frame(FRAME.data, PADDED, 1, Buffer.from([200, 1, 2]))]],
    ['no preface but bytes', [Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')]],
  ]
  for (const [name, frames] of cases) {
    const client = await openFrames(place)
    // A server that goes on answers the PING: nothing needs to be waited for.
    await client.send(...frames, frame(FRAME.ping, 0, 0, 'still up'))
    await client.until(
      () => client.goaway() > 0 || client.received.some(({ type, flags }) => type === FRAME.ping && flags === ACK),
    )
    t.ok(client.goaway() > 0 || client.isClosed, name)
    client.close()
  }
  const other = await openFrames(place, Buffer.from('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n'))
  await other.closed
  t.ok(other.isClosed, 'another preface')
  t.equal((await good.ask({ path: '/good' })).status, 200)
})

interface Flood {
  readonly name: string
  readonly source: string
  readonly start?: readonly Buffer[]
  /** The frames of one round. */
  readonly round: (i: number) => Buffer[]
  readonly rounds: number
}

const seed = Buffer.concat([Buffer.from([0x40]), text('x-bomb'), text('b'.repeat(3500))])
/** Eight bytes on the wire, each one 3.5 KB when decoded. */
const bomb = (stream: number, isFirst: boolean): Buffer =>
  frame(
    FRAME.headers,
    END_HEADERS | END_STREAM,
    stream,
    Buffer.concat([HEAD('/bomb'), isFirst ? seed : Buffer.alloc(0), Buffer.alloc(4000, 0x80 | 62)]),
  )

const floods: Flood[] = [
  {
    name: 'rapid reset',
    source: 'CVE-2023-44487',
    rounds: 3000,
    round: (i) => [request(2 * i + 1), frame(FRAME.reset, 0, 2 * i + 1, uint32(8))],
  },
  {
    name: 'a request, then a bad WINDOW_UPDATE',
    source: 'CVE-2025-8671, MadeYouReset',
    rounds: 3000,
    round: (i) => [openRequest(2 * i + 1, '/flood'), window(2 * i + 1, 0)],
  },
  {
    name: 'a request, then an overflow of its window',
    source: 'CVE-2025-8671, MadeYouReset',
    rounds: 3000,
    round: (i) => [openRequest(2 * i + 1, '/flood'), window(2 * i + 1, 0x7fffffff)],
  },
  {
    name: 'DATA after the end of the stream',
    source: 'CVE-2025-8671, MadeYouReset',
    rounds: 3000,
    round: (i) => [request(2 * i + 1, '/never'), frame(FRAME.data, 0, 2 * i + 1, 'x')],
  },
  {
    name: 'malformed requests without end',
    source: 'RFC 9113 10.5',
    rounds: 3000,
    round: (i) => [
      frame(
        FRAME.headers,
        END_HEADERS | END_STREAM,
        2 * i + 1,
        block([...BASE.slice(0, 3), [':path', '/flood'], ['connection', 'x']]),
      ),
    ],
  },
  {
    name: 'more streams than allowed',
    source: 'CVE-2019-9513; RFC 9113 5.1.2',
    rounds: 3000,
    round: (i) => [request(2 * i + 1, '/never')],
  },
  {
    name: 'CONTINUATION without end',
    source: 'CVE-2024-27983, CVE-2024-28182',
    start: [frame(FRAME.headers, END_STREAM, 1, HEAD())],
    rounds: 3000,
    round: (i) => [frame(FRAME.continuation, 0, 1, block([[`x-${i}`, 'y']]))],
  },
  {
    name: 'empty CONTINUATION without end',
    source: 'CVE-2019-9518',
    start: [frame(FRAME.headers, END_STREAM, 1, HEAD())],
    rounds: 3000,
    round: () => [frame(FRAME.continuation, 0, 1)],
  },
  {
    name: 'SETTINGS',
    source: 'CVE-2019-9515',
    rounds: 20_000,
    round: () => [frame(FRAME.settings, 0, 0, setting(3, 100))],
  },
  { name: 'empty SETTINGS', source: 'CVE-2019-9515', rounds: 20_000, round: () => [frame(FRAME.settings, 0, 0)] },
  {
    name: 'SETTINGS that resize the header table',
    source: 'RFC 9113 10.5',
    rounds: 20_000,
    round: (i) => [frame(FRAME.settings, 0, 0, setting(1, i % 2 === 0 ? 0 : 4096))],
  },
  { name: 'PING', source: 'CVE-2019-9512', rounds: 20_000, round: () => [frame(FRAME.ping, 0, 0, '12345678')] },
  {
    name: 'PING ACK that nobody asked for',
    source: 'RFC 9113 6.7',
    rounds: 200_000,
    round: () => [frame(FRAME.ping, ACK, 0, '12345678')],
  },
  {
    name: 'empty DATA',
    source: 'CVE-2019-9518',
    start: [openRequest(1)],
    rounds: 20_000,
    round: () => [frame(FRAME.data, 0, 1)],
  },
  {
    name: 'DATA of padding only',
    source: 'CVE-2019-9518',
    start: [openRequest(1)],
    rounds: 200_000,
    round: () => [frame(FRAME.data, PADDED, 1, Buffer.from([0]))],
  },
  {
    name: 'WINDOW_UPDATE of the connection',
    source: 'CVE-2019-9511; RFC 9113 10.5',
    rounds: 200_000,
    round: () => [window(0, 1)],
  },
  {
    name: 'WINDOW_UPDATE of a stream',
    source: 'CVE-2019-9511; RFC 9113 10.5',
    start: [request(1, '/never')],
    rounds: 200_000,
    round: () => [window(1, 1)],
  },
  {
    name: 'WINDOW_UPDATE of a closed stream',
    source: 'RFC 9113 10.5',
    start: [request(1), frame(FRAME.reset, 0, 1, uint32(8))],
    rounds: 200_000,
    round: () => [window(1, 1)],
  },
  {
    name: 'PRIORITY',
    source: 'CVE-2019-9513',
    rounds: 200_000,
    round: (i) => [frame(FRAME.priority, 0, 2 * (i % 1000) + 1, Buffer.from([0, 0, 0, 0, i % 256]))],
  },
  { name: 'unknown frames', source: 'RFC 9113 5.5', rounds: 200_000, round: () => [frame(0xbe, 0, 0, 'x')] },
  {
    name: 'RST_STREAM of closed streams',
    source: 'CVE-2019-9514',
    start: [request(1)],
    rounds: 20_000,
    round: () => [frame(FRAME.reset, 0, 1, uint32(8))],
  },
  { name: 'header bombs', source: 'CVE-2016-6581: HPACK bomb', rounds: 1500, round: (i) => [bomb(2 * i + 1, i === 0)] },
  {
    name: 'header lists over the limit',
    source: 'CVE-2019-9516',
    rounds: 3000,
    round: (i) => [
      frame(
        FRAME.headers,
        END_HEADERS | END_STREAM,
        2 * i + 1,
        Buffer.concat([
          HEAD(),
          ...Array.from({ length: 300 }, () => Buffer.concat([Buffer.from([0]), text('x'), text('')])),
        ]),
      ),
    ],
  },
  {
    name: 'GOAWAY',
    source: 'RFC 9113 6.8',
    rounds: 20_000,
    round: () => [frame(FRAME.goaway, 0, 0, Buffer.concat([uint32(0), uint32(0)]))],
  },
]

/** Sends until the connection ends or the rounds are over. */
async function flood(client: FrameClient, { start = [], round, rounds }: Flood): Promise<number> {
  await client.send(...start)
  let sent = 0
  while (sent < rounds && !client.isClosed && client.goaway() <= 0) {
    const batch: Buffer[] = []
    for (let i = 0; i < 500 && sent < rounds; i++) batch.push(...round(sent++))
    await client.send(...batch)
  }
  return sent
}

for (const each of floods) {
  t.test(`flood of ${each.name}`, async (t) => {
    const client = await openFrames(place)
    const asks = async (): Promise<number[]> => {
      const statuses: number[] = []
      for (let i = 0; i < 5; i++) statuses.push((await good.ask({ path: '/good' })).status)
      return statuses
    }
    const [sent, statuses] = await Promise.all([flood(client, each), asks()])
    t.same(statuses, [200, 200, 200, 200, 200], 'a good client is served meanwhile')
    await client.until(() => client.goaway() > 0)
    t.ok(client.goaway() > 0 || client.isClosed, `the attacker is cut (${sent} of ${each.rounds})`)
    await client.closed
    client.close()
  })
}

/** The code of the GOAWAY that a stranger gets for it; resolves when the connection is closed too. */
async function goawayTo(flood: Buffer): Promise<number> {
  const client = await openFrames(place)
  await client.send(flood)
  await client.until(() => client.goaway() > 0)
  await client.closed
  client.close()
  return client.goaway()
}

/** Each in the same packet as its end. */
const takenBack = (count: number, first: number): Buffer =>
  Buffer.concat(
    Array.from({ length: count }, (_, i) => [
      request(first + 2 * i, '/never'),
      frame(FRAME.reset, 0, first + 2 * i, uint32(8)),
    ]).flat(),
  )

t.test('requests that are taken back in the same packet: a page that is left may, a flood is cut', async (t) => {
  const page = await openFrames(place)
  await page.send(request(1, '/good'))
  await page.until(() => page.outcome(1) !== '')
  await page.send(takenBack(40, 3), request(83, '/good'))
  await page.until(() => page.outcome(83) !== '')
  t.equal(page.outcome(83), '200')
  page.close()
  const hasty = await openFrames(place)
  await hasty.send(takenBack(12, 1), request(25, '/good'))
  await hasty.until(() => hasty.outcome(25) !== '')
  t.equal(hasty.outcome(25), '200', 'some may be before anything was asked for')
  hasty.close()
  const floods = [takenBack(80, 1), takenBack(20, 1), Buffer.concat([request(1, '/good'), takenBack(80, 3)])]
  for (const flood of floods) t.equal(await goawayTo(flood), 11, 'ENHANCE_YOUR_CALM')
})

t.test('many requests with long fields in the first packets are no flood', async (t) => {
  const client = await openFrames(place)
  const long = block([...BASE.slice(0, 3), [':path', '/good'], ['x-long', 'l'.repeat(2000)]])
  const ids = Array.from({ length: 60 }, (_, i) => 2 * i + 1)
  await client.send(...ids.map((id) => frame(FRAME.headers, END_HEADERS | END_STREAM, id, long)))
  await client.until(() => ids.every((id) => client.outcome(id) !== ''))
  t.same(new Set(ids.map((id) => client.outcome(id))), new Set(['200']))
  client.close()
})

t.test('who has not asked for anything yet may send less of nothing', async (t) => {
  const nothing = Buffer.concat(Array.from({ length: 5000 }, () => window(0, 1)))
  t.equal(await goawayTo(nothing), 11, 'ENHANCE_YOUR_CALM')
  const known = await openFrames(place)
  await known.send(request(1, '/good'))
  await known.until(() => known.outcome(1) !== '')
  await known.send(nothing, request(3, '/good'))
  await known.until(() => known.outcome(3) !== '')
  t.equal(known.outcome(3), '200')
  known.close()
})

t.test('after all of it nothing is left running', async (t) => {
  t.equal((await good.ask({ path: '/good' })).status, 200)
  t.equal(upstream.received.filter(({ url }) => url.includes('second')).length, 0)
})
