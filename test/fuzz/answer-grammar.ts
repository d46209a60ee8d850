/** Answers of an upstream as HTTP/1.1 bytes, legal and mutated. It knows no gateway; what a case means is for parsers to say. */
import type { Chance } from './random.ts'

export interface AnswerCase {
  readonly method: 'GET' | 'HEAD'
  readonly bytes: Buffer
  /** The connection ends after the bytes. */
  readonly ends: boolean
  readonly isLegal: boolean
}

const STATUSES = [
  '200 OK',
  '200',
  '200 ',
  '201 Created',
  '204 No Content',
  '206 Partial Content',
  '304 Not Modified',
  '404 Not Found',
  '500 Oh \xe9',
  '299 Odd',
]
const FIELDS = [
  'Content-Type: text/plain',
  'X-A:b',
  'X-Empty:',
  'X-Tab: \ta\t ',
  'Set-Cookie: a=1',
  'Set-Cookie: b=2',
  'Connection: keep-alive',
  'Connection: x-hop',
  'X-Hop: 1',
  'Keep-Alive: timeout=5',
  'ETag: "x"',
  'Vary: a, b',
  'Server: x',
  'X-High: \xe9',
]
const BAD_STATUS_LINES = [
  'HTTP/1.1  200 OK',
  'HTTP/1.1 20 OK',
  'HTTP/1.1 2000 OK',
  'HTTP/2.0 200 OK',
  'http/1.1 200 OK',
  'HTTP/1.1 200\tOK',
  'ICY 200 OK',
  'HTTP/1.1 099 OK',
  'HTTP/1.1 700 OK',
  'HTTP/1.1 +20 OK',
  ' HTTP/1.1 200 OK',
  'HTTP/1.1 200 O\0K',
  'HTTP/1.1\x0b200 OK',
  '\r\nHTTP/1.1 200 OK',
  'HTTP/1.1 101 Switching Protocols',
  'HTTP/1.0 200 OK',
  'HTTP/1.1 600 Far',
]
const BAD_FIELDS = [
  ...[
    'Content-Length: 3',
    'Content-Length: 5, 5',
    'Content-Length: +5',
    'Content-Length: 0',
    'Content-Length: -1',
    'Content-Length:',
    'Content-Length: 0x5',
  ],
  ...[
    'Content-Length: 99999999999999999999',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: identity',
    'Transfer-Encoding: gzip, chunked',
    'Transfer-Encoding: chunked, chunked',
  ],
  ...[
    'Transfer-Encoding : chunked',
    'Transfer-Encoding: xchunked',
    'Transfer-Encoding:\x0bchunked',
    'Transfer-Encoding: chunked\0',
    'no colon',
    ' folded',
    ': x',
    'X Y: 1',
    'X: a\rb',
    'X: a\nY: b',
    'X: a\0b',
  ],
  ...[
    'Connection: close',
    'Connection: content-length',
    'Connection: transfer-encoding',
    'Upgrade: websocket',
    'X\x7f: 1',
    'X\xe9: 1',
    'Trailer: X-T',
    'X: a\r\n\r\nHTTP/1.1 200 OK',
  ],
]
const BAD_CHUNKS = [
  '5\nhello\r\n0\r\n\r\n',
  '5 \r\nhello\r\n0\r\n\r\n',
  '5\r\nhelloX\r\n0\r\n\r\n',
  '5\r\nhell\r\n0\r\n\r\n',
  'g\r\n',
  '5;\r\nhello\r\n0\r\n\r\n',
  '5\r\nhello\r\n0\n\n',
  '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
  '5\r\nhello\r\n0\r\n bad\r\n\r\n',
  '-5\r\nhello\r\n0\r\n\r\n',
  'fffffffffffffffff\r\nx',
  '5\r\nhello\r\n',
  '0x5\r\nhello\r\n0\r\n\r\n',
  '\r\n5\r\nhello\r\n0\r\n\r\n',
]

function chunked(chance: Chance, body: string): string {
  let out = ''
  for (let at = 0; at < body.length; ) {
    const size = 1 + chance.below(body.length - at)
    out += `${size.toString(16)}${chance.oneIn(6) ? ';a=b' : ''}\r\n${body.slice(at, at + size)}\r\n`
    at += size
  }
  return `${out}0\r\n${chance.oneIn(4) ? 'X-T: 1\r\n' : ''}\r\n`
}

/** `<marker>` stands in every body; `<marker-second>` in what must never be taken for an answer. */
export function makeAnswerCase(chance: Chance, marker: string): AnswerCase {
  const method = chance.oneIn(5) ? 'HEAD' : 'GET'
  const isLegal = chance.oneIn(3)
  const bodyText = `<${marker}>${chance.pick(['', '', '\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', 'z'.repeat(chance.below(5000))])}`
  const status = chance.pick(STATUSES)
  const isBodiless = method === 'HEAD' || status.startsWith('204') || status.startsWith('304')
  let line = `HTTP/1.1 ${status}`
  // Once each: HTTP/2 has no place for a second Content-Type, and such an answer is cut there.
  const fields = [...new Set(Array.from({ length: chance.below(5) }, () => chance.pick(FIELDS)))]
  let ends = false
  let body = ''
  const framing = chance.below(3)
  const at = chance.below(fields.length + 1)
  if (framing === 0) {
    fields.splice(at, 0, `Content-Length: ${bodyText.length}`)
    body = bodyText
  } else if (framing === 1) {
    fields.splice(at, 0, chance.pick(['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED']))
    body = chunked(chance, bodyText)
  } else {
    // Until the end of the connection.
    ends = true
    body = bodyText
  }
  if (isBodiless) body = ''
  let interim = ''
  for (let count = chance.oneIn(4) ? 1 + chance.below(3) : 0; count > 0; count--) {
    interim += chance.pick([
      'HTTP/1.1 100 Continue\r\n\r\n',
      'HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n',
      'HTTP/1.1 102 Processing\r\n\r\n',
    ])
  }
  if (!isLegal) {
    const kind = chance.below(9)
    if (kind === 0) line = chance.pick(BAD_STATUS_LINES)
    else if (kind < 4) fields.splice(chance.below(fields.length + 1), 0, chance.pick(BAD_FIELDS))
    else if (kind === 4) {
      fields.push('Transfer-Encoding: chunked')
      body = chance.pick(BAD_CHUNKS)
    } else if (kind === 5) {
      body = body.slice(0, chance.below(body.length + 1))
      ends = chance.oneIn(2)
    } else if (kind === 6) interim = 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(chance.pick([15, 17, 40]))
    else if (kind === 7) fields.push(chance.pick(fields.length === 0 ? ['Content-Length: 5'] : fields))
    // Another answer behind this one.
    if (kind === 8 || chance.oneIn(4)) {
      const second = `<${marker}-second>`
      body += `HTTP/1.1 200 OK\r\nContent-Length: ${second.length}\r\n\r\n${second}`
    }
  }
  const text = `${interim}${line}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`
  return { method, bytes: Buffer.from(text, 'latin1'), ends, isLegal }
}
