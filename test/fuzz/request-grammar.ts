/**
 * Requests as HTTP/1.1 bytes: legal ones by a grammar, and mutations of their parts that look like what smuggling is made
 * of. It knows no server; what a case means is for parsers to say.
 */
import type { Chance } from './random.ts'

export interface RequestCase {
  /** All bytes of the connection. */
  readonly bytes: Buffer
  /** No mutation: each request has to be served. */
  readonly isLegal: boolean
  readonly requests: number
}

/** The parts of one request, each to be mutated by itself. */
interface Parts {
  method: string
  target: string
  version: string
  /** Whole lines without their ends. */
  fields: string[]
  lineEnd: string
  body: string
}

const METHODS = ['GET', 'GET', 'GET', 'POST', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'HEAD']
const BODY_METHODS = new Set(['POST', 'PUT', 'PATCH'])
const SEGMENTS = [
  'a',
  'Api',
  'x-1',
  '%41',
  '%e2%82%ac',
  '%20',
  '~b',
  'c;d=1',
  'a.b',
  '..a',
  'index.html',
  "!$&'()*+,",
  '%7E',
  '%3F',
  '%25',
]
const QUERIES = ['', '', '?', '?a=b', '?a=%20&b=c', '?a=b?c', '?/../', '?x=%2f', "?q='1'", '?a[]=1']
const LEGAL_FIELDS = [
  'Accept: */*',
  'accept-encoding: gzip, br',
  'X-Empty:',
  'X-Spaces:   a  b   ',
  'X-Tab:\ta\tb',
  "X-Token!#$%&'*+^`|~: 1",
  'Cookie: a=1; b=2',
  'X-Twice: 1',
  'X-Twice: 2',
  'X-High: \xe9\xff',
  'Connection: keep-alive',
  'Connection: x-hop, keep-alive',
  'X-Hop: 1',
  'Keep-Alive: timeout=5',
  'TE: trailers',
  'Via: 1.1 before',
  'Range: bytes=0-1',
  'Content-Type: text/plain',
  'X-Forwarded-For: 1.2.3.4',
  'Content_Length: 3',
  'X.Dot: 1',
]

/** What a body may hold to be taken for something else. */
const smuggled = (id: string): string => `GET /smuggled-${id} HTTP/1.1\r\nHost: localhost\r\nX-A: b\r\n\r\n`

function legalTarget(chance: Chance, id: string): string {
  let path = `/${id}`
  for (let count = chance.below(4); count > 0; count--) path += `/${chance.pick(SEGMENTS)}`
  if (chance.oneIn(6)) path += '/./b/../c'
  if (chance.oneIn(8)) path = path.replace('/', '//')
  const target = path + chance.pick(QUERIES)
  return chance.oneIn(10) ? `https://localhost${target.startsWith('//') ? target.slice(1) : target}` : target
}

function chunked(chance: Chance, body: string): string {
  let out = ''
  let at = 0
  while (at < body.length) {
    const size = 1 + chance.below(body.length - at)
    const digits = size.toString(16)
    const spelled = chance.pick([digits, digits.toUpperCase(), `0${digits}`, digits])
    const extension = chance.oneIn(5) ? chance.pick([';a', ';a=b', ';a="b c"', ';a;b=1;c="\\""']) : ''
    out += `${spelled}${extension}\r\n${body.slice(at, at + size)}\r\n`
    at += size
  }
  const trailers = chance.oneIn(5) ? 'X-Trailer: 1\r\n' : ''
  return `${out}${chance.pick(['0', '0', '00'])}\r\n${trailers}\r\n`
}

function legalRequest(chance: Chance, id: string): Parts {
  const method = chance.pick(METHODS)
  const fields = ['Host: localhost']
  for (let count = chance.below(5); count > 0; count--) {
    const field = chance.pick(LEGAL_FIELDS)
    // One that is judged stands once.
    if (!field.startsWith('Content-Type') || !fields.includes(field))
      fields.splice(chance.below(fields.length + 1), 0, field)
  }
  const parts: Parts = {
    method,
    target: legalTarget(chance, id),
    version: 'HTTP/1.1',
    fields,
    lineEnd: '\r\n',
    body: '',
  }
  if (BODY_METHODS.has(method) || chance.oneIn(8)) {
    const text = chance.pick(['', 'x', 'hello', smuggled(id), '0\r\n\r\n', '\r\n\r\n', 'y'.repeat(chance.below(3000))])
    if (chance.oneIn(2)) {
      fields.splice(chance.below(fields.length + 1), 0, `Content-Length: ${text.length}`)
      parts.body = text
    } else {
      fields.splice(
        chance.below(fields.length + 1),
        0,
        chance.pick(['Transfer-Encoding: chunked', 'transfer-encoding:CHUNKED']),
      )
      parts.body = chunked(chance, text)
    }
  }
  return parts
}

