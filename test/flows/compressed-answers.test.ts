/** Answers that are compressed on their way: what real clients decode, what stays as it is, and how it ends when it is cut. */

import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { request } from 'node:http'
import { createSecureServer, type Http2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import { brotliDecompressSync, constants, gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib'
import t from 'tap'
import { openCompressors } from '../../src/coding/compressors.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { openRaw, openSession, type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const DECODE = { zstd: zstdDecompressSync, br: brotliDecompressSync, gzip: gunzipSync } as const
type Coding = keyof typeof DECODE
const CODINGS = Object.keys(DECODE) as Coding[]
const JSON_TYPE = { 'content-type': 'application/json' }
const SMALL = Buffer.from(
  JSON.stringify(Array.from({ length: 100 }, (_, id) => ({ id, text: `message ${id * 7919}` }))),
)
const LARGE = Buffer.from(Array.from({ length: 60_000 }, (_, i) => `line ${(i * 2654435761) >>> 5}\n`).join(''))

const upstream = await startUpstream()
upstream.on('/small', (_request, response) => {
  response.writeHead(200, {
    ...JSON_TYPE,
    ...{
      'content-length': SMALL.length,
      etag: '"v1"',
      'accept-ranges': 'bytes',
      'content-md5': 'x',
      'repr-digest': 'x',
    },
  })
  response.end(SMALL)
})
upstream.on('/large', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', 'content-length': LARGE.length })
  response.end(LARGE)
})
upstream.on('/pieces', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  for (let i = 0; i < LARGE.length; i += 1000) response.write(LARGE.subarray(i, i + 1000))
  response.end()
})
upstream.on('/tagged', (asked, response) => {
  // As RFC 9110, 13.1.2 asks: the weak comparison.
  const isKnown = asked.headers['if-none-match']?.replaceAll('W/', '').split(', ').includes('"v1"')
  if (isKnown) response.writeHead(304, { etag: '"v1"' }).end()
  else if (asked.method === 'PUT') response.writeHead(asked.headers['if-match'] === '"v1"' ? 204 : 412).end()
  else response.writeHead(200, { 'content-type': 'text/plain', etag: '"v1"' }).end(LARGE)
})
upstream.on('/part', (_request, response) => {
  response.writeHead(206, { 'content-type': 'text/plain', 'content-range': `bytes 0-4999/${LARGE.length}` })
  response.end(LARGE.subarray(0, 5000))
})
upstream.on('/coded', (_request, response) => {
  response.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip', etag: '"g"' }).end(gzipSync(SMALL))
})
upstream.on('/picture', (_request, response) => response.writeHead(200, { 'content-type': 'image/png' }).end(SMALL))
upstream.on('/untouched', (_request, response) =>
  response.writeHead(200, { ...JSON_TYPE, 'cache-control': 'no-transform' }).end(SMALL),
)
upstream.on('/tiny', (_request, response) => response.writeHead(200, { ...JSON_TYPE, 'content-length': 2 }).end('{}'))
upstream.on('/trailed', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain', trailer: 'digest, x-checksum' })
  response.write(LARGE)
  response.addTrailers({ digest: 'x', 'x-checksum': 'abc' })
  response.end()
})
upstream.on('/cut', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write(LARGE, () => setTimeout(() => response.destroy(), 50))
})
upstream.on('/chat', (_request, response) =>
  response
    .writeHead(200, JSON_TYPE)
    .end(JSON.stringify({ text: '<b>hello</b>', phone: '+31612345678', more: 'x'.repeat(2000) })),
)
upstream.on('/endless', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  const more = (): void => {
    while (response.write(LARGE)) if (response.destroyed) return
  }
  response.on('drain', more)
  more()
})

/** Bytes that no compressor makes fewer. */
const NOISE = createHash('shake256', { outputLength: 2 ** 16 })
  .update('noise')
  .digest()
let noiseSent = 0
upstream.on('/noise', (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  const more = (): void => {
    while (!response.destroyed) {
      noiseSent += NOISE.length
      if (!response.write(NOISE)) return
    }
  }
  response.on('drain', more)
  more()
})

