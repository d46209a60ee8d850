/**
 * Legal but unusual HTTP/1.x requests, and what the upstream must see of each. The counterpart of the hostile table: strictness
 * must not cost what the RFCs allow. `{id}` stands for the row's marker, `{host}` for Host.
 */

export interface Seen {
  readonly method?: string
  /** What follows `/{id}`; default: nothing. */
  readonly rest?: string
  readonly body?: string
  /** [name, value, ...] that must stand in this order (others may stand between); latin1. */
  readonly fields?: readonly string[]
  /** Names that must not arrive. */
  readonly lacks?: readonly string[]
}

export interface LegalRequest {
  readonly name: string
  readonly source: string
  /** latin1. */
  readonly bytes: string
  readonly seen: readonly Seen[]
  /** True where the connection ends after it: no other request can follow. */
  readonly isLast: boolean
}

const rows: LegalRequest[] = []

function add(name: string, source: string, bytes: string, ...seen: Seen[]): void {
  rows.push({ name, source, bytes, seen: seen.length === 0 ? [{}] : seen, isLast: false })
}

function addLast(name: string, source: string, bytes: string, seen: Seen = {}): void {
  rows.push({ name, source, bytes, seen: [seen], isLast: true })
}

const head = (...lines: string[]): string => `${lines.join('\r\n')}\r\n\r\n`
const get = (...fields: string[]): string => head('GET /{id} HTTP/1.1', 'Host: {host}', ...fields)
const post = (...fields: string[]): string => head('POST /{id} HTTP/1.1', 'Host: {host}', ...fields)
const chunked = (...fields: string[]): string => post('Transfer-Encoding: chunked', ...fields)
const utf8 = (text: string): string => Buffer.from(text).toString('latin1')
const hello: Seen = { method: 'POST', body: 'hello' }

// --- methods and bodies ---

