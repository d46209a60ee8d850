/**
 * The table of hostile HTTP/1.x requests: what attackers send so that two parsers read two things. Each row names where the
 * idea is published; the bytes are our own. It knows no gateway: `{id}` stands for the row's marker, `{host}` for Host.
 */

/** What of a row may reach the upstream. */
export type Passes =
  /** Not a byte. */
  | 'nothing'
  /** The legal head, never a whole request: the mistake is in the body, which streams. */
  | 'begun'
  /** The legal request before the bad one, whole and once. */
  | 'first'

export interface HostileRequest {
  readonly name: string
  /** Where the idea comes from. */
  readonly source: string
  /** latin1. */
  readonly bytes: string
  readonly passes: Passes
}

const rows: HostileRequest[] = []

function add(name: string, source: string, bytes: string, passes: Passes = 'nothing'): void {
  rows.push({ name, source, bytes, passes })
}

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (...fields: string[]): string => head('GET /{id} HTTP/1.1', 'Host: {host}', ...fields)
const post = (...fields: string[]): string => head('POST /{id} HTTP/1.1', 'Host: {host}', ...fields)
/** What the attacker wants the upstream to see. Nearly every row ends in it. */
const SECOND = head('GET /{id}-second HTTP/1.1', 'Host: {host}')
const CHUNKED_SECOND = `0\r\n\r\n${SECOND}`
const PORTSWIGGER_2019 = 'PortSwigger: HTTP desync attacks (2019)'
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')
const printable = (text: string): string =>
  JSON.stringify(text.length > 40 ? `${text.slice(0, 40)}…` : text).replace(/[\x7f-\xff]/g, (each) => {
    return `\\x${each.charCodeAt(0).toString(16)}`
  })

// --- both lengths ---

for (const [name, fields] of [
  ['CL.TE', ['Content-Length: 6', 'Transfer-Encoding: chunked']],
  ['TE.CL', ['Transfer-Encoding: chunked', 'Content-Length: 4']],
  ['CL.TE with length 0', ['Content-Length: 0', 'Transfer-Encoding: chunked']],
  ['CL.TE with the true length', ['Content-Length: 5', 'Transfer-Encoding: chunked']],
  ['CL.TE with other names between', ['Content-Length: 6', 'X-A: b', 'Transfer-Encoding: chunked']],
  ['CL.TE in upper case', ['CONTENT-LENGTH: 6', 'TRANSFER-ENCODING: CHUNKED']],
  [
    'CL.TE where Connection nominates the length',
    ['Connection: content-length', 'Content-Length: 6', 'Transfer-Encoding: chunked'],
  ],
  [
    'CL.TE where Connection nominates the coding',
    ['Connection: transfer-encoding', 'Content-Length: 6', 'Transfer-Encoding: chunked'],
  ],
  ['TE.CL with identity', ['Transfer-Encoding: identity', 'Content-Length: 5']],
  ['TE.CL with two lengths', ['Content-Length: 5', 'Transfer-Encoding: chunked', 'Content-Length: 5']],
  ['an empty coding beside a length', ['Transfer-Encoding:', 'Content-Length: 5']],
  ['TE.CL with TE', ['TE: chunked', 'Transfer-Encoding: chunked', 'Content-Length: 5']],
] as const) {
  add(name, `RFC 9112 6.3; ${PORTSWIGGER_2019}`, post(...fields) + CHUNKED_SECOND)
}
add('GET with both lengths', 'RFC 9112 6.1', get('Content-Length: 6', 'Transfer-Encoding: chunked') + CHUNKED_SECOND)
add(
  'both lengths, keep-alive',
  'haproxy: h1 conformance',
  post('Connection: keep-alive', 'Content-Length: 6', 'Transfer-Encoding: chunked') + CHUNKED_SECOND,
)

// --- transfer codings ---