const certificate = await makeCertificate({ names: ['127.0.0.1'] })
const folder = t.testdir({ 'help.html': `<p>${'help '.repeat(1000)}</p>` })
writeFileSync(join(folder, 'ca.pem'), certificate.cert)
const sessions = new Set<Http2Session>()
const sockets = new Set<TLSSocket>()
const modern = createSecureServer(certificate, (asked, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  response.write(LARGE)
  if (asked.url === '/modern/cut') setTimeout(() => sockets.forEach((socket) => void socket.destroy()), 50)
  else response.end()
})
modern.on('session', (session) => sessions.add(session))
modern.on('secureConnection', (socket) => sockets.add(socket))
modern.listen(0, '127.0.0.1')
await once(modern, 'listening')

const route = (path: string, more: Json = {}): Json => ({
  ...{
    path,
    service: 'chat',
    profiles: ['internet'],
    purpose: 'test',
    methods: ['GET', 'PUT', 'POST'],
    compression: 'public',
  },
  ...more,
})
const config = (more: Json = {}): Json =>
  testConfig(upstream.url, {
    services: {
      chat: { endpoints: [upstream.url] },
      modern: {
        endpoints: [`https://127.0.0.1:${(modern.address() as AddressInfo).port}`],
        ...{ protocol: 'h2', tls: { ca: join(folder, 'ca.pem') } },
      },
    },
    routes: [
      route('/*', { webSocket: true }),
      route('/plain/*', { rewrite: '/*', compression: 'off' }),
      route('/modern/*', { service: 'modern' }),
      route('/chat', { answers: 'rules', hide: ['$.phone'] }),
      route('/help', {
        service: undefined,
        respond: { type: 'text/html', file: join(folder, 'help.html') },
        methods: ['GET'],
      }),
    ],
    messages: { rules: { fields: ['$.text'] } },
    ...more,
  })
const gateway = await startGatewayHere(config())
const events = await startGatewayHere(
  config({ compression: { types: ['text/event-stream', 'text/plain'], codings: ['gzip'], atOnce: 1, minSize: '1 B' } }),
)
t.teardown(async () => {
  await gateway.close()
  await events.close()
  await upstream.close()
  for (const session of sessions) session.destroy()
  modern.close()
})
const place = { port: gateway.publicPort }
const allClosed = () => until(() => openCompressors() === 0, 'every compressor is closed')