for (const method of ['GET', 'OPTIONS', 'DELETE', 'POST', 'PUT', 'PATCH']) {
  add(`${method} without a body`, 'RFC 9110 9', head(`${method} /{id} HTTP/1.1`, 'Host: {host}'), { method, body: '' })
  add(
    `${method} with a body`,
    'RFC 9110 9',
    `${head(`${method} /{id} HTTP/1.1`, 'Host: {host}', 'Content-Length: 5')}hello`,
    { method, body: 'hello' },
  )
  add(
    `${method} with chunks`,
    'RFC 9110 9',
    `${head(`${method} /{id} HTTP/1.1`, 'Host: {host}', 'Transfer-Encoding: chunked')}5\r\nhello\r\n0\r\n\r\n`,
    { method, body: 'hello' },
  )
  add(
    `${method} with a length of 0`,
    'RFC 9110 8.6',
    head(`${method} /{id} HTTP/1.1`, 'Host: {host}', 'Content-Length: 0'),
    { method, body: '' },
  )
}
add('HEAD', 'RFC 9110 9.3.2', head('HEAD /{id} HTTP/1.1', 'Host: {host}'), { method: 'HEAD' })
for (const [name, bytes, body] of [
  [
    'a body that looks like a request',
    `${post('Content-Length: 38')}GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    'GET /evil HTTP/1.1\r\nHost: localhost\r\n\r\n',
  ],
  ['a body that looks like chunks', `${post('Content-Length: 15')}5\r\nhello\r\n0\r\n\r\n`, '5\r\nhello\r\n0\r\n\r\n'],
  ['a body of line ends', `${post('Content-Length: 6')}\r\n\r\n\n\r`, '\r\n\r\n\n\r'],
  ['a body of NUL', `${post('Content-Length: 3')}\x00\x00\x00`, '\x00\x00\x00'],
  ['a length without a space', `${post('Content-Length:5')}hello`, 'hello'],
  ['a length in much white space', `${post('Content-Length: \t 5 \t ')}hello`, 'hello'],
  ['a length in odd case', `${post('cOnTeNt-LeNgTh: 5')}hello`, 'hello'],
  ['a coding in upper case', `${post('TRANSFER-ENCODING: CHUNKED')}5\r\nhello\r\n0\r\n\r\n`, 'hello'],
  ['a coding without a space', `${post('transfer-encoding:Chunked')}5\r\nhello\r\n0\r\n\r\n`, 'hello'],
  ['a coding in white space', `${post('Transfer-Encoding:\t chunked \t')}5\r\nhello\r\n0\r\n\r\n`, 'hello'],
] as const) {
  add(name, 'RFC 9112 6; RFC 9110 5.5', bytes.replace('Content-Length: 38', `Content-Length: ${body.length}`), {
    method: 'POST',
    body,
  })
}
for (const [name, chunks, body] of [
  ['an empty chunked body', '0\r\n\r\n', ''],
  ['two chunks', '2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n', 'hello'],
  ['many chunks', '1\r\nh\r\n1\r\ne\r\n1\r\nl\r\n1\r\nl\r\n1\r\no\r\n0\r\n\r\n', 'hello'],
  ['a size with zeros before it', '0005\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['sizes in both cases', 'a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n', '01234567890123456789'],
  ['a last chunk of several zeros', '5\r\nhello\r\n000\r\n\r\n', 'hello'],
  ['an extension', '5;a\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['an extension with a value', '5;a=b\r\nhello\r\n0;c=d\r\n\r\n', 'hello'],
  ['an extension with a quoted value', '5;a="b c;d"\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['several extensions', '5;a;b=c;d="e"\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['an extension on every chunk', `${'1;sig=0123456789abcdef\r\nx\r\n'.repeat(20)}0;sig=0\r\n\r\n`, 'x'.repeat(20)],
  ['a trailer', '5\r\nhello\r\n0\r\nX-Sum: abc\r\n\r\n', 'hello'],
  ['several trailers', '5\r\nhello\r\n0\r\nX-Sum: abc\r\nX-Empty:\r\nX-Sum: def\r\n\r\n', 'hello'],
  [
    'trailers that must be ignored',
    '5\r\nhello\r\n0\r\nHost: evil\r\nExpect: 100-continue\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n',
    'hello',
  ],
  ['line ends in a chunk', '4\r\n\r\n\r\n\r\n0\r\n\r\n', '\r\n\r\n'],
  ['a chunk that looks like the end', '5\r\n0\r\n\r\n\r\n0\r\n\r\n', '0\r\n\r\n'],
  ['a chunk of 30 KB', `7530\r\n${'x'.repeat(30_000)}\r\n0\r\n\r\n`, 'x'.repeat(30_000)],
] as const) {
  add(name, 'RFC 9112 7.1', chunked() + chunks, { method: 'POST', body, lacks: ['x-sum', 'trailer'] })
}
add(
  'a coding, an announced trailer',
  'RFC 9110 6.6.2',
  `${chunked('Trailer: X-Sum')}5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n`,
  { ...hello, lacks: ['trailer', 'x-sum'] },
)

// --- fields ---

for (const [name, value] of [
  ['an empty value', ''],
  ['a value of one character', 'x'],
  ['inner white space', 'a  b\tc'],
  ['obs-text', 'caf\xe9 \xff'],
  ['UTF-8', utf8('héllo ☃')],
  ['quotes', '"a \\" b"'],
  ['delimiters', '(),/:;<=>?@[\\]{}'],
  ['commas', 'a,,b, ,c'],
  ['what looks like a field', 'Transfer-Encoding: chunked'],
  ['what looks like a line end', '\\r\\nX: y %0d%0a'],
  ['JSON', '{"a":[1,2,"b"]}'],
  ['a URL', 'https://evil.example/../x?y#z'],
  ['6 KB', 'v'.repeat(6000)],
  ['C1 bytes', '\x80\x85\x9f'],
  ['a lone colon', ':'],
] as const) {
  add(`a value: ${name}`, 'RFC 9110 5.5', get(`X-Own: ${value}`), { fields: ['x-own', value] })
}
for (const name of ["x!#$%&'*+-^`|~y", 'x', '0', 'X-UPPER', 'x-123', `x-${'a'.repeat(200)}`, '-', '!']) {
  add(`a name: ${name.slice(0, 30)}`, 'RFC 9110 5.6.2', get(`${name}: v`), { fields: [name.toLowerCase(), 'v'] })
}
for (const [name, lines, fields] of [
  ['white space around a value is not part of it', ['X-Own: \t a \t '], ['x-own', 'a']],
  ['no white space before a value', ['X-Own:a'], ['x-own', 'a']],
  ['duplicates keep their order', ['X-Own: 1', 'X-Other: 2', 'X-Own: 3'], ['x-own', '1', 'x-other', '2', 'x-own', '3']],
  ['duplicates in different case', ['x-own: 1', 'X-OWN: 2'], ['x-own', '1', 'x-own', '2']],
  ['equal duplicates', ['X-Own: 1', 'X-Own: 1'], ['x-own', '1', 'x-own', '1']],
  ['a list over several lines', ['Accept: a/b', 'Accept: c/d;q=0.5'], ['accept', 'a/b', 'accept', 'c/d;q=0.5']],
  ['a cookie', ['Cookie: a=b; c="d"; e='], ['cookie', 'a=b; c="d"; e=']],
  ['credentials', ['Authorization: Bearer a.b.c'], ['authorization', 'Bearer a.b.c']],
  ['ranges', ['Range: bytes=0-0,-1', 'If-Range: "x"'], ['range', 'bytes=0-0,-1', 'if-range', '"x"']],
  [
    'conditions',
    ['If-None-Match: W/"a", "b"', 'If-Modified-Since: x'],
    ['if-none-match', 'W/"a", "b"', 'if-modified-since', 'x'],
  ],
  ['80 fields', Array.from({ length: 80 }, (_, i) => `X-${i}: ${i}`), ['x-0', '0', 'x-40', '40', 'x-79', '79']],
  ['Accept-Encoding as it is', ['Accept-Encoding: gzip;q=1, *;q=0'], ['accept-encoding', 'gzip;q=1, *;q=0']],
] as [string, string[], string[]][]) {
  add(name, 'RFC 9110 5.2, 5.3', get(...lines), { fields })
}
add('Host as the last field', 'RFC 9110 7.2', head('GET /{id} HTTP/1.1', 'X-Own: a', 'Host: {host}'), {
  fields: ['x-own', 'a'],
})
add('Host in odd case, without a space', 'RFC 9110 5.1', head('GET /{id} HTTP/1.1', 'hOsT:{host}'))
for (const [name, lines, lacks] of [
  ['Connection: keep-alive', ['Connection: keep-alive', 'Keep-Alive: timeout=5'], ['keep-alive']],
  ['an empty Connection', ['Connection:'], []],
  ['a Connection of commas', ['Connection: , ,'], []],
  ['nominated fields', ['Connection: X-Hop, x-other', 'X-Hop: 1', 'X-Other: 2'], ['x-hop', 'x-other']],
  ['fields nominated in a second Connection', ['Connection: keep-alive', 'X-Hop: 1', 'Connection: x-hop'], ['x-hop']],
  ['Connection nominates what the gateway settles', ['Connection: host, content-length, x-forwarded-for'], []],
  ['Proxy-Connection', ['Proxy-Connection: keep-alive'], ['proxy-connection']],
  ['TE', ['TE: trailers', 'Connection: TE'], ['te']],
  ['TE with codings', ['TE: gzip;q=0.5, trailers'], ['te']],
  [
    'an upgrade to HTTP/2 is not taken up',
    ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAMAAABkAAQAAP__'],
    ['upgrade', 'http2-settings'],
  ],
  ['an upgrade to something else is not taken up', ['Connection: upgrade', 'Upgrade: foo/2'], ['upgrade']],
  ['an empty Upgrade', ['Connection: upgrade', 'Upgrade:'], ['upgrade']],
  [
    'names with underscores and dots are dropped',
    ['X_Own: 1', 'X.Own: 2', 'Transfer_Encoding: chunked', 'Content_Length: 5'],
    ['x_own', 'x.own', 'transfer_encoding', 'content_length'],
  ],
] as [string, string[], string[]][]) {
  add(name, 'RFC 9110 7.6.1, 7.8', get(...lines), { lacks })
}

// --- targets ---

for (const [asked, sent] of [
  ['?', '?'],
  ['??', '??'],
  ['?a', '?a'],
  ['?a=b&a=c', '?a=b&a=c'],
  ['?a=b?c=d', '?a=b?c=d'],
  ['?/../..', '?/../..'],
  ['?a=%2F%2e%2E', '?a=%2F%2e%2E'],
  ['?a[]=1&b{}=2', '?a[]=1&b{}=2'],
  ['?"<>`|^', '?"<>`|^'],
  ['?a=\\', '?a=\\'],
  ['?a=+%20b', '?a=+%20b'],
  ['?%C3%A9', '?%C3%A9'],
  ['?%ff', '?%ff'],
  ['?a;b;c', '?a;b;c'],
  ['?http://evil.example/', '?http://evil.example/'],
  [`?${'q'.repeat(6000)}`, `?${'q'.repeat(6000)}`],
  ['/', '/'],
  ['/%20', '/%20'],
  ['/%25', '/%25'],
  ['/%252e%252e', '/%252e%252e'],
  ['/%3f%23', '/%3F%23'],
  ['/%c3%a9', '/%C3%A9'],
  ['/%41%7a%7E%2d%2E%5f', '/Az~-._'],
  ['/;a=b', '/;a=b'],
  ['/a:b@c', '/a:b@c'],
  ["/!$&'()*+,", "/!$&'()*+,"],
  ['/~user', '/~user'],
  ['/.hidden', '/.hidden'],
  ['/...', '/...'],
  ['/a..b', '/a..b'],
  ['//', '/'],
  ['//a///b', '/a/b'],
  ['/./a', '/a'],
  ['/a/../b', '/b'],
  ['/a/..', '/'],
  ['/a/.', '/a/'],
  ['/"<>', '/%22%3C%3E'],
  ['/{a}', '/%7Ba%7D'],
  [`/${'p'.repeat(6000)}`, `/${'p'.repeat(6000)}`],
  ['/a/b/c/d/e/f/g/h/i/j/', '/a/b/c/d/e/f/g/h/i/j/'],
] as const) {
  add(`target …${asked.slice(0, 30)}`, 'RFC 3986 3.3, 3.4, 6.2.2', head(`GET /{id}${asked} HTTP/1.1`, 'Host: {host}'), {
    rest: sent,
  })
}
for (const [name, line, host] of [
  ['absolute form', 'https://{host}/{id}', '{host}'],
  ['absolute form in upper case', 'HTTPS://LOCALHOST:{port}/{id}', '{host}'],
  ['absolute form with dots', 'https://{host}/x/../{id}', '{host}'],
  ['a host in upper case', '/{id}', 'LOCALHOST:{port}'],
  ['a host without a port', '/{id}', 'localhost'],
  ['a host with the dot of the root', '/{id}', 'localhost.'],
  ['an address as host', '/{id}', '127.0.0.1:{port}'],
  ['an IPv6 address as host', '/{id}', '[::1]:{port}'],
  ['an IPv6 address in its long form', '/{id}', '[0:0:0:0:0:0:0:1]'],
  ['absolute form without a port, as Host', 'https://localhost/{id}', 'localhost'],
  ['absolute form with the usual port, Host without', 'https://localhost:443/{id}', 'localhost'],
] as const) {
  add(name, 'RFC 9112 3.2; RFC 9110 4.2.3', head(`GET ${line} HTTP/1.1`, `Host: ${host}`))
}

// --- versions, connections, pipelines ---

add('an empty line before the request', 'RFC 9112 2.2', `\r\n${get()}`)
add('an empty line between requests', 'RFC 9112 2.2', `${get()}\r\n${get()}`, {}, {})
add('an empty line after a body', 'RFC 9112 2.2', `${post('Content-Length: 5')}hello\r\n${get()}`, hello, {})
add('HTTP/1.0 with keep-alive', 'RFC 9112 C.2.2', head('GET /{id} HTTP/1.0', 'Host: {host}', 'Connection: keep-alive'))
add(
  'HTTP/1.0 with a body and keep-alive',
  'RFC 9112 C.2.2',
  `${head('POST /{id} HTTP/1.0', 'Host: {host}', 'Connection: Keep-Alive', 'Content-Length: 5')}hello`,
  hello,
)
addLast('HTTP/1.0', 'RFC 9112 9.3', head('GET /{id} HTTP/1.0', 'Host: {host}'))
addLast(
  'HTTP/1.0 with a body',
  'RFC 9112 9.3',
  `${head('POST /{id} HTTP/1.0', 'Host: {host}', 'Content-Length: 5')}hello`,
  hello,
)
addLast('Connection: close', 'RFC 9112 9.6', get('Connection: close'))
addLast('close among others', 'RFC 9112 9.6', get('Connection: keep-alive, Close , x'))
addLast('a body and Connection: close', 'RFC 9112 9.6', `${post('Connection: close', 'Content-Length: 5')}hello`, hello)
addLast('what follows Connection: close is not read', 'RFC 9112 9.6', get('Connection: close') + get())
add(
  'Expect: 100-continue, the body sent at once',
  'RFC 9110 10.1.1',
  `${post('Expect: 100-continue', 'Content-Length: 5')}hello`,
  { ...hello, lacks: ['expect'] },
)
add('Expect in odd case', 'RFC 9110 10.1.1', `${post('Expect: 100-Continue', 'Content-Length: 5')}hello`, hello)
add('Expect with chunks', 'RFC 9110 10.1.1', `${chunked('Expect: 100-continue')}5\r\nhello\r\n0\r\n\r\n`, hello)
add('Expect without a body', 'RFC 9110 10.1.1', get('Expect: 100-continue'), { lacks: ['expect'] })
add(
  'Expect of HTTP/1.0 is ignored',
  'RFC 9110 10.1.1',
  `${head('POST /{id} HTTP/1.0', 'Host: {host}', 'Connection: keep-alive', 'Expect: 100-continue', 'Content-Length: 5')}hello`,
  hello,
)
add('ten requests in one write', 'RFC 9112 9.3.2', get().repeat(10), ...Array.from({ length: 10 }, () => ({})))
add(
  'all kinds of bodies in one write',
  'RFC 9112 9.3.2',
  `${get()}${post('Content-Length: 5')}hello${chunked()}5\r\nhello\r\n0\r\n\r\n${post('Content-Length: 0')}${head('HEAD /{id} HTTP/1.1', 'Host: {host}')}${get()}`,
  {},
  hello,
  hello,
  { method: 'POST', body: '' },
  { method: 'HEAD' },
  {},
)
export const LEGAL_REQUESTS: readonly LegalRequest[] = rows