const BAD_CODINGS = [
  ...['', ' ', 'x', 'xchunked', 'chunkedx', 'chunk', 'chunke', 'hunked', 'chu nked', 'c hunked', 'chunked chunked'],
  ...[
    'chunked, identity',
    'identity, chunked',
    'identity',
    'chunked, chunked',
    'chunked,',
    ',chunked',
    ', chunked',
    'chunked,,',
  ],
  ...[
    'gzip',
    'gzip, chunked',
    'chunked, gzip',
    'deflate, chunked',
    'compress',
    'br, chunked',
    'trailers',
    'cow',
    'cow, chunked',
  ],
  ...[
    'chunked, cow',
    '"chunked"',
    "'chunked'",
    '`chunked`',
    'chunked;',
    'chunked;q=1',
    'chunked; a=b',
    'chunked;q=0',
    'x;chunked',
  ],
  ...[
    '[chunked]',
    '(chunked)',
    '<chunked>',
    'chunked (comment)',
    '(comment) chunked',
    'chunked identity',
    'chunked\tidentity',
  ],
  ...[
    '\x0bchunked',
    'chunked\x0b',
    '\x0cchunked',
    'chunked\x0c',
    'chunked\x00',
    '\x00chunked',
    'chun\x00ked',
    'chunked\x7f',
    'chunked\x08',
  ],
  ...['\xa0chunked', 'chunked\xa0', '\x85chunked', 'chunked\xff', 'chunked\x80', '\xefchunked', utf8('chun\u212aed')],
  ...[utf8('\u00a0chunked'), utf8('chunked\u200b'), utf8('\ufeffchunked'), utf8('ｃhunked')],
  ...[
    'ch%75nked',
    'chunked%20',
    '=?utf-8?q?chunked?=',
    'chun\\ked',
    '\\chunked',
    'chunked\\',
    '*',
    '0',
    'null',
    'chunked/1.0',
    'chunked=1',
  ],
  ...[
    'chunked:',
    ':chunked',
    'chunked.',
    '-chunked',
    '+chunked',
    'chunked\\r\\n',
    '\\x0bchunked',
    'Transfer-Encoding: chunked',
  ],
]
for (const value of BAD_CODINGS) {
  add(
    `Transfer-Encoding ${printable(value)}`,
    `${PORTSWIGGER_2019}, TE.TE; llhttp: transfer-encoding tests`,
    post(`Transfer-Encoding: ${value}`) + CHUNKED_SECOND,
  )
}
for (const value of ['xchunked', 'identity', 'chunked, identity', '\x0bchunked', 'chunked\xa0', '', 'gzip, chunked']) {
  add(
    `Content-Length beside Transfer-Encoding ${printable(value)}`,
    'CVE-2022-32213; RFC 9112 6.3',
    post('Content-Length: 5', `Transfer-Encoding: ${value}`) + CHUNKED_SECOND,
  )
}
const CODING_LINES = [
  ...[
    'Transfer-Encoding : chunked',
    'Transfer-Encoding\t: chunked',
    'Transfer-Encoding  : chunked',
    ' Transfer-Encoding: chunked',
    '\tTransfer-Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding',
    'Transfer-Encoding chunked',
    'Transfer-Encoding= chunked',
    'Transfer-Encoding;chunked',
    'Transfer Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding\x00: chunked',
    'Transfer-\x00Encoding: chunked',
    '\x00Transfer-Encoding: chunked',
    'Transfer-Encoding\x0b: chunked',
  ],
  ...[
    'Transfer-Encoding\xa0: chunked',
    '\xa0Transfer-Encoding: chunked',
    'Tra\x01nsfer-Encoding: chunked',
    '\x7fTransfer-Encoding: chunked',
    '\x08Transfer-Encoding: chunked',
  ],
  ...[
    '"Transfer-Encoding": chunked',
    '(Transfer-Encoding): chunked',
    'Transfer-Encoding,: chunked',
    'Transfer/Encoding: chunked',
    'Transfer-Encoding\\: chunked',
  ],
  ...[
    '[Transfer-Encoding]: chunked',
    '{Transfer-Encoding}: chunked',
    '<Transfer-Encoding>: chunked',
    '@Transfer-Encoding: chunked',
    '=Transfer-Encoding: chunked',
  ],
  ...[
    '?Transfer-Encoding: chunked',
    ':Transfer-Encoding: chunked',
    `${utf8('Transfer‐Encoding')}: chunked`,
    `${utf8('\ufeff')}Transfer-Encoding: chunked`,
    ': chunked',
  ],
  ...[
    'Transfer-Encoding:\r\n chunked',
    'Transfer-Encoding:\r\n\tchunked',
    'Transfer-Encoding:\n chunked',
    'Transfer-Encoding: chunked\r\n , identity',
    'Transfer-Encoding: chunked\r\n ',
  ],
  ...[
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: identity',
    'Transfer-Encoding: identity\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding: chunked\r\ntransfer-encoding: x',
    'Transfer-Encoding:\r\nTransfer-Encoding: chunked',
    'Transfer-Encoding: chunked\r\nTransfer-Encoding:',
  ],
  ...[
    'X: y\nTransfer-Encoding: chunked',
    'X: y\rTransfer-Encoding: chunked',
    'X: y\r\rTransfer-Encoding: chunked',
    'X: y\n\rTransfer-Encoding: chunked',
    'X: y\r\r\nTransfer-Encoding: chunked',
  ],
  ...[
    'Transfer-Encoding: chunked\r',
    'Transfer-Encoding: chunked\n',
    'Transfer-Encoding: \rchunked',
    'Transfer-Encoding: \nchunked',
    'Transfer-\r\nEncoding: chunked',
    'Transfer-Encoding\r\n: chunked',
  ],
]
for (const line of CODING_LINES) {
  add(
    `line ${printable(line)}`,
    `${PORTSWIGGER_2019}, TE.TE; CVE-2022-32214, CVE-2022-32215; RFC 9112 5.1, 5.2`,
    post('Content-Length: 5', line) + CHUNKED_SECOND,
  )
}
for (const fields of [
  ['Host: {host}', 'Transfer-Encoding: chunked'],
  ['Host: {host}', 'Connection: keep-alive', 'Transfer-Encoding: chunked'],
  ['Host: {host}', 'Transfer-Encoding: identity'],
]) {
  add(
    `HTTP/1.0 with ${fields.slice(1).join(', ')}`,
    'RFC 9112 6.1: a coding in HTTP/1.0 is faulty framing',
    head('POST /{id} HTTP/1.0', ...fields) + CHUNKED_SECOND,
  )
}

// --- content lengths ---

