/** An answer on its way through a compressor: what is told of it, how much waits, and how it ends when something ends it. */
import { createHash } from 'node:crypto'
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from 'node:zlib'
import fc from 'fast-check'
import t from 'tap'
import { answerCoder, type CodingRules } from '../../src/coding/coded-answer.ts'
import { TypeList } from '../../src/coding/compressible.ts'
import { Compressor, compressWhole, openCompressors } from '../../src/coding/compressors.ts'
import { Failure } from '../../src/errors.ts'
import type { AnswerOutlet } from '../../src/exchange/answer-outlet.ts'
import type { UpstreamHalf } from '../../src/exchange/contracts.ts'
import { CONTENT_CODINGS, type ContentCoding } from '../../src/http/accept-encoding.ts'
import type { HeaderList } from '../../src/http/headers.ts'
import { type FakeExchange, type FakeOptions, fakeExchange, NO_EDITS } from '../kit/fake-client.ts'
import { until } from '../kit/wait.ts'

const RULES: CodingRules = {
  order: CONTENT_CODINGS,
  levels: { zstd: 3, br: 4, gzip: 4 },
  types: new TypeList(['text/*']),
  minBytes: 100,
  maxOpen: 8,
}
const decode: Readonly<Record<ContentCoding, (bytes: Buffer) => Buffer>> = {
  zstd: zstdDecompressSync,
  br: brotliDecompressSync,
  gzip: gunzipSync,
}
const TEXT: HeaderList = ['content-type', 'text/plain']

/** Bytes that no compressor makes fewer. */
function noise(length: number, seed: string): Buffer {
  return createHash('shake256', { outputLength: length }).update(seed).digest()
}

interface Coded extends FakeExchange {
  readonly out: AnswerOutlet
  readonly counts: Map<string, number>
  /** What the one who sends was told. */
  readonly told: string[]
}

function coded(
  options: FakeOptions & { coding?: string; rules?: Partial<CodingRules>; make?: typeof answerCoder } = {},
): Coded {
  const { coding = 'gzip', rules = {}, make = answerCoder } = options
  const counts = new Map<string, number>()
  const metrics = {
    count: (name: string, label: string, _second = '', amount = 1) => {
      counts.set(`${name} ${label}`, (counts.get(`${name} ${label}`) ?? 0) + amount)
    },
  }
  const fake = fakeExchange({ ...options, headers: ['accept-encoding', coding, ...(options.headers ?? [])] })
  fake.x.route = { name: 'fake', edits: options.edits ?? NO_EDITS } as never
  const told: string[] = []
  const sender: UpstreamHalf = {
    onClientDrain: () => void told.push('drain'),
    onExchangeAbort: (why) => void told.push(why.code),
  }
  const out = make({ ...RULES, ...rules }, 'public', metrics)(fake.x)
  fake.x.upstream = sender
  return { ...fake, out, counts, told }
}

/** As a service's engine does: the buffer is used again. */
function send(out: AnswerOutlet, bytes: Buffer): boolean {
  const lent = Buffer.from(bytes)
  const goesOn = out.sendData(lent)
  lent.fill(0)
  return goesOn
}

t.afterEach(async () => {
  await until(() => openCompressors() === 0, 'every compressor is closed', 3000)
})

t.test('a small answer is whole, with its new length', (t) => {
  for (const coding of CONTENT_CODINGS) {
    const body = Buffer.from('hello '.repeat(200))
    const { x, out, client, counts } = coded({ coding })
    out.respondHead(200, [...TEXT, 'content-length', String(body.length), 'etag', '"x"'])
    t.equal(client.headsSent, 0)
    t.ok(send(out, body.subarray(0, 700)))
    t.ok(send(out, body.subarray(700)))
    out.sendEnd(null)
    t.equal(client.header('content-length'), String(client.body.length))
    t.equal(client.header('content-encoding'), coding)
    t.equal(client.header('vary'), 'accept-encoding')
    t.equal(client.header('etag'), 'W/"x"')
    t.same(decode[coding](client.body), body)
    t.equal(x.bytesOut, client.body.length)
    t.same(Object.fromEntries(counts), {
      [`answers_compressed_total ${coding}`]: 1,
      'compression_bytes_total in': body.length,
      'compression_bytes_total out': client.body.length,
    })
    t.ok(client.ended)
  }
  t.end()
})