type Mutation = (parts: Parts, chance: Chance, id: string) => void

const LENGTHS = [
  '0',
  '1',
  '5',
  '00',
  '05',
  '+5',
  '-1',
  '5,5',
  '5, 6',
  '0x5',
  '5 ',
  '5;',
  '',
  '99999999999999999999',
  '5.0',
  '1e1',
  '\v5',
  '5\0',
]
const CODINGS = [
  ...['chunked', 'xchunked', 'chunked, identity', 'identity, chunked', 'gzip, chunked', 'chunked, chunked', 'identity'],
  ...[
    'chunked\0',
    '\x0bchunked',
    'chunked;q=1',
    '"chunked"',
    'chunKed',
    ' chunked',
    'chunked,',
    ',chunked',
    'chun\xe7ked',
    '',
  ],
]
const NAMES = [
  'Transfer-Encoding',
  'Content-Length',
  'Transfer_Encoding',
  'transfer-encoding',
  'Transfer-Encoding ',
  ' Transfer-Encoding',
  'Transfer-Encoding\t',
  'X\r\nTransfer-Encoding',
  'Content-Length\0',
  'content-length',
]
const LINES = [
  ...[
    'no colon',
    ': no name',
    ' folded: 1',
    '\tfolded',
    'X\x7f: 1',
    'X: a\0b',
    'X: a\rb',
    'X: a\nb',
    'X Y: 1',
    'X\xe9: 1',
  ],
  ...['Host: other', 'Host: localhost', 'Host : localhost', 'host:localhost:1', 'Expect: 100-continue', 'Expect: what'],
  ...['Upgrade: websocket', 'Upgrade: h2c', 'Connection: upgrade', 'Connection: close', 'Connection: content-length'],
  ...['Connection: transfer-encoding', 'Connection: host', 'Max-Forwards: 0', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
  ...['X-HTTP-Method-Override: DELETE', 'X-Original-URL: /admin', 'Trailer: Content-Length'],
]
const TARGETS = [
  ...[
    '/a b',
    '/%2e%2e/x',
    '/..',
    '/%',
    '/%zz',
    '/%00',
    '/%2f',
    '/\\',
    '/a\\..\\b',
    '/#x',
    '*',
    'http://other/x',
    'localhost:443',
  ],
  ...[
    '/%c0%ae',
    '/\xff',
    '/\x01',
    '//other/x',
    '///',
    '/;/../x',
    '/..;/x',
    '/a/%2e./b',
    'https://localhost',
    'https://localhost?x',
  ],
  ...[
    'https://localhost:443/x',
    'http://localhost/x',
    'https://user@localhost/x',
    '/%u0041',
    '?x',
    'x',
    '/\t',
    '/%ed%a0%80',
    '/a?b\xe9',
    '/a?%00',
  ],
]
const VERSIONS = [
  'HTTP/1.0',
  'HTTP/1.1 ',
  'HTTP/1.10',
  'HTTP/2.0',
  'HTTP/0.9',
  'http/1.1',
  'HTTP/1.1\t',
  ' HTTP/1.1',
  '',
  'HTTP/1,1',
  'HTTP/01.1',
  'HTTPS/1.1',
]
const METHOD_MUTANTS = [
  'get',
  'G E T',
  'TRACE',
  'CONNECT',
  'PRI',
  'M-SEARCH',
  '',
  'GET\t',
  ' GET',
  '\r\nGET',
  'G\xcbT',
  'GET\0',
  'BREW',
  'HEAD',
]
const CHUNKS = [
  ...[
    '5\r\nhello\n0\r\n\r\n',
    '5\nhello\r\n0\r\n\r\n',
    '5 \r\nhello\r\n0\r\n\r\n',
    ' 5\r\nhello\r\n0\r\n\r\n',
    '0x5\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '+5\r\nhello\r\n0\r\n\r\n',
    '5;\nhello\r\n0\r\n\r\n',
    '5\r\nhelloX\r\n0\r\n\r\n',
    '5\r\nhell\r\n0\r\n\r\n',
    'fffffffffffffffff\r\n',
  ],
  ...[
    '5\r\nhello\r\n0\n\n',
    '5\r\nhello\r\n0\r\nX: 1\n\r\n',
    '5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n',
    '5\r\nhello\r\n0\r\n bad\r\n\r\n',
  ],
  ...[
    '\r\n5\r\nhello\r\n0\r\n\r\n',
    '5\r\r\nhello\r\n0\r\n\r\n',
    '5;a\rb\r\nhello\r\n0\r\n\r\n',
    '5;a=\x01\r\nhello\r\n0\r\n\r\n',
    '-1\r\n\r\n',
    '5;;\r\nhello\r\n0\r\n\r\n',
    '5;a="b\r\nhello\r\n0\r\n\r\n',
    '5_\r\nhello\r\n0\r\n\r\n',
  ],
]

const MUTATIONS: readonly Mutation[] = [
  (parts, chance) => parts.fields.push(`Content-Length: ${chance.pick(LENGTHS)}`),
  (parts, chance) => parts.fields.unshift(`Transfer-Encoding: ${chance.pick(CODINGS)}`),
  (parts, chance) =>
    parts.fields.push(
      `${chance.pick(NAMES)}:${chance.pick([' ', '', '\t', '\r\n '])}${chance.pick([...LENGTHS, ...CODINGS])}`,
    ),
  (parts, chance) => parts.fields.splice(chance.below(parts.fields.length + 1), 0, chance.pick(LINES)),
  (parts, chance) => {
    const field = parts.fields.length === 0 ? 'Host: localhost' : chance.pick(parts.fields)
    parts.fields.push(chance.oneIn(2) ? field : field.toUpperCase())
  },
  (parts, chance) => {
    const at = chance.below(parts.fields.length)
    parts.fields.splice(at, 1)
  },
  (parts, chance, id) => {
    parts.target = chance.pick(TARGETS).replace('/', `/${id}/`)
  },
  (parts, chance) => {
    parts.version = chance.pick(VERSIONS)
  },
  (parts, chance) => {
    parts.method = chance.pick(METHOD_MUTANTS)
  },
  (parts, chance) => {
    parts.lineEnd = chance.pick(['\n', '\r', '\r\r\n', '\n\r', '\r\n\r\n', ' \r\n'])
  },
  (parts, chance) => {
    parts.fields.push('Transfer-Encoding: chunked')
    parts.body = chance.pick(CHUNKS)
  },
  (parts, chance) => {
    parts.body = parts.body.slice(0, chance.below(parts.body.length + 1))
  },
  (parts, _chance, id) => {
    parts.body += smuggled(id)
  },
  (parts, chance, id) => {
    // Another request inside a field, a target, a chunk.
    const text = `x\r\n\r\n${smuggled(id)}`
    if (chance.oneIn(2)) parts.fields.push(`X-In: ${text}`)
    else parts.target += text
  },
]

function write(parts: Parts): string {
  const { lineEnd } = parts
  const line = [parts.method, parts.target, parts.version].join(' ')
  return `${line}${lineEnd}${parts.fields.map((field) => `${field}\r\n`).join('')}\r\n${parts.body}`
}

/** Any byte of the whole: changed, doubled, left out. */
function mutateBytes(bytes: Buffer, chance: Chance): Buffer {
  const at = chance.below(bytes.length)
  const other = Buffer.from([chance.pick([0, 9, 10, 13, 32, 58, 44, 48, 53, 59, 127, 255, chance.below(256)])])
  const kept = bytes.subarray(at + chance.below(2))
  return Buffer.concat([bytes.subarray(0, at), ...(chance.oneIn(3) ? [] : [other]), kept])
}

/** `id` marks every target of the case. The last request of a legal case asks to close. */
export function makeRequestCase(chance: Chance, id: string): RequestCase {
  const requests = 1 + chance.below(4)
  const isLegal = chance.oneIn(4)
  let text = ''
  for (let i = 0; i < requests; i++) {
    const own = `${id}-${i}`
    const parts = legalRequest(chance, own)
    if (!isLegal && chance.oneIn(2)) {
      for (let count = 1 + chance.below(2); count > 0; count--) chance.pick(MUTATIONS)(parts, chance, own)
    }
    text += write(parts)
    if (chance.oneIn(12)) text += '\r\n'
  }
  if (isLegal) text += `GET /${id}-last HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`
  const bytes = Buffer.from(text, 'latin1')
  const isMutated = !isLegal && chance.oneIn(3)
  return { bytes: isMutated ? mutateBytes(bytes, chance) : bytes, isLegal, requests: requests + 1 }
}