const BAD_LENGTHS = [
  ...[
    '',
    ' ',
    '+5',
    '-5',
    '-0',
    '+0',
    '--5',
    '5-',
    '05',
    '005',
    '00',
    '0x5',
    '0X5',
    '5h',
    '0b101',
    '0o5',
    '5.0',
    '.5',
    '5.',
    '5e0',
    '1e1',
    '5_0',
  ],
  ...[
    '5,5',
    '5, 5',
    '5,6',
    '6,5',
    '5 ,5',
    ',5',
    '5,',
    ',',
    '5;',
    '5;5',
    '5 5',
    '5\t5',
    '0 5',
    '5 0',
    '"5"',
    "'5'",
    '5a',
    'a5',
    'five',
    'NaN',
    'Infinity',
  ],
  ...[
    'null',
    'true',
    'undefined',
    '5\x00',
    '\x005',
    '5\x0b',
    '\x0b5',
    '5\x0c',
    '\x0c5',
    '5\x7f',
    '5\xa0',
    '\xa05',
    '5\x85',
    '\xb2',
    utf8('５'),
    utf8('٥'),
  ],
  ...[
    '%35',
    '5%',
    '#5',
    '$5',
    '5#',
    '(5)',
    '5 (five)',
    '5/5',
    '5\\',
    '\\5',
    '18446744073709551616',
    '18446744073709551621',
    '9223372036854775808',
  ],
  ...[
    '99999999999999999999999999',
    '9007199254740993',
    '4294967296000000000',
    '5\r\n 5',
    '5\r\n\t0',
    '\r\n 5',
    '5\n',
    '5\r',
    '5\rX: y',
    '5\nX: y',
  ],
]
for (const value of BAD_LENGTHS) {
  add(
    `Content-Length ${printable(value)}`,
    'RFC 9112 6.2; CVE-2018-7159; llhttp: content-length tests',
    `${post(`Content-Length: ${value}`)}hello${SECOND}`,
  )
}
for (const value of ['65537', '1000000', '4294967301', '999999999999999']) {
  add(
    `Content-Length ${value}, over the limit`,
    'RFC 9110 15.5.14; integer wrap at 2^32',
    `${post(`Content-Length: ${value}`)}hello${SECOND}`,
  )
}
const LENGTH_LINES = [
  ...[
    'Content-Length: 5\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 6',
    'Content-Length: 0\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length: 0',
  ],
  ...[
    'Content-Length: 5\r\ncontent-length: 5',
    'Content-Length: 5\r\nX: y\r\nContent-Length: 5',
    'Content-Length:\r\nContent-Length: 5',
    'Content-Length: 5\r\nContent-Length:',
    'Content-Length: 5\r\nContent-Length: x',
  ],
  ...[
    'Content-Length : 5',
    'Content-Length\t: 5',
    ' Content-Length: 5',
    '\tContent-Length: 5',
    'Content-Length',
    'Content-Length 5',
    'Content-Length=5',
    'Content Length: 5',
    'Content-Length\x00: 5',
  ],
  ...[
    'Content-Length\x0b: 5',
    '\x00Content-Length: 5',
    'Content-Length\xa0: 5',
    '"Content-Length": 5',
    'Content-Length:\n5',
    'X: y\nContent-Length: 5',
    'X: y\rContent-Length: 5',
    'Content-\r\n Length: 5',
    'Content-Length\r\n: 5',
  ],
]
for (const line of LENGTH_LINES) {
  add(
    `line ${printable(line)}`,
    'RFC 9112 5.1, 6.3; CVE-2020-8287; Apache Traffic Server CVE-2018-8004',
    `${post(line)}hello${SECOND}`,
  )
}
for (const [name, bytes] of [
  ['GET with two lengths', `${get('Content-Length: 5', 'Content-Length: 0')}hello${SECOND}`],
  [
    'HEAD with two lengths',
    `${head('HEAD /{id} HTTP/1.1', 'Host: {host}', 'Content-Length: 5', 'Content-Length: 5')}hello${SECOND}`,
  ],
  [
    'OPTIONS with a bad length',
    `${head('OPTIONS /{id} HTTP/1.1', 'Host: {host}', 'Content-Length: 5 5')}hello${SECOND}`,
  ],
  [
    'HTTP/1.0 with two lengths',
    `${head('POST /{id} HTTP/1.0', 'Host: {host}', 'Content-Length: 5', 'Content-Length: 6')}hello${SECOND}`,
  ],
] as const) {
  add(name, 'RFC 9112 6.3', bytes)
}

// --- chunks: the head is legal, so it may have begun to pass ---

const BAD_CHUNKS = [
  ...[
    '\r\n',
    'x\r\nhello\r\n0\r\n\r\n',
    'g\r\n',
    '-5\r\nhello\r\n0\r\n\r\n',
    '+5\r\nhello\r\n0\r\n\r\n',
    '0x5\r\nhello\r\n0\r\n\r\n',
    '5 \r\nhello\r\n0\r\n\r\n',
    ' 5\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '\t5\r\nhello\r\n0\r\n\r\n',
    '5\t\r\nhello\r\n0\r\n\r\n',
    '5\x00\r\nhello\r\n0\r\n\r\n',
    '\x005\r\nhello\r\n0\r\n\r\n',
    '5\x0b\r\nhello\r\n0\r\n\r\n',
    '5\xa0\r\nhello\r\n0\r\n\r\n',
    '5_0\r\n',
    '5,5\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '5.0\r\nhello\r\n0\r\n\r\n',
    '"5"\r\nhello\r\n0\r\n\r\n',
    '5h\r\nhello\r\n0\r\n\r\n',
    '%35\r\nhello\r\n0\r\n\r\n',
    '5\nhello\r\n0\r\n\r\n',
    '5\n\nhello\r\n0\r\n\r\n',
    '5\rhello\r\n0\r\n\r\n',
    '5\r\rhello\r\n0\r\n\r\n',
  ],
  ...[
    '5\r\r\nhello\r\n0\r\n\r\n',
    '5\r\nhello\n0\r\n\r\n',
    '5\r\nhello\r0\r\n\r\n',
    '5\r\nhello0\r\n\r\n',
    '5\r\nhello!\r\n0\r\n\r\n',
    '5\r\nhell\r\n0\r\n\r\n',
    '5\r\nhelloXX0\r\n\r\n',
    '5\r\nhello\r\r\n0\r\n\r\n',
    '5\r\nhello\n\r0\r\n\r\n',
  ],
  ...[
    '5\r\nhello\r\n\r\n0\r\n\r\n',
    '5\r\nhello\r\n 0\r\n\r\n',
    '4\r\nhello\r\n0\r\n\r\n',
    '0\r\nX',
    '0\n\n',
    '0\r\n\n',
    '0\n\r\n',
    '0\r\r',
    '0\r\rX',
    '00000000000\r\n\r\n',
    '000000000000000000000000005\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    'FFFFFFFFFFF\r\n',
    '10000000000000005\r\nhello\r\n0\r\n\r\n',
    '100000000000000000005\r\nhello\r\n0\r\n\r\n',
    '8000000000000000\r\n',
    'FFFFFFFFFFFFFFFF\r\n',
    '-1\r\n',
    '-FFFFFFFF\r\n',
    '1g1\r\nhello\r\n0\r\n\r\n',
  ],
]
for (const chunks of BAD_CHUNKS) {
  add(
    `chunks ${printable(chunks)}`,
    'RFC 9112 7.1; llhttp and HAProxy chunk tests; CVE-2013-2028 (nginx), CVE-2025-22871 (Go), CVE-2022-1705',
    post('Transfer-Encoding: chunked') + chunks + SECOND,
    'begun',
  )
}
const BAD_EXTENSIONS = [
  ...[
    '5;a\nhello\r\n0\r\n\r\n',
    '5;\nhello\r\n0\r\n\r\n',
    '5;a=b\nhello\r\n0\r\n\r\n',
    '5;a\rhello\r\n0\r\n\r\n',
    '5;a\r\rhello\r\n0\r\n\r\n',
    '5;a="\n"\r\nhello\r\n0\r\n\r\n',
    '5;a="\r"\r\nhello\r\n0\r\n\r\n',
    '5;\x00\r\nhello\r\n0\r\n\r\n',
  ],
  ...[
    '5;a=\x0b\r\nhello\r\n0\r\n\r\n',
    '5;a=\x7f\r\nhello\r\n0\r\n\r\n',
    '5;a=\x80\r\nhello\r\n0\r\n\r\n',
    '5 ;a\r\nhello\r\n0\r\n\r\n',
    '5\t;a\r\nhello\r\n0\r\n\r\n',
    '5 a\r\nhello\r\n0\r\n\r\n',
    '5:a\r\nhello\r\n0\r\n\r\n',
    '5=a\r\nhello\r\n0\r\n\r\n',
  ],
  ...['2;\nxx\r\n4c\r\n0\r\n\r\n', '0;a\n\r\n', '0;\n\n', '0;a\r\r\n', `5;${'a'.repeat(40_000)}\r\nhello\r\n0\r\n\r\n`],
]
for (const chunks of BAD_EXTENSIONS) {
  add(
    `extension ${printable(chunks)}`,
    'Funky chunks (TERM.EXT, EXT.TERM, 2025); CVE-2024-22019 (Node), CVE-2025-55315 (.NET)',
    post('Transfer-Encoding: chunked') + chunks + SECOND,
    'begun',
  )
}
add(
  'extensions without end over many chunks',
  'CVE-2024-22019; CVE-2023-39326 (Go)',
  `${post('Transfer-Encoding: chunked')}${`1;${'a'.repeat(200)}\r\nx\r\n`.repeat(300)}0\r\n\r\n${SECOND}`,
  'begun',
)
const BAD_TRAILERS = [
  ...[
    'X y\r\n\r\n',
    'X : y\r\n\r\n',
    ' X: y\r\n\r\n',
    '\tX: y\r\n\r\n',
    'X: y\r\n z\r\n\r\n',
    ': y\r\n\r\n',
    'X\x00: y\r\n\r\n',
    'X: \x00\r\n\r\n',
    'X: y\nZ: z\r\n\r\n',
    'X: y\rZ: z\r\n\r\n',
    'X: y\n\r\n\r\n',
    'X: y\r\r\n\r\n',
  ],
  ...[
    'X(: y\r\n\r\n',
    'X: \x0b\r\n\r\n',
    'X: \x7f\r\n\r\n',
    '"X": y\r\n\r\n',
    '\nX: y\r\n\r\n',
    '\rX: y\r\n\r\n',
    'X\r\n\r\n',
    'GET / HTTP/1.1\r\n\r\n',
    `X: ${'a'.repeat(9000)}\r\n\r\n`,
    `${'X: y\r\n'.repeat(2000)}\r\n`,
  ],
]
for (const trailers of BAD_TRAILERS) {
  add(
    `trailers ${printable(trailers)}`,
    'RFC 9112 7.1.2; TRAIL.TERM (2025); CVE-2023-46589 and CVE-2023-45648 (Tomcat)',
    `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n${trailers}${SECOND}`,
    'begun',
  )
}
add(
  'a chunked body over the limit',
  'RFC 9110 15.5.14',
  `${post('Transfer-Encoding: chunked')}20000\r\n${'x'.repeat(0x20000)}\r\n0\r\n\r\n${SECOND}`,
  'begun',
)