t.test('what does not become smaller goes as it is, and says that it could have been otherwise', (t) => {
  const body = noise(300, 'seed')
  const { out, client, counts } = coded()
  out.respondHead(200, [...TEXT, 'content-length', '300', 'etag', '"x"'])
  send(out, body)
  out.sendEnd(null)
  t.same(client.body, body)
  t.same(client.headerValues('content-length'), ['300'])
  t.equal(client.header('content-encoding'), null)
  t.equal(client.header('etag'), '"x"')
  t.equal(client.header('vary'), 'accept-encoding')
  t.equal(counts.get('answers_not_compressed_total incompressible'), 1)
  t.end()
})

t.test('answers of any size, in any pieces, come out as they went in', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 0, max: 90_000 }), { maxLength: 6 }),
      fc.constantFrom(...CONTENT_CODINGS),
      fc.boolean(),
      fc.boolean(),
      async (sizes, coding, saysLength, pauses) => {
        const pieces = sizes.map((size, i) => Buffer.from(`piece ${i} `.repeat(size / 8).slice(0, size)))
        const whole = Buffer.concat(pieces)
        const fake = coded({ coding })
        fake.out.respondHead(200, [...TEXT, ...(saysLength ? ['content-length', String(whole.length)] : [])])
        for (const piece of pieces) {
          send(fake.out, piece)
          if (pauses) await new Promise(setImmediate)
        }
        fake.x.upstream = null
        fake.out.sendEnd(null)
        await fake.finished
        const { client } = fake
        t.ok(client.ended)
        const isCoded = client.header('content-encoding') !== null
        t.equal(isCoded, !saysLength || whole.length >= 100)
        t.ok((isCoded ? decode[coding](client.body) : client.body).equals(whole))
        t.equal(fake.finishCount(), 1)
      },
    ),
    { seed: 31, numRuns: 120 },
  )
})

t.test('what the service has said goes out before it says more', async () => {
  const { out, client, x, finished } = coded({ rules: { types: new TypeList(['text/event-stream']) } })
  out.respondHead(200, ['content-type', 'text/event-stream'])
  const seen = () => gunzipSync(client.body, { finishFlush: 2 }).toString()
  send(out, Buffer.from('data: 1\n\n'))
  await until(() => client.chunks.length > 0 && seen() === 'data: 1\n\n', 'the first event')
  send(out, Buffer.from('data: 2\n\n'))
  await until(() => seen() === 'data: 1\n\ndata: 2\n\n', 'the second')
  x.upstream = null
  out.sendEnd(null)
  await finished
})

t.test('a client that reads nothing holds the service up, and little waits', async (t) => {
  const { out, client, told, x, drain, finished } = coded({ coding: 'zstd' })
  client.isSlow = true
  out.respondHead(200, TEXT)
  let sent = 0
  const all: Buffer[] = []
  for (let quiet = 0; quiet < 20; ) {
    const bytes = noise(16_384, String(sent))
    all.push(bytes)
    sent += bytes.length
    if (send(out, bytes)) continue
    const before = told.length
    for (quiet = 0; quiet < 20 && told.length === before; quiet++) await new Promise((wake) => setTimeout(wake, 5))
    t.ok(sent < 1_000_000, 'no more than some buffers full')
    if (sent >= 1_000_000) break
  }
  t.ok(client.body.length < 200_000)
  drain()
  await until(() => told.includes('drain'), 'the service may go on')
  x.upstream = null
  out.sendEnd(null)
  await finished
  t.ok(zstdDecompressSync(client.body).equals(Buffer.concat(all)))
})

t.test('what is cut looks cut, and nothing stays open', async (t) => {
  for (const moment of ['at once', 'while it works', 'at rest'] as const) {
    const { out, x, client, told } = coded()
    out.respondHead(200, TEXT)
    t.equal(openCompressors(), 1)
    send(out, Buffer.from('x'.repeat(50_000)))
    if (moment === 'while it works') await new Promise((wake) => process.nextTick(wake))
    if (moment === 'at rest') await until(() => client.chunks.length > 0)
    x.fail(new Failure('upstream-closed'))
    t.equal(client.aborted?.code, 'upstream-closed')
    t.same(told, ['upstream-closed'], 'whoever sends is told')
    t.equal(openCompressors(), 0)
    await new Promise((wake) => setTimeout(wake, 20))
    t.notOk(client.ended)
    t.throws(() => gunzipSync(client.body), moment)
  }
})

