import fc from 'fast-check'
import t from 'tap'
import { parseRequestHead } from '../../src/http/request-head.ts'

const parse = (text: string, maxHeaders = 100) => parseRequestHead(text, maxHeaders)

t.test('a head is parsed into lower-case names and trimmed values, order and duplicates kept', (t) => {
  t.same(parse('GET /a?b HTTP/1.1\r\nHost: x\r\nX-A:  1 \t\r\nx-a:2\r\nEmpty:\r\n\r\n'), {
    method: 'GET',
    target: '/a?b',
    minor: 1,
    headers: ['host', 'x', 'x-a', '1', 'x-a', '2', 'empty', ''],
  })
  t.same(parse('M-SEARCH * HTTP/1.0\r\n\r\n'), { method: 'M-SEARCH', target: '*', minor: 0, headers: [] })
  t.same((parse('GET / HTTP/1.1\r\nA: b:c \xe4\r\n\r\n') as { headers: string[] }).headers, ['a', 'b:c \xe4'])
  t.end()
})

// Sources: RFC 9112, 2.2, 3 and 5; header-name and line tricks of published request smuggling work.
const HOSTILE: [string, string, string][] = [
  ['no method', ' / HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['no target', 'GET HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['two spaces', 'GET  / HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['space in the target', 'GET /a b HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['tab for a space', 'GET\t/ HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['trailing space', 'GET / HTTP/1.1 \r\n\r\n', 'bad-request-line'],
  ['HTTP/0.9', 'GET /\r\n\r\n', 'bad-request-line'],
  ['lower-case version', 'GET / http/1.1\r\n\r\n', 'bad-request-line'],
  ['unknown minor version', 'GET / HTTP/1.2\r\n\r\n', 'bad-version'],
  ['HTTP/2 in clear', 'PRI * HTTP/2.0\r\n\r\n', 'bad-version'],
  ['long version', 'GET / HTTP/1.10\r\n\r\n', 'bad-request-line'],
  ['control character in the method', 'G\x01T / HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['high byte in the method', 'G\xc4T / HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['bracket in the method', 'GET( / HTTP/1.1\r\n\r\n', 'bad-request-line'],
  ['bare LF between lines', 'GET / HTTP/1.1\r\nA: b\nC: d\r\n\r\n', 'bad-header'],
  ['bare CR in a value', 'GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n', 'bad-header'],
  ['bare CR before CRLF', 'GET / HTTP/1.1\r\nA: b\r\r\n\r\n', 'bad-header'],
  ['NUL in a value', 'GET / HTTP/1.1\r\nA: b\0\r\n\r\n', 'bad-header'],
  ['DEL in a value', 'GET / HTTP/1.1\r\nA: b\x7f\r\n\r\n', 'bad-header'],
  ['obs-fold with a space', 'GET / HTTP/1.1\r\nA: b\r\n c\r\n\r\n', 'bad-header'],
  ['obs-fold with a tab', 'GET / HTTP/1.1\r\nA: b\r\n\tc\r\n\r\n', 'bad-header'],
  ['a first line that is folded', 'GET / HTTP/1.1\r\n Host: x\r\n\r\n', 'bad-header'],
  ['space before the colon', 'GET / HTTP/1.1\r\nContent-Length : 5\r\n\r\n', 'bad-header'],
  ['tab before the colon', 'GET / HTTP/1.1\r\nContent-Length\t: 5\r\n\r\n', 'bad-header'],
  ['no colon', 'GET / HTTP/1.1\r\nHost\r\n\r\n', 'bad-header'],
  ['empty name', 'GET / HTTP/1.1\r\n: x\r\n\r\n', 'bad-header'],
  ['quote in a name', 'GET / HTTP/1.1\r\n"A": x\r\n\r\n', 'bad-header'],
  ['high byte in a name', 'GET / HTTP/1.1\r\nContent-Length\xa0: 5\r\n\r\n', 'bad-header'],
  ['vertical tab before a name', 'GET / HTTP/1.1\r\n\x0bTransfer-Encoding: chunked\r\n\r\n', 'bad-header'],
  ['form feed in a value', 'GET / HTTP/1.1\r\nTransfer-Encoding: \x0cchunked\r\n\r\n', 'bad-header'],
]

t.test('hostile heads are refused', (t) => {
  for (const [name, text, code] of HOSTILE) t.equal(parse(text), code, name)
  t.equal(parse(`GET / HTTP/1.1\r\n${'a: b\r\n'.repeat(4)}\r\n`, 3), 'headers-too-large')
  t.end()
})

t.test('no bytes make it throw, and what it accepts reads the same again', (t) => {
  const unit = fc.constantFrom(
    '\r\n',
    '\r',
    '\n',
    ' ',
    '\t',
    ':',
    'GET',
    '/',
    'HTTP/1.1',
    'a',
    'Host',
    '\0',
    '\xff',
    ',',
  )
  fc.assert(
    fc.property(fc.array(unit, { maxLength: 24 }), (units) => {
      const text = `GET / HTTP/1.1\r\n${units.join('')}\r\n\r\n`
      const head = parse(text.slice(0, text.indexOf('\r\n\r\n') + 4))
      if (typeof head === 'string') return true
      let again = `${head.method} ${head.target} HTTP/1.1\r\n`
      for (let i = 0; i < head.headers.length; i += 2) again += `${head.headers[i]}: ${head.headers[i + 1]}\r\n`
      const second = parse(`${again}\r\n`)
      return typeof second !== 'string' && second.headers.join('\n') === head.headers.join('\n')
    }),
    { seed: 9112, numRuns: 2000 },
  )
  t.end()
})