// --- line ends and folds ---

const LINE_ENDS: [string, string][] = [
  ['a request line that ends in LF', `GET /{id} HTTP/1.1\nHost: {host}\r\n\r\n`],
  ['all lines in LF', `GET /{id} HTTP/1.1\nHost: {host}\n\n`],
  ['a field that ends in LF', `GET /{id} HTTP/1.1\r\nHost: {host}\nX: y\r\n\r\n`],
  ['an empty line of LF', `GET /{id} HTTP/1.1\r\nHost: {host}\r\n\n`],
  ['LF LF before the empty line', `GET /{id} HTTP/1.1\r\nHost: {host}\n\n\r\n`],
  ['LF CR LF', `GET /{id} HTTP/1.1\r\nHost: {host}\n\r\n`],
  ['CR LF CR', `GET /{id} HTTP/1.1\r\nHost: {host}\r\n\r`],
  ['CR CR', `GET /{id} HTTP/1.1\r\nHost: {host}\r\r`],
  ['CR CR LF', `GET /{id} HTTP/1.1\r\nHost: {host}\r\r\n\r\n`],
  ['CR instead of CRLF', `GET /{id} HTTP/1.1\rHost: {host}\r\n\r\n`],
  ['CR in a value', get('X: a\rb')],
  ['CR at the start of a value', get('X: \rb')],
  ['CR in a name', get('X\rY: b')],
  ['LF in a name', get('X\nY: b')],
  ['LF at the start of a value', get('X:\nb')],
  ['a field behind a CR', get('X: a\rContent-Length: 44')],
  ['a field behind a LF', get('X: a\nContent-Length: 44')],
  ['LF CR instead of CRLF', `GET /{id} HTTP/1.1\n\rHost: {host}\n\r\n\r`],
  ['CR in the target', head('GET /{id}\rx HTTP/1.1', 'Host: {host}')],
  ['LF in the target', head('GET /{id}\nx HTTP/1.1', 'Host: {host}')],
  ['CR in the method', head('GE\rT /{id} HTTP/1.1', 'Host: {host}')],
  ['CR before the version', head('GET /{id}\r HTTP/1.1', 'Host: {host}')],
  ['CR after the version', head('GET /{id} HTTP/1.1\r', 'Host: {host}')],
  ['an empty request line of LF', `\n${get()}`],
  ['an empty request line of CR', `\r${get()}`],
  ['CR CR LF before the request', `\r\r\n${get()}`],
  ['obs-fold', get('X: a\r\n b')],
  ['obs-fold with a tab', get('X: a\r\n\tb')],
  ['obs-fold of nothing', get('X: a\r\n ')],
  ['obs-fold after the request line', head('GET /{id} HTTP/1.1', ' X: y', 'Host: {host}')],
  ['a tab after the request line', head('GET /{id} HTTP/1.1', '\tX: y', 'Host: {host}')],
  ['obs-fold after LF', get('X: a\n b')],
  ['obs-fold of Host', head('GET /{id} HTTP/1.1', 'Host:', ' {host}')],
  ['a line of white space', get(' ')],
  ['a line of tabs', get('\t\t')],
  ['a second request in a fold', get('X: a', ' GET /{id}-second HTTP/1.1', ' Host: {host}')],
]
for (const [name, bytes] of LINE_ENDS)
  add(name, 'RFC 9112 2.2, 5.2; CVE-2023-30589 (llhttp), CVE-2020-7238 (Netty)', bytes + SECOND)