t.test('a client that leaves takes the compressor with it', async (t) => {
  const { out, x, told, finishCount } = coded()
  out.respondHead(200, TEXT)
  send(out, Buffer.from('x'.repeat(50_000)))
  x.onClientGone(new Failure('client-gone'))
  t.equal(openCompressors(), 0)
  t.same(told, ['client-gone'])
  // After its service has said everything, too.
  const late = coded()
  late.out.respondHead(200, TEXT)
  send(late.out, Buffer.from('x'.repeat(50_000)))
  late.x.upstream = null
  late.out.sendEnd(null)
  t.equal(openCompressors(), 1)
  late.x.onClientGone(new Failure('client-gone'))
  t.equal(openCompressors(), 0)
  await new Promise((wake) => setTimeout(wake, 20))
  t.equal(finishCount() + late.finishCount(), 2)
})

t.test('a service that sends more or less than it promised is not believed', async (t) => {
  for (const [length, sent] of [
    [1000, 999],
    [1000, 1001],
    [100_000, 99_999],
    [100_000, 100_001],
  ] as const) {
    const { out, x, client, counts } = coded()
    out.respondHead(200, [...TEXT, 'content-length', String(length)])
    send(out, Buffer.alloc(sent, 'x'))
    x.upstream = null
    out.sendEnd(null)
    await until(() => x.finished)
    t.equal(x.failure?.code, 'upstream-bad-answer')
    if (length > 65_536) t.ok(client.aborted, 'cut in the middle')
    else {
      t.equal(client.status, 502, 'an error of the gateway, since nothing was sent')
      t.equal(client.header('vary'), null)
    }
    t.equal(counts.get('answers_compressed_total gzip') ?? 0, length > 65_536 ? 1 : 0)
  }
})

t.test('over the bound answers go as they are', async (t) => {
  const one = coded({ rules: { maxOpen: 1 } })
  one.out.respondHead(200, TEXT)
  const two = coded({ rules: { maxOpen: 1 } })
  two.out.respondHead(200, [...TEXT, 'etag', '"x"'])
  two.out.sendData(Buffer.from('plain'))
  two.out.sendEnd(['digest', 'true'])
  t.equal(two.client.text, 'plain')
  t.equal(two.client.header('etag'), '"x"')
  t.equal(two.client.header('content-encoding'), null)
  t.equal(two.client.header('vary'), 'accept-encoding', 'it could have been otherwise')
  t.same(two.client.trailers, ['digest', 'true'])
  t.equal(two.counts.get('answers_not_compressed_total busy'), 1)
  one.x.upstream = null
  one.out.sendEnd(['digest', 'x', 'x-own', 'y'])
  await one.finished
  t.same(one.client.trailers, ['x-own', 'y'], 'no digest of other bytes')
  const three = coded({ rules: { maxOpen: 1 } })
  three.out.respondHead(200, TEXT)
  t.equal(three.client.header('content-encoding'), 'gzip', 'there is room again')
  three.x.onClientGone(new Failure('client-gone'))
})

t.test('HEAD is told what GET would be, and nothing is compressed', (t) => {
  const { out, client } = coded({ method: 'HEAD' })
  out.respondHead(200, [...TEXT, 'content-length', '5000', 'etag', '"x"', 'accept-ranges', 'bytes'])
  t.equal(openCompressors(), 0)
  out.sendEnd(null)
  t.same(client.headerValues('content-length'), [])
  t.same(
    [client.header('content-encoding'), client.header('etag'), client.header('vary')],
    ['gzip', 'W/"x"', 'accept-encoding'],
  )
  t.equal(client.header('accept-ranges'), null)
  t.equal(client.body.length, 0)
  t.end()
})

