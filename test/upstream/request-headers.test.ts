/** What an upstream is told of a request, and what no client can make it hear. */
import fc from 'fast-check'
import t from 'tap'
import { fieldLines, type HeaderList, HOP_BY_HOP } from '../../src/http/headers.ts'
import { nominatedNames, requestHeaders, requestText } from '../../src/upstream/request-headers.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const valuesOf = (headers: HeaderList, name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)

t.test('own fields pass, in order and as often as they came', async (t) => {
  const { x } = fakeExchange({ headers: ['accept', '*/*', 'x-a', '1', 'cookie', 'a=1', 'x-a', '2'] })
  const out = requestHeaders(x)
  t.same(valuesOf(out, 'x-a'), ['1', '2'])
  t.same(valuesOf(out, 'cookie'), ['a=1'])
  t.same(valuesOf(out, 'host'), ['localhost'])
})

t.test('hop-by-hop fields and what Connection names do not', async (t) => {
  const { x } = fakeExchange({
    headers: [
      ...['connection', 'close, X-Secret', 'connection', 'x-other', 'x-secret', '1', 'x-other', '2', 'te', 'trailers'],
      ...[
        'keep-alive',
        'timeout=5',
        'transfer-encoding',
        'chunked',
        'upgrade',
        'h2c',
        'proxy-authorization',
        'Basic a',
      ],
      ...['trailer', 'x-t', 'http2-settings', 'AA', 'proxy-connection', 'close', 'x-mine', 'kept'],
    ],
  })
  const out = requestHeaders(x)
  for (const name of [...HOP_BY_HOP, 'x-secret', 'x-other']) t.same(valuesOf(out, name), [], name)
  t.same(valuesOf(out, 'x-mine'), ['kept'])
})

t.test('a nomination cannot take away what the gateway says itself', async (t) => {
  const { x } = fakeExchange({ headers: ['connection', 'x-forwarded-for, host, x-real-ip, x-request-id, forwarded'] })
  const out = requestHeaders(x)
  t.same(valuesOf(out, 'x-forwarded-for'), ['192.0.2.10'])
  t.same(valuesOf(out, 'host'), ['localhost'])
  t.same(valuesOf(out, 'x-request-id'), ['request-1'])
  t.equal(valuesOf(out, 'x-real-ip').length, 1)
  t.equal(valuesOf(out, 'forwarded').length, 1)
})

t.test('hops before a trusted proxy are kept, those of anybody else are not', async (t) => {
  const headers = ['x-forwarded-for', '9.9.9.9', 'x-forwarded-for', '198.51.100.7']
  const stranger = fakeExchange({ headers }).x
  t.same(valuesOf(requestHeaders(stranger), 'x-forwarded-for'), ['192.0.2.10'])
  const proxied = fakeExchange({ headers }).x
  proxied.isFromTrustedProxy = true
  proxied.clientAddress = '198.51.100.7'
  const out = requestHeaders(proxied)
  t.same(valuesOf(out, 'x-forwarded-for'), ['9.9.9.9, 198.51.100.7, 192.0.2.10'])
  t.same(valuesOf(out, 'x-real-ip'), ['198.51.100.7'])
})

t.test('the port is the one that the client named, else the one it reached', async (t) => {
  for (const [authority, port] of [
    ['localhost', '9443'],
    ['localhost:8443', '8443'],
    ['[::1]', '9443'],
    ['[::1]:444', '444'],
  ] as const) {
    const { x } = fakeExchange()
    x.authority = authority
    t.same(valuesOf(requestHeaders(x), 'x-forwarded-port'), [port], authority)
  }
})

t.test('the handshake of the client stays with the client', async (t) => {
  const headers = [
    'sec-websocket-key',
    'a',
    'sec-websocket-version',
    '13',
    'sec-websocket-extensions',
    'permessage-deflate',
  ]
  const { x } = fakeExchange({ headers: [...headers, 'sec-websocket-protocol', 'chat'] })
  x.isWebSocket = true
  const out = requestHeaders(x)
  for (const name of ['sec-websocket-key', 'sec-websocket-version', 'sec-websocket-extensions'])
    t.same(valuesOf(out, name), [], name)
  t.same(valuesOf(out, 'sec-websocket-protocol'), ['chat'])
})

t.test('nominated names', async (t) => {
  t.equal(nominatedNames([]), null)
  t.equal(nominatedNames(['connection', 'keep-alive']), null)
  t.equal(nominatedNames(['connection', 'close']), null)
  t.same(nominatedNames(['connection', ' X-A ,b', 'connection', 'C']), new Set(['x-a', 'b', 'c']))
})

t.test('whatever comes, each of the gateway’s own fields is said once and by the gateway', async (t) => {
  const own = ['host', 'x-forwarded-for', 'x-forwarded-proto', 'x-forwarded-host', 'x-forwarded-port', 'x-real-ip']
  const name = fc.oneof(
    fc.constantFrom(...own, 'forwarded', 'x-request-id', 'traceparent', 'connection', 'content-length'),
    fc.constantFrom('x-a', 'te', 'upgrade'),
  )
  const value = fc.constantFrom('evil', 'x-forwarded-for', 'close', 'host, x-real-ip', '1')
  fc.assert(
    fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), (fields) => {
      const out = requestHeaders(fakeExchange({ headers: fields.flat() }).x)
      for (const each of [...own, 'forwarded', 'x-request-id', 'traceparent']) {
        const values = valuesOf(out, each)
        if (values.length !== 1 || values[0]!.includes('evil')) throw new Error(`${each}: ${values.join()}`)
      }
      for (const each of ['content-length', 'connection', 'te', 'upgrade'])
        if (valuesOf(out, each).length > 0) throw new Error(each)
    }),
    { numRuns: 300, seed: 7 },
  )
  t.pass()
})

t.test(
  'the text says what the list says, also where the head came before and what stood beside it has changed',
  async (t) => {
    const { x } = fakeExchange({ headers: ['accept', '*/*', 'x-a', '1', 'connection', 'x-a'] })
    const check = (what: string, target = '/a?b') => {
      const wanted = `${x.method} ${target} HTTP/1.1\r\n${fieldLines(requestHeaders(x))}`
      for (let i = 0; i < 3; i++) t.equal(requestText(x, target), wanted, what)
    }
    check('at first')
    x.id = 'another'
    x.traceparent = '00-1-2-01'
    check('other ids')
    check('another target', '/c')
    x.method = 'OPTIONS'
    check('another method')
    x.headers = ['accept', '*/*', 'x-a', '1']
    check('fewer fields')
    x.headers = [...x.headers]
    check('the same fields in another list')
    x.headers = ['accept', '*/*', 'x-a', '2']
    check('another value')
    x.authority = 'other.example:1'
    check('another authority')
    x.scheme = 'http'
    check('another scheme')
    x.clientAddress = '198.51.100.9'
    check('another client')
    x.isFromTrustedProxy = true
    x.headers = ['x-forwarded-for', '203.0.113.5']
    check('a trusted proxy')
    x.isFromTrustedProxy = false
    check('one that is trusted no more')
  },
)