// --- names and values ---

for (const each of [...'"(),/;<=>?@[\\]{}']) {
  add(`a name with ${each}`, 'RFC 9110 5.6.2: no token', get(`X${each}Y: z`) + SECOND)
}
for (const code of [0x00, 0x01, 0x08, 0x0b, 0x0c, 0x0e, 0x1b, 0x1f, 0x20, 0x09, 0x7f, 0x80, 0xa0, 0xe9, 0xff]) {
  const hex = code.toString(16).padStart(2, '0')
  add(`a name with byte ${hex}`, 'RFC 9110 5.1; CVE-2019-16276 (Go)', get(`X${String.fromCharCode(code)}Y: z`) + SECOND)
}
for (let code = 0; code < 0x21; code++) {
  if (code === 0x09 || code === 0x0a || code === 0x0d || code === 0x20) continue
  const byte = String.fromCharCode(code)
  add(
    `a value with byte ${code.toString(16).padStart(2, '0')}`,
    'RFC 9110 5.5: a control character in a value',
    get(`X: a${byte}b`) + SECOND,
  )
}
add('a value with DEL', 'RFC 9110 5.5', get('X: a\x7fb') + SECOND)
for (const [name, line] of [
  ['a space before the colon', 'X : y'],
  ['a tab before the colon', 'X\t: y'],
  ['a name of nothing', ': y'],
  ['a colon only', ':'],
  ['a line without a colon', 'novalue'],
  ['a word before the name', 'foo X: y'],
  ['a request line among the fields', 'GET /{id}-second HTTP/1.1'],
  ['a name that begins with a colon', ':authority: evil'],
  ['NUL alone', '\x00'],
  ['a quoted name', '"X": y'],
] as const) {
  add(name, 'RFC 9112 5.1; CVE-2019-15605, CVE-2021-22959 (llhttp)', get(line) + SECOND)
}

// --- the request line ---

const VERSIONS = [
  'HTTP/1.2',
  'HTTP/1.9',
  'HTTP/2.0',
  'HTTP/3.0',
  'HTTP/0.9',
  'HTTP/9.9',
  'HTTP/1',
  'HTTP/1.',
  'HTTP/.1',
  'HTTP/1.10',
  'HTTP/11.1',
  'HTTP/01.1',
  'HTTP/1.01',
]
const MORE_VERSIONS = [
  'HTTP/1,1',
  'HTTP/1:1',
  'HTTP/ 1.1',
  'HTTP /1.1',
  'HTTP/1 .1',
  'http/1.1',
  'Http/1.1',
  'HTTPS/1.1',
  'XHTTP/1.1',
  'HTTP/1.1x',
  'HTTP/1.1 x',
  'HTTP/1.1\x00',
  'HTTP/1.1\t',
  'HTTP/1.1 ',
]
const LAST_VERSIONS = [
  '\tHTTP/1.1',
  'HTTP/-1.1',
  'HTTP/+1.1',
  'HTTP/1.-1',
  'HTTP/1.\xb2',
  utf8('HTTP/１.１'),
  'HTTP\\1.1',
  'HTTP-1.1',
  'ICY/1.1',
  'HTP/1.1',
  'RTSP/1.0',
  'SIP/2.0',
  'HTTP/1.1;',
  'HTTP/a.b',
  '1.1',
  'HTTP',
  'HTTP/1.1HTTP/1.1',
  'HTTP/1.1\x0b',
  'HTTP/1.1\xa0',
]
for (const version of [...VERSIONS, ...MORE_VERSIONS, ...LAST_VERSIONS]) {
  add(
    `version ${printable(version)}`,
    'RFC 9112 2.3; CVE-2024-27306-style version confusion; llhttp: request line tests',
    head(`GET /{id} ${version}`, 'Host: {host}') + SECOND,
  )
}
const REQUEST_LINES = [
  ...[
    'GET /{id}',
    'GET /{id} ',
    'GET  /{id} HTTP/1.1',
    'GET /{id}  HTTP/1.1',
    'GET\t/{id} HTTP/1.1',
    'GET /{id}\tHTTP/1.1',
    'GET\t/{id}\tHTTP/1.1',
    ' GET /{id} HTTP/1.1',
    '\tGET /{id} HTTP/1.1',
    'GET\x0b/{id} HTTP/1.1',
  ],
  ...[
    'GET /{id} {id} HTTP/1.1',
    'GET /{id} HTTP/1.1 HTTP/1.1',
    'GET HTTP/1.1',
    'GET',
    'GET ',
    '/{id} HTTP/1.1',
    ' /{id} HTTP/1.1',
    '/{id}',
    'HTTP/1.1 200 OK',
    'GET/{id} HTTP/1.1',
    'GET/{id}HTTP/1.1',
    'GET /{id}HTTP/1.1',
  ],
  ...[
    'G ET /{id} HTTP/1.1',
    'GET\x00 /{id} HTTP/1.1',
    '\x00GET /{id} HTTP/1.1',
    'GE(T /{id} HTTP/1.1',
    'GET: /{id} HTTP/1.1',
    '"GET" /{id} HTTP/1.1',
    'G\xc9T /{id} HTTP/1.1',
    'GET, /{id} HTTP/1.1',
    'GET/ /{id} HTTP/1.1',
    '[GET] /{id} HTTP/1.1',
  ],
  ...[
    '\xefGET /{id} HTTP/1.1',
    utf8('\ufeffGET /{id} HTTP/1.1'),
    'GET\xa0/{id} HTTP/1.1',
    'GET;a /{id} HTTP/1.1',
    'GET\x7f /{id} HTTP/1.1',
    '<GET> /{id} HTTP/1.1',
    'GET\\ /{id} HTTP/1.1',
    '{GET} /{id} HTTP/1.1',
    'GET@ /{id} HTTP/1.1',
    'G=T /{id} HTTP/1.1',
  ],
]
for (const line of REQUEST_LINES) {
  add(
    `request line ${printable(line)}`,
    'RFC 9112 3; HTTP/0.9 downgrade; PortSwigger: HTTP/1.1 must die (2025)',
    head(line, 'Host: {host}') + SECOND,
  )
}
add('an HTTP/0.9 request', 'RFC 9112 appendix C; nginx and Apache drop it', `GET /{id}\r\n\r\n${SECOND}`)
add('an HTTP/0.9 request in LF', 'RFC 9112 appendix C', `GET /{id}\n${SECOND}`)

