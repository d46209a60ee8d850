import fc from 'fast-check'
import t from 'tap'
import { bodyFraming, isWebSocketConnect, isWebSocketHandshake, streamBodyLength } from '../../src/http/framing.ts'

const CL = 'content-length'
const TE = 'transfer-encoding'

t.test('the length of a request has one reading', (t) => {
  t.equal(bodyFraming([], 'http/1.1'), 0)
  t.equal(bodyFraming([CL, '0'], 'http/1.1'), 0)
  t.equal(bodyFraming([CL, '12'], 'http/1.0'), 12)
  t.equal(bodyFraming([CL, '999999999999999'], 'http/1.1'), 999_999_999_999_999)
  t.equal(bodyFraming([TE, 'chunked'], 'http/1.1'), -1)
  t.equal(bodyFraming([TE, 'Chunked'], 'http/1.1'), -1)
  t.end()
})

t.test('an ambiguous length is refused', (t) => {
  const lengths = [
    '',
    ' 5',
    '5 ',
    '+5',
    '-5',
    '5,5',
    '5, 5',
    '0x5',
    '5a',
    '05',
    '00',
    '5.0',
    '1e3',
    '\x0b5',
    '\u0665',
    '5;',
  ]
  for (const value of [...lengths, '1000000000000000', '99999999999999999999']) {
    t.equal(bodyFraming([CL, value], 'http/1.1'), 'bad-framing', JSON.stringify(value))
  }
  const codings = [
    '',
    'identity',
    'gzip',
    'gzip, chunked',
    'chunked, chunked',
    'chunked, gzip',
    'chunked,',
    ', chunked',
  ]
  const odd = [
    ' chunked',
    'chunked ',
    '\x0bchunked',
    'chunked;q=1',
    'xchunked',
    'chunkedx',
    '"chunked"',
    'chun\u212aed',
  ]
  for (const value of [...codings, ...odd]) {
    t.equal(bodyFraming([TE, value], 'http/1.1'), 'bad-framing', JSON.stringify(value))
  }
  t.equal(bodyFraming([CL, '5', CL, '5'], 'http/1.1'), 'bad-framing', 'repeated and equal')
  t.equal(bodyFraming([CL, '5', CL, '6'], 'http/1.1'), 'bad-framing', 'repeated and different')
  t.equal(bodyFraming([TE, 'chunked', TE, 'chunked'], 'http/1.1'), 'bad-framing', 'two codings')
  t.equal(bodyFraming([TE, 'chunked', TE, 'identity'], 'http/1.1'), 'bad-framing')
  t.equal(bodyFraming([CL, '5', TE, 'chunked'], 'http/1.1'), 'bad-framing', 'both')
  t.equal(bodyFraming([TE, 'chunked', CL, '0'], 'http/1.1'), 'bad-framing', 'both, the other way round')
  t.equal(bodyFraming([TE, 'chunked'], 'http/1.0'), 'bad-framing', 'HTTP/1.0 has no transfer codings')
  t.end()
})

t.test('a length is a number or a refusal, whatever is sent', (t) => {
  const field = fc.tuple(fc.constantFrom(CL, TE, 'x'), fc.oneof(fc.string(), fc.constantFrom('5', 'chunked', '0')))
  fc.assert(
    fc.property(fc.array(field, { maxLength: 4 }), (fields) => {
      const found = bodyFraming(fields.flat(), 'http/1.1')
      const lengths = fields.filter(([name]) => name === CL)
      const codings = fields.filter(([name]) => name === TE)
      const isClear = lengths.length + codings.length <= 1
      if (!isClear) return found === 'bad-framing'
      return found === 'bad-framing' || (Number.isSafeInteger(found) && found >= -1)
    }),
    { seed: 1, numRuns: 5000 },
  )
  t.end()
})

t.test('the length of an HTTP/2 request agrees with its stream', (t) => {
  t.equal(streamBodyLength([], true), 0)
  t.equal(streamBodyLength([], false), -1)
  t.equal(streamBodyLength([CL, '7'], false), 7)
  t.equal(streamBodyLength([CL, '0'], true), 0)
  t.equal(streamBodyLength([CL, '0'], false), 0)
  t.equal(streamBodyLength([CL, '7'], true), 'bad-framing')
  t.equal(streamBodyLength([CL, '7', CL, '7'], false), 'bad-framing')
  t.equal(streamBodyLength([TE, 'chunked'], false), 'bad-framing')
  t.end()
})

const HANDSHAKE = {
  host: 'h',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-version': '13',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
}
const handshake = (change: Record<string, string | null>) =>
  Object.entries({ ...HANDSHAKE, ...change }).flatMap(([name, value]) => (value === null ? [] : [name, value]))

t.test('only a complete handshake is an upgrade', (t) => {
  const ask = (change: Record<string, string | null>, method = 'GET', version = 'http/1.1') =>
    isWebSocketHandshake(method, version, handshake(change))
  t.equal(ask({}), 'yes')
  t.equal(ask({ upgrade: 'WebSocket', connection: 'keep-alive, upgrade' }), 'yes')
  t.equal(ask({ [CL]: '0' }), 'yes')
  t.equal(ask({ upgrade: null }), 'no')
  t.equal(ask({ upgrade: 'h2c' }), 'no')
  t.equal(ask({ upgrade: 'websocketx' }), 'no')
  t.equal(ask({}, 'GET', 'http/1.0'), 'no')
  t.equal(ask({}, 'POST'), 'bad')
  t.equal(ask({ upgrade: 'h2c, websocket', connection: null }), 'bad')
  for (const name of ['host', 'connection', 'sec-websocket-version', 'sec-websocket-key']) {
    t.equal(ask({ [name]: null }), 'bad', `without ${name}`)
    const value = HANDSHAKE[name as keyof typeof HANDSHAKE]
    if (name !== 'connection')
      t.equal(isWebSocketHandshake('GET', 'http/1.1', [...handshake({}), name, value]), 'bad', name)
  }
  t.equal(ask({ connection: 'close' }), 'bad')
  t.equal(ask({ 'sec-websocket-version': '8' }), 'bad')
  t.equal(ask({ 'sec-websocket-version': '13, 8' }), 'bad')
  for (const key of [
    '',
    'x',
    'dGhlIHNhbXBsZSBub25jZQ',
    'dGhlIHNhbXBsZSBub25jZQ== ',
    'dGhlIHNhbXBsZSBub25jZQAA',
    'YQ==',
  ]) {
    t.equal(ask({ 'sec-websocket-key': key }), 'bad', key)
  }
  t.equal(ask({ [CL]: '5' }), 'bad')
  t.equal(ask({ [TE]: 'chunked' }), 'bad')
  t.end()
})

t.test('an extended CONNECT opens a WebSocket and nothing else', (t) => {
  const version = ['sec-websocket-version', '13']
  t.equal(isWebSocketConnect(null, version), 'no')
  t.equal(isWebSocketConnect('websocket', version), 'yes')
  t.equal(isWebSocketConnect('websocket', []), 'bad')
  t.equal(isWebSocketConnect('connect-udp', version), 'bad')
  t.equal(isWebSocketConnect('websocket', [...version, 'upgrade', 'websocket']), 'bad')
  t.equal(isWebSocketConnect('websocket', [...version, CL, '0']), 'bad')
  t.end()
})