function decoded(reply: Reply): Buffer {
  const coding = reply.header('content-encoding') as Coding | null
  return coding === null ? reply.body : DECODE[coding](reply.body)
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const get = (
      path: string,
      accepts: string | null = 'gzip, deflate, br, zstd',
      headers: string[] = [],
      method = 'GET',
    ) => client.ask({ path, method, headers: accepts === null ? headers : ['accept-encoding', accepts, ...headers] })

    t.test('each coding, small and large, of known and unknown length, byte for byte', async (t) => {
      for (const coding of CODINGS) {
        for (const [path, body] of [
          ['/small', SMALL],
          ['/large', LARGE],
          ['/pieces', LARGE],
          ['/modern/large', LARGE],
        ] as const) {
          const reply = await get(path, coding)
          t.equal(reply.header('content-encoding'), coding, path)
          t.ok(reply.isComplete)
          t.ok(DECODE[coding](reply.body).equals(body), `${coding} ${path}`)
          t.ok(reply.body.length < body.length)
        }
      }
    })

    t.test('the fields of a compressed answer', async (t) => {
      const reply = await get('/small')
      t.equal(reply.header('content-encoding'), 'zstd', 'the first of the settings where the client has no wish')
      t.equal(reply.header('content-length'), String(reply.body.length))
      t.equal(reply.header('etag'), 'W/"v1"')
      t.equal(reply.header('vary'), 'accept-encoding')
      for (const name of ['accept-ranges', 'content-md5', 'repr-digest']) t.equal(reply.header(name), null, name)
      const plain = await get('/small', null)
      t.equal(plain.header('content-encoding'), null)
      t.equal(plain.header('etag'), '"v1"')
      t.equal(plain.header('accept-ranges'), 'bytes')
      t.equal(plain.header('vary'), 'accept-encoding')
      t.ok(plain.body.equals(SMALL))
    })

    t.test('what the client accepts counts, by its weights', async (t) => {
      const codingFor = async (accepts: string) => (await get('/small', accepts)).header('content-encoding')
      t.equal(await codingFor('gzip;q=0.5, br;q=0.9, zstd;q=0.1'), 'br')
      t.equal(await codingFor('zstd;q=0, br;q=0, *'), 'gzip')
      t.equal(await codingFor('identity, gzip;q=0.5'), null)
      t.equal(await codingFor('deflate'), null)
      t.equal(await codingFor('*;q=0'), null)
      const twice = await client.ask({ path: '/small', headers: ['accept-encoding', 'x', 'accept-encoding', 'gzip'] })
      t.equal(twice.header('content-encoding'), 'gzip', 'lines of a list are one list')
    })

    t.test('what stays as it is', async (t) => {
      for (const [path, vary] of [
        ['/part', null],
        ['/picture', null],
        ['/untouched', null],
        ['/tiny', null],
        ['/status/204', null],
        ['/events', null],
        ['/plain/small', null],
      ] as const) {
        const reply = await get(path)
        t.equal(reply.header('content-encoding'), null, path)
        t.equal(reply.header('vary'), vary, path)
      }
      const coded = await get('/coded')
      t.equal(coded.header('content-encoding'), 'gzip', 'coded by the service')
      t.equal(coded.header('etag'), '"g"')
      t.ok(gunzipSync(coded.body).equals(SMALL))
      const post = await client.ask({ path: '/small', method: 'POST', body: 'x', headers: ['accept-encoding', 'gzip'] })
      t.equal(post.header('content-encoding'), null)
    })

    t.test('HEAD says what GET would', async (t) => {
      const head = await get('/small', 'gzip', [], 'HEAD')
      t.equal(head.status, 200)
      t.same(
        [head.header('content-encoding'), head.header('etag'), head.header('content-length')],
        ['gzip', 'W/"v1"', null],
      )
      t.equal(head.body.length, 0)
      t.equal((await get('/small', 'gzip')).status, 200, 'the connection goes on')
    })

    t.test('conditional requests go on working', async (t) => {
      const first = await get('/tagged', 'gzip')
      t.equal(first.header('etag'), 'W/"v1"')
      const again = await get('/tagged', 'gzip', ['if-none-match', first.header('etag')!])
      t.equal(again.status, 304)
      t.equal(again.header('etag'), 'W/"v1"', 'the tag of what the client has')
      t.equal(again.header('vary'), 'accept-encoding')
      const plain = await get('/tagged', null, ['if-none-match', '"v1"'])
      t.same([plain.status, plain.header('etag')], [304, '"v1"'])
      const changed = await client.ask({ path: '/tagged', method: 'PUT', body: 'x', headers: ['if-match', 'W/"v1"'] })
      t.equal(changed.status, 204, 'an edit of what was read compressed is one of the same version')
      const stale = await client.ask({ path: '/tagged', method: 'PUT', body: 'x', headers: ['if-match', 'W/"v0"'] })
      t.equal(stale.status, 412)
    })

    t.test('the service is asked for an answer without coding, on this route only', async (t) => {
      const seen = async (path: string) => {
        upstream.received.length = 0
        await get(path, 'gzip')
        const { rawHeaders } = upstream.received[0]!
        return rawHeaders.filter((_, i) => rawHeaders[i - 1] === 'accept-encoding' && i % 2 === 1)
      }
      t.same(await seen('/small'), ['identity'])
      t.same(await seen('/plain/small'), ['gzip'])
    })

    t.test('an inspected answer is compressed as it was shown', async (t) => {
      const reply = await get('/chat', 'br')
      t.equal(reply.header('content-encoding'), 'br')
      const { text, phone } = JSON.parse(decoded(reply).toString()) as { text: string; phone: string }
      t.equal(text, 'hello')
      t.notMatch(phone, '+316')
    })

    t.test('a fixed answer is compressed too, whoever asks', async (t) => {
      for (const coding of CODINGS) {
        const reply = await get('/help', coding, ['cookie', 'a=b'])
        t.equal(reply.header('content-encoding'), coding)
        t.equal(reply.header('content-length'), String(reply.body.length))
        t.match(decoded(reply).toString(), /^<p>help help/)
      }
      const plain = await get('/help', null)
      t.match(plain.text, /^<p>help help/)
      t.equal(plain.header('vary'), 'accept-encoding')
    })

    t.test('trailers stay, but for digests of other bytes', async (t) => {
      const reply = await client.ask({ path: '/trailed', headers: ['accept-encoding', 'gzip', 'te', 'trailers'] })
      t.ok(decoded(reply).equals(LARGE))
      t.same(reply.trailers, ['x-checksum', 'abc'])
    })

    t.test('an answer that is cut looks cut', async (t) => {
      for (const path of ['/cut', '/modern/cut']) {
        for (const coding of CODINGS) {
          const reply = await get(path, coding)
          t.equal(reply.header('content-encoding'), coding)
          t.notOk(reply.isComplete, `${path} ${coding}`)
          t.throws(() => decoded(reply), 'and does not decode as a whole one')
        }
      }
      await allClosed()
    })

    t.test('a client that leaves in the middle leaves nothing open', async (t) => {
      for (const coding of CODINGS) {
        const leave = new AbortController()
        const reply = client.ask({
          path: '/endless',
          headers: ['accept-encoding', coding],
          signal: leave.signal,
          onData: () => leave.abort(),
        })
        await reply
        await allClosed()
      }
      t.equal(openCompressors(), 0)
    })

    t.test('events go out one by one where they are compressed at all', async (t) => {
      const own = transport.open({ port: events.publicPort })
      t.teardown(() => own.close())
      const { promise: seen, resolve } = Promise.withResolvers<string>()
      let end = (): void => {}
      upstream.on('/live', (_request, response) => {
        response.writeHead(200, { 'content-type': 'text/event-stream' })
        response.write('data: first\n\n')
        end = () => void response.end('data: last\n\n')
      })
      const chunks: Buffer[] = []
      const reply = own.ask({
        path: '/live',
        headers: ['accept-encoding', 'gzip'],
        onData: (chunk) => {
          chunks.push(chunk)
          const text = gunzipSync(Buffer.concat(chunks), { finishFlush: constants.Z_SYNC_FLUSH }).toString()
          if (text.includes('first')) resolve(text)
        },
      })
      t.equal(await seen, 'data: first\n\n', 'before the service says more')

      const other = await own.ask({ path: '/large', headers: ['accept-encoding', 'gzip'] })
      t.equal(other.header('content-encoding'), null, 'over the bound it goes as it is')
      t.equal(other.header('vary'), 'accept-encoding')
      t.ok(other.body.equals(LARGE))
      const small = await own.ask({ path: '/tiny', headers: ['accept-encoding', 'gzip'] })
      t.equal(small.status, 200)
      end()
      t.equal(decoded(await reply).toString(), 'data: first\n\ndata: last\n\n')
      await allClosed()
    })
  })
}