const TARGETS = [
  ...[
    '{id}',
    '?{id}',
    '#{id}',
    '\\{id}',
    '.{id}',
    ';{id}',
    '%2f{id}',
    '&{id}',
    '/{id}#fragment',
    '/{id}#',
    '/{id}\\x',
    '\\\\evil\\{id}',
    '/{id}\x00',
    '/{id}\x01x',
    '/{id}\x7f',
    '/{id}\xe9',
    utf8('/{id}é'),
    '/{id}\x0b',
    '/{id}?a\x00b',
    '/{id}?a\xe9',
    '/{id}?a#b',
    '/{id}?a%00',
    '/{id}?%zz',
  ],
  ...[
    '/{id}%',
    '/{id}%2',
    '/{id}%zz',
    '/{id}%u002e',
    '/{id}%00',
    '/{id}%0d%0aX:%20y',
    '/{id}%0a',
    '/{id}%7f',
    '/{id}%2f..',
    '/{id}%5c',
    '/{id}%c0%ae',
    '/{id}%ff',
    '/{id}%ed%a0%80',
    '/{id}%c2%85',
    '/../{id}',
    '/a/../../{id}',
    '/%2e%2e/{id}',
    '/..%2f{id}',
    '/.%2e/{id}',
    '/..;/{id}',
    '/x/..;a=b/{id}',
    '/x/%2e%2e;/{id}',
    '/x/..%5c{id}',
    '/x/.;/{id}',
  ],
  ...[
    '*',
    '*/{id}',
    '/{id}*\x01',
    'http://',
    'http:///{id}',
    'http:/{id}',
    'http:{id}',
    'https:',
    '://{host}/{id}',
    'ftp://{host}/{id}',
    'file:///{id}',
    'ws://{host}/{id}',
    'wss://{host}/{id}',
    'javascript:{id}',
    'mailto:{id}',
    'http//{host}/{id}',
    'httpx://{host}/{id}',
    '{host}/{id}',
    '{host}',
    'localhost:443',
    'urn:{id}',
  ],
]
for (const target of TARGETS) {
  add(
    `target ${printable(target)}`,
    'RFC 9112 3.2; RFC 3986; PortSwigger: cracking the lens (2017)',
    head(`GET ${target} HTTP/1.1`, 'Host: {host}') + SECOND,
  )
}
for (const [name, line] of [
  ['CONNECT in authority form', 'CONNECT {host} HTTP/1.1'],
  ['CONNECT elsewhere', 'CONNECT 169.254.169.254:80 HTTP/1.1'],
  ['CONNECT with a path', 'CONNECT /{id} HTTP/1.1'],
  ['CONNECT in absolute form', 'CONNECT http://{host}/{id} HTTP/1.1'],
  ['CONNECT of HTTP/1.0', 'CONNECT {host} HTTP/1.0'],
  ['TRACE', 'TRACE /{id} HTTP/1.1'],
  ['TRACE in absolute form', 'TRACE http://{host}/{id} HTTP/1.1'],
] as const) {
  add(name, 'RFC 9110 9.3.6, 9.3.8; RFC 9110 17.7', head(line, 'Host: {host}') + SECOND)
}

// --- host ---

const HOSTS = [
  ...[
    '',
    ' ',
    'evil.example',
    'localhost.evil.example',
    'evil.example#localhost',
    'localhost@evil.example',
    'evil.example@localhost',
    'user:pass@localhost',
    'localhost/{id}',
    'localhost?{id}',
    'localhost#x',
    'localhost\\x',
    'http://localhost',
  ],
  ...[
    'localhost, evil.example',
    'localhost,localhost',
    'localhost evil.example',
    'localhost\tevil.example',
    'localhost;evil.example',
    'localhost:0',
    'localhost:99999',
    'localhost:65536',
    'localhost:abc',
    'localhost:+443',
    'localhost:-1',
    'localhost:443:443',
    'localhost:443x',
    'localhost:0443',
  ],
  ...[
    'localhost:443@evil.example',
    'localhost:80.evil.example',
    '.localhost',
    'localhost..',
    '-localhost',
    'local_host',
    'local%68ost',
    'localhost%00',
    'localhost%2eevil',
    'localhost\x00',
    '\x00localhost',
    'localhost\xa0',
    'lo\xe7alhost',
    utf8('ｌocalhost'),
    '"localhost"',
    '(localhost)',
    '<localhost>',
    '*',
    '*.localhost',
  ],
  ...[
    '127.1',
    '0177.0.0.1',
    '0x7f.0.0.1',
    '2130706433',
    '127.0.0.1.',
    '[127.0.0.1]',
    '[::1',
    '::1',
    '[::1]x',
    '[::1%25eth0]',
    '[fe80::1%eth0]',
    '[]',
    '[:]',
    '[v1.x]',
    '[::ffff:127.0.0.1.]',
    `${'a'.repeat(300)}`,
    `${'a.'.repeat(200)}localhost`,
    'localhost:443 :443',
    'localhost;',
    '$(localhost)',
  ],
]
for (const value of HOSTS) {
  add(
    `Host ${printable(value)}`,
    'RFC 9112 3.2; PortSwigger: Host header attacks',
    head('GET /{id} HTTP/1.1', `Host: ${value}`) + SECOND,
  )
}
const HOST_FIELDS: [string, string[]][] = [
  ['no Host', []],
  ['Host twice', ['Host: {host}', 'Host: {host}']],
  ['Host twice, the second another', ['Host: {host}', 'Host: evil.example']],
  ['Host twice, the first another', ['Host: evil.example', 'Host: {host}']],
  ['Host twice in other case', ['Host: {host}', 'HOST: {host}']],
  ['Host twice with an empty one', ['Host: {host}', 'Host:']],
  ['Host three times', ['Host: {host}', 'X: y', 'Host: {host}', 'Host: {host}']],
  ['a folded second Host', ['Host: {host}', ' Host: evil.example']],
  ['Host with a space before its colon', ['Host : {host}']],
  ['a second Host with a space before its colon', ['Host: {host}', 'Host : evil.example']],
  ['Host behind white space', [' Host: {host}']],
  ['Host behind a LF', ['X: y\nHost: {host}']],
  ['a second Host behind a CR', ['Host: {host}\rHost: evil.example']],
  ['Host without a colon', ['Host {host}']],
]
for (const [name, fields] of HOST_FIELDS)
  add(name, 'RFC 9112 3.2; CVE-2021-23336-style confusion', head('GET /{id} HTTP/1.1', ...fields) + SECOND)
