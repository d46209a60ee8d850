import fc from 'fast-check'
import t from 'tap'
import { CHUNKED, parseResponseHead, UNTIL_CLOSE } from '../../src/http/response-head.ts'

const parse = (text: string, isToHead = false) => parseResponseHead(text, 100, isToHead)

t.test('status, fields, length and persistence are read', (t) => {
  const table: [string, object][] = [
    ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', { status: 200, bodyLength: 5, isPersistent: true }],
    ['HTTP/1.1 200\r\nContent-Length:0\r\n\r\n', { status: 200, bodyLength: 0, isPersistent: true }],
    ['HTTP/1.1 200 \r\ncontent-length: 1\r\n\r\n', { status: 200, bodyLength: 1 }],
    ['HTTP/1.1 200 Tout va bi\xe8n\r\ncontent-length: 1\r\n\r\n', { status: 200 }],
    ['HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n', { bodyLength: CHUNKED, isPersistent: true }],
    ['HTTP/1.1 200 OK\r\n\r\n', { bodyLength: UNTIL_CLOSE, isPersistent: false }],
    ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\n', { bodyLength: 5, isPersistent: false }],
    ['HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: x\r\nconnection: Close\r\n\r\n', { isPersistent: false }],
    ['HTTP/1.0 200 OK\r\ncontent-length: 5\r\n\r\n', { bodyLength: 5, isPersistent: false }],
    ['HTTP/1.0 200 OK\r\ncontent-length: 5\r\nconnection: keep-alive\r\n\r\n', { isPersistent: true }],
    ['HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n', { bodyLength: 0 }],
    ['HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n', { bodyLength: 0 }],
    ['HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n', { status: 103, bodyLength: 0, headers: ['link', 'x'] }],
    ['HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\n', { status: 101 }],
  ]
  for (const [text, meaning] of table) t.match(parse(text), meaning, JSON.stringify(text))
  t.match(parse('HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n', true), { bodyLength: 0 }, 'no body to HEAD')
  t.match(parse('HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n', true), { bodyLength: 0 })
  t.end()
})

// RFC 9112, 4 to 6.3: what one reader takes for one length and another for another.
const HOSTILE: [string, string][] = [
  ['both lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['two lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n'],
  ['the same length twice', 'HTTP/1.1 200 OK\r\ncontent-length: 5\r\ncontent-length: 5\r\n\r\n'],
  ['a list of lengths', 'HTTP/1.1 200 OK\r\ncontent-length: 5, 5\r\n\r\n'],
  ['a signed length', 'HTTP/1.1 200 OK\r\ncontent-length: +5\r\n\r\n'],
  ['a negative length', 'HTTP/1.1 200 OK\r\ncontent-length: -5\r\n\r\n'],
  ['a hex length', 'HTTP/1.1 200 OK\r\ncontent-length: 0x5\r\n\r\n'],
  ['an empty length', 'HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n'],
  ['a huge length', 'HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n'],
  ['a length with a leading zero', 'HTTP/1.1 200 OK\r\ncontent-length: 05\r\n\r\n'],
  ['an unknown coding', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n'],
  ['two codings', 'HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n'],
  ['chunked twice', 'HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['a coding in HTTP/1.0', 'HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['HTTP/2', 'HTTP/2 200\r\n\r\n'],
  ['HTTP/1.2', 'HTTP/1.2 200 OK\r\n\r\n'],
  ['lower case', 'http/1.1 200 OK\r\n\r\n'],
  ['status 42', 'HTTP/1.1 42 OK\r\n\r\n'],
  ['status 600', 'HTTP/1.1 600 OK\r\n\r\n'],
  ['status 2000', 'HTTP/1.1 2000 OK\r\n\r\n'],
  ['status -20', 'HTTP/1.1 -20 OK\r\n\r\n'],
  ['two spaces', 'HTTP/1.1  200 OK\r\n\r\n'],
  ['a tab', 'HTTP/1.1\t200 OK\r\n\r\n'],
  ['a control character in the reason', 'HTTP/1.1 200 O\x01K\r\n\r\n'],
  ['a bare LF', 'HTTP/1.1 200 OK\r\na: b\nc: d\r\n\r\n'],
  ['a bare CR', 'HTTP/1.1 200 OK\r\na: b\rc: d\r\n\r\n'],
  ['a folded field', 'HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n'],
  ['a space before the colon', 'HTTP/1.1 200 OK\r\ncontent-length : 5\r\n\r\n'],
  ['no colon', 'HTTP/1.1 200 OK\r\ncontent-length 5\r\n\r\n'],
  ['NUL in a value', 'HTTP/1.1 200 OK\r\na: \0\r\n\r\n'],
  ['too many fields', `HTTP/1.1 200 OK\r\n${'a: b\r\n'.repeat(101)}\r\n`],
]

t.test('what can be read in two ways is not read', (t) => {
  for (const [name, text] of HOSTILE) t.equal(parse(text), null, name)
  t.end()
})

t.test('no bytes make it throw, and a length is never anything but one of its kinds', (t) => {
  const unit = fc.constantFrom(
    '\r\n',
    '\r',
    '\n',
    ' ',
    ':',
    'content-length',
    'transfer-encoding',
    'chunked',
    '5',
    '0',
    ',',
    'a',
    '\0',
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 24 }), fc.boolean(), (units, isToHead) => {
      const text = `HTTP/1.1 200 OK\r\n${units.join('')}\r\n\r\n`
      const head = parse(text.slice(0, text.indexOf('\r\n\r\n') + 4), isToHead)
      return head === null || head.bodyLength >= UNTIL_CLOSE
    }),
    { seed: 6, numRuns: 2000 },
  )
  t.end()
})