for (const transport of socketTransports) {
  t.test(`WebSocket over ${transport.name}`, async (t) => {
    const socket = await transport.open(place, { path: '/ws/echo', headers: ['accept-encoding', 'gzip'] })
    t.teardown(() => socket.close())
    socket.send('x'.repeat(5000))
    t.equal((await socket.next()).text, 'x'.repeat(5000))
  })
}

t.test('clients that read nothing hold the service up, and leave nothing', async (t) => {
  const READERS = 4
  const asking: { destroy(): void }[] = []
  for (let i = 0; i < READERS; i++) {
    const socket = openRaw(place)
    socket.on('error', () => {})
    await once(socket, 'secureConnect')
    socket.write('GET /noise HTTP/1.1\r\nhost: localhost\r\naccept-encoding: gzip\r\n\r\n')
    socket.pause()
    const session = openSession(place)
    const stream = session.request({ ':path': '/noise', ':authority': 'localhost', 'accept-encoding': 'gzip' })
    stream.on('error', () => {})
    stream.pause()
    asking.push(socket, session)
  }
  await until(() => openCompressors() === 2 * READERS, 'all are being answered')
  let before = -1
  await until(async () => {
    const isStill = noiseSent === before
    before = noiseSent
    await new Promise((wake) => setTimeout(wake, 300))
    return isStill && noiseSent === before
  }, 'the service has to wait')
  t.ok(noiseSent < 2 * READERS * 24 * 2 ** 20, `${noiseSent} bytes are under way, most of them with the system`)
  t.equal(openCompressors(), 2 * READERS)
  for (const each of asking) each.destroy()
  await allClosed()
})

t.test('the metrics tell', async (t) => {
  const asked = request({ port: gateway.adminPort, host: '127.0.0.1', path: '/metrics' }).end()
  const [response] = await once(asked, 'response')
  let page = ''
  for await (const chunk of response) page += chunk
  for (const coding of CODINGS)
    t.match(page, new RegExp(`portcullis_answers_compressed_total\\{coding="${coding}"\\} \\d+`))
  const bytes = (direction: string) =>
    Number(new RegExp(`portcullis_compression_bytes_total\\{direction="${direction}"\\} (\\d+)`).exec(page)?.[1])
  t.ok(bytes('in') > bytes('out'))
  t.ok(bytes('out') > 0)
  t.match(page, /portcullis_compressors_open 0/)
})