t.test('Vary names Accept-Encoding exactly where it counts', (t) => {
  const varied = (headers: HeaderList, options: Parameters<typeof coded>[0] = {}, status = 200): string[] => {
    const { out, client } = coded({ method: 'HEAD', ...options })
    out.respondHead(status, headers)
    out.sendEnd(null)
    return client.headerValues('vary')
  }
  t.same(varied(TEXT), ['accept-encoding'])
  t.same(varied(TEXT, { coding: 'identity' }), ['accept-encoding'], 'who takes none gets another answer than who does')
  t.same(varied(TEXT, { coding: 'deflate' }), ['accept-encoding'])
  t.same(varied([...TEXT, 'vary', 'Origin']), ['Origin, accept-encoding'])
  t.same(varied([...TEXT, 'vary', 'Origin', 'vary', 'Accept-Encoding']), ['Origin', 'Accept-Encoding'])
  t.same(varied([...TEXT, 'vary', '*']), ['*'])
  const dropping = { ...NO_EDITS, drop: new Set(['vary']), set: ['vary', 'origin'] }
  t.same(
    varied([...TEXT, 'vary', 'x'], { edits: dropping }),
    ['accept-encoding', 'origin'],
    'a route that says its own',
  )
  t.same(varied([...TEXT, 'content-length', '5']), [])
  t.same(varied(['content-type', 'image/png']), [])
  t.same(varied([...TEXT, 'content-encoding', 'br']), [])
  t.same(varied(TEXT, {}, 206), [])
  t.same(varied(TEXT, { headers: ['cookie', 'a=b'] }), [], 'it does not depend on what it accepts')
  t.end()
})

t.test('who has the weak tag is told the weak tag', (t) => {
  const tagOf = (asked: HeaderList): (string | null)[] => {
    const { out, client } = coded({ headers: asked })
    out.respondHead(304, ['etag', '"x"', 'x-etag', 'etag'])
    out.sendEnd(null)
    return [client.header('etag'), client.header('vary')]
  }
  t.same(tagOf(['if-none-match', 'W/"x"']), ['W/"x"', 'accept-encoding'])
  t.same(tagOf(['if-none-match', '"y", W/"x"']), ['W/"x"', 'accept-encoding'])
  t.same(tagOf(['if-none-match', '"x"']), ['"x"', null])
  t.same(tagOf([]), ['"x"', null])
  t.end()
})

t.test('the service is asked plainly, and by the tags that it knows', (t) => {
  const { x } = coded({
    headers: ['if-match', 'W/"a", "b"', 'if-none-match', 'W/"a"', 'range', 'bytes=0-1', 'accept-encoding', 'br'],
  })
  t.same(x.headers, [
    'if-match',
    '"a", "b"',
    'if-none-match',
    'W/"a"',
    'range',
    'bytes=0-1',
    'accept-encoding',
    'identity',
  ])
  t.end()
})

t.test('clients of HTTP/1.0 and WebSockets are left alone', (t) => {
  const { x } = fakeExchange({ headers: ['accept-encoding', 'gzip'] })
  x.isWebSocket = true
  t.equal(answerCoder(RULES, 'all', { count() {} })(x), x)
  const old = fakeExchange({ headers: ['accept-encoding', 'gzip'] })
  Object.assign(old.x.head, { protocol: 'http/1.0' })
  old.x.route = { name: 'fake', edits: NO_EDITS } as never
  const out = answerCoder(RULES, 'all', { count() {} })(old.x)
  out.respondHead(200, TEXT)
  out.sendEnd(null)
  t.equal(old.client.header('content-encoding'), null)
  t.end()
})

t.test('a compressor that fails ends the answer as cut', async (t) => {
  const made: Compressor[] = []
  class Watched extends Compressor {
    constructor(coding: ContentCoding, level: number, length: number) {
      super(coding, level, length)
      made.push(this)
    }
  }
  const mocked = await t.mockImport<typeof import('../../src/coding/coded-answer.ts')>(
    '../../src/coding/coded-answer.ts',
    { '../../src/coding/compressors.ts': { Compressor: Watched, compressWhole, openCompressors } },
  )
  const { out, x, client, counts } = coded({ make: mocked.answerCoder })
  out.respondHead(200, TEXT)
  send(out, Buffer.from('x'.repeat(50_000)))
  made[0]!.stream.destroy(new Error('out of memory'))
  await until(() => x.finished)
  t.equal(x.failure?.code, 'internal')
  t.ok(client.aborted)
  t.notOk(client.ended)
  t.equal(counts.get('answers_not_compressed_total failed'), 1)
  t.equal(openCompressors(), 0)
})