add('HTTP/1.0 without Host', 'strict: no host, no route', head('GET /{id} HTTP/1.0') + SECOND)
add('HTTP/1.0 with two Hosts', 'RFC 9112 3.2', head('GET /{id} HTTP/1.0', 'Host: {host}', 'Host: {host}') + SECOND)
for (const target of [
  'http://evil.example/{id}',
  'https://evil.example/{id}',
  'https://localhost:1/{id}',
  'http://localhost:1/{id}',
  'https://localhost.evil.example/{id}',
  'https://user@localhost/{id}',
  'https://user:pw@{host}/{id}',
  'https://{host}@evil.example/{id}',
  'https://evil.example\\@{host}/{id}',
  'https://{host}\\evil/{id}',
  'https://{host}:443/{id}',
  'https://{host}%2eevil/{id}',
  'https://127.0.0.1:{port}/{id}',
  'https://[::1]:{port}/{id}',
  'https:////{host}/{id}',
  'https://*/{id}',
]) {
  add(
    `absolute form ${printable(target)}`,
    'RFC 9112 3.2.2: the target must agree with Host; CVE-2019-20372 (nginx)',
    head(`GET ${target} HTTP/1.1`, 'Host: {host}') + SECOND,
  )
}
add('absolute form without Host', 'RFC 9112 3.2', head('GET https://{host}/{id} HTTP/1.1') + SECOND)
add(
  'absolute form with two Hosts',
  'RFC 9112 3.2',
  head('GET https://{host}/{id} HTTP/1.1', 'Host: {host}', 'Host: evil.example') + SECOND,
)

for (const name of ['Content-Type', 'Origin', 'Authorization']) {
  add(
    `${name} twice`,
    'RFC 9110 5.3: a check reads the first one, the upstream the last',
    `${post(`${name}: a`, `${name.toLowerCase()}: b`, 'Content-Length: 5')}hello${SECOND}`,
  )
}

// --- upgrades and expectations ---

const KEY = 'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=='
const VERSION = 'Sec-WebSocket-Version: 13'
const UPGRADE = ['Connection: Upgrade', 'Upgrade: websocket']
const HANDSHAKES: [string, string][] = [
  ['no key', get(...UPGRADE, VERSION)],
  ['no version', get(...UPGRADE, KEY)],
  ['version 12', get(...UPGRADE, KEY, 'Sec-WebSocket-Version: 12')],
  ['version 777', get(...UPGRADE, KEY, 'Sec-WebSocket-Version: 777')],
  ['version 13, 8', get(...UPGRADE, KEY, 'Sec-WebSocket-Version: 13, 8')],
  ['two versions', get(...UPGRADE, KEY, VERSION, VERSION)],
  ['two keys', get(...UPGRADE, KEY, KEY, VERSION)],
  ['a short key', get(...UPGRADE, 'Sec-WebSocket-Key: c2hvcnQ=', VERSION)],
  ['a key of other characters', get(...UPGRADE, 'Sec-WebSocket-Key: !!!!!!!!!!!!!!!!!!!!!!==', VERSION)],
  ['an empty key', get(...UPGRADE, 'Sec-WebSocket-Key:', VERSION)],
  ['no Connection', get('Upgrade: websocket', KEY, VERSION)],
  ['Connection: close', get('Connection: close', 'Upgrade: websocket', KEY, VERSION)],
  ['Connection: keep-alive', get('Connection: keep-alive', 'Upgrade: websocket', KEY, VERSION)],
  ['nothing but Upgrade', get('Upgrade: websocket')],
  ['POST', post(...UPGRADE, KEY, VERSION)],
  ['POST with a body', `${post(...UPGRADE, KEY, VERSION, 'Content-Length: 5')}hello`],
  ['GET with a body', `${get(...UPGRADE, KEY, VERSION, 'Content-Length: 5')}hello`],
  ['GET with chunks', `${get(...UPGRADE, KEY, VERSION, 'Transfer-Encoding: chunked')}0\r\n\r\n`],
  ['PUT', head('PUT /{id} HTTP/1.1', 'Host: {host}', ...UPGRADE, KEY, VERSION)],
  ['HEAD', head('HEAD /{id} HTTP/1.1', 'Host: {host}', ...UPGRADE, KEY, VERSION)],
  ['WebSocket in odd case without a key', get('Connection: upgrade', 'Upgrade: WebSocket', VERSION)],
  ['websocket among others', get('Connection: Upgrade', 'Upgrade: h2c, websocket', VERSION)],
  ['websocket in a second Upgrade', get('Connection: Upgrade', 'Upgrade: h2c', 'Upgrade: websocket', VERSION)],
]
for (const [name, bytes] of HANDSHAKES)
  add(`WebSocket handshake: ${name}`, 'RFC 6455 4.2.1; 0ang3el: websocket-smuggle (2019)', bytes + SECOND)
for (const value of [
  'the-unexpected',
  '100-continu',
  '100-continue, x',
  '100-continue,100-continue',
  '100-continue;q=1',
  '100-continue=1',
  '"100-continue"',
  '100',
  '200-ok',
  'y 100-continue',
  '100-continue\x00',
  '100-continue\xa0',
  '\x0b100-continue',
  '',
]) {
  add(
    `Expect ${printable(value)}`,
    'RFC 9110 10.1.1; PortSwigger: HTTP/1.1 must die (2025), Expect',
    `${post(`Expect: ${value}`, 'Content-Length: 5')}hello${SECOND}`,
  )
}
add(
  'Expect twice',
  'RFC 9110 10.1.1',
  `${post('Expect: 100-continue', 'Expect: x', 'Content-Length: 5')}hello${SECOND}`,
)
add(
  'Expect twice, the good one last',
  'RFC 9110 10.1.1',
  `${post('Expect: x', 'Expect: 100-continue', 'Content-Length: 5')}hello${SECOND}`,
)
add(
  'Expect folded',
  'PortSwigger: HTTP/1.1 must die (2025), obfuscated Expect',
  `${post('Expect:\r\n 100-continue', 'Content-Length: 5')}hello${SECOND}`,
)
add(
  'Expect with a space before its colon',
  'PortSwigger: HTTP/1.1 must die (2025), obfuscated Expect',
  `${post('Expect : 100-continue', 'Content-Length: 5')}hello${SECOND}`,
)
add(
  '0.CL: a length in a fold',
  'PortSwigger: HTTP/1.1 must die (2025), V-H discrepancy',
  post('X: y', ' Content-Length: 44') + SECOND,
)
add(
  '0.CL: a length behind white space',
  'PortSwigger: HTTP/1.1 must die (2025), H-V discrepancy',
  post('Content-Length : 44') + SECOND,
)

// --- a legal request, then a bad one ---

const BEHIND = [
  ...[
    '\x00',
    ' ',
    '\t',
    '\n',
    '\r',
    '\x16\x03\x01',
    ' GET /{id}-second HTTP/1.1',
    'GET  /{id}-second HTTP/1.1\r\n\r\n',
    'GET /{id}-second\r\n\r\n',
    'GET /{id}-second HTTP/2.0\r\n\r\n',
    '\r\n\n',
  ],
  ...[
    'GET /{id}-second HTTP/1.1\nHost: {host}\n\n',
    'GET /{id}-second HTTP/1.1\r\n\r\n',
    'GET {id}-second HTTP/1.1\r\nHost: {host}\r\n\r\n',
    'GET /{id}-second HTTP/1.1\r\nHost: {host}\r\nHost: {host}\r\n\r\n',
    'GET /{id}-second HTTP/1.1\r\nHost : {host}\r\n\r\n',
  ],
  ...[
    'POST /{id}-second HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    'POST /{id}-second HTTP/1.1\r\nHost: {host}\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!',
    'GET /{id}-second HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n',
    'GET /{id}-second HTTP/1.1\r\nHost: {host}\r\nX: \x00\r\n\r\n',
    'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n',
  ],
]
for (const bytes of BEHIND) {
  add(
    `behind a legal GET: ${printable(bytes)}`,
    'RFC 9112 9.3.2; pipelining after a bad request',
    get() + bytes + SECOND,
    'first',
  )
}
for (const bytes of ['\x00', ' ', '\nGET /{id}-second HTTP/1.1\r\nHost: {host}\r\n\r\n', '\x16\x03\x01\x00']) {
  add(
    `behind a body of known length: ${printable(bytes)}`,
    'CL.0 from the other side: what is over the length is no request',
    `${post('Content-Length: 5')}hello${bytes}${SECOND}`,
    'first',
  )
  add(
    `behind chunks: ${printable(bytes)}`,
    'RFC 9112 7.1',
    `${post('Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n${bytes}${SECOND}`,
    'first',
  )
}

// --- other protocols, and too much of everything ---

const FOREIGN: [string, string][] = [
  ['the HTTP/2 preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00'],
  ['a TLS hello within TLS', '\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03'],
  ['an SSH banner', 'SSH-2.0-OpenSSH_9.6\r\n'],
  ['PROXY protocol v1', 'PROXY TCP4 192.0.2.1 192.0.2.2 1234 443\r\n'],
  ['PROXY protocol v2', '\r\n\r\n\x00\r\nQUIT\n\x21\x11\x00\x0c'],
  ['an SMTP greeting', 'EHLO example.com\r\n'],
  ['a Redis command', '*1\r\n$4\r\nPING\r\n'],
  ['an inline Redis command', 'PING\r\n'],
  ['a memcached command', 'get {id}\r\n'],
  ['a SIP request', 'OPTIONS sip:x@{host} SIP/2.0\r\n'],
  ['an RTSP request', 'OPTIONS rtsp://{host}/{id} RTSP/1.0\r\n'],
  ['SOCKS 5', '\x05\x01\x00'],
  ['an AJP packet', '\x12\x34\x00\x01\x02'],
  ['FastCGI', '\x01\x01\x00\x01\x00\x08\x00\x00'],
  ['gzip', '\x1f\x8b\x08\x00\x00\x00\x00\x00'],
  ['a lot of NUL', '\x00'.repeat(100)],
  ['a WebSocket frame', '\x81\x85\x00\x00\x00\x00hello'],
  ['JSON', '{"id":"{id}"}\r\n'],
  ['an answer', 'HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n'],
]
for (const [name, bytes] of FOREIGN) add(name, 'cross-protocol; RFC 9113 3.4; ALPACA (2021)', bytes + SECOND)
const OVERSIZE: [string, string, Passes?][] = [
  ['a target of 9 KB', head(`GET /{id}${'a'.repeat(9000)} HTTP/1.1`, 'Host: {host}')],
  ['a query of 9 KB', head(`GET /{id}?${'a'.repeat(9000)} HTTP/1.1`, 'Host: {host}')],
  ['a target without end', `GET /{id}${'a'.repeat(40_000)}`],
  ['a method of 9 KB', head(`${'G'.repeat(9000)} /{id} HTTP/1.1`, 'Host: {host}')],
  ['a method without end', 'G'.repeat(40_000)],
  ['a value of 20 KB', get(`X: ${'a'.repeat(20_000)}`)],
  ['a name of 20 KB', get(`${'X'.repeat(20_000)}: a`)],
  ['a field without end', `GET /{id} HTTP/1.1\r\nHost: {host}\r\nX: ${'a'.repeat(40_000)}`],
  ['101 fields', get(...Array.from({ length: 100 }, (_, i) => `X-${i}: y`))],
  ['500 fields', get(...Array.from({ length: 500 }, (_, i) => `X-${i}: y`))],
  ['2000 empty fields', get(...Array.from({ length: 2000 }, () => 'X:'))],
  ['a cookie of 20 KB', get(`Cookie: ${'a=b; '.repeat(4000)}`)],
  ['a Host of 20 KB', head('GET /{id} HTTP/1.1', `Host: ${'a'.repeat(20_000)}`)],
  ['white space of 20 KB', get(`X:${' '.repeat(20_000)}y`)],
  ['a version without end', `GET /{id} HTTP/1.1${'1'.repeat(40_000)}`],
]
for (const [name, bytes] of OVERSIZE) add(name, 'RFC 9110 15.5.15; RFC 6585 5', bytes + SECOND)

export const HOSTILE_REQUESTS: readonly HostileRequest[] = rows
