/** Heads are found however they are cut, hopeless ones are refused at once, and the work grows with the bytes only. */
import fc from 'fast-check'
import t from 'tap'
import { parseRequestHead } from '../../src/http/request-head.ts'
import { RequestHeadReader } from '../../src/http/request-head-reader.ts'

const LIMITS = { maxHeaderBytes: 400, maxTargetBytes: 100 }

interface Found {
  result: string
  text: string
  rest: string
  /** Bytes that were given when it was settled. */
  at: number
}

function feed(bytes: string, cuts: readonly number[] = [], limits = LIMITS): Found {
  const reader = new RequestHeadReader()
  const whole = Buffer.from(bytes, 'latin1')
  const places = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b)
  let from = 0
  let result = 'more'
  for (const to of [...places, whole.length]) {
    if (to === from) continue
    result = reader.read(whole.subarray(from, to), limits)
    from = to
    if (result !== 'more') break
  }
  const isWhole = result === 'whole'
  const rest = (reader.rest?.toString('latin1') ?? '') + whole.toString('latin1', from)
  return { result, text: isWhole ? reader.text : '', rest: isWhole ? rest : '', at: from }
}

const byteByByte = (bytes: string): number[] => Array.from({ length: bytes.length }, (_, i) => i)
const HEAD = 'GET /a HTTP/1.1\r\nhost: localhost\r\nx: y\r\n\r\n'

t.test('a head is found wherever it is cut', (t) => {
  for (const [bytes, rest] of [
    [HEAD, ''],
    [`${HEAD}body\r\n\r\n`, 'body\r\n\r\n'],
    [`\r\n${HEAD}`, ''],
    [`${HEAD}${HEAD}`, HEAD],
  ] as const) {
    const found = { result: 'whole', text: HEAD, rest }
    t.match(feed(bytes), found)
    t.match(feed(bytes, byteByByte(bytes)), found, 'byte by byte')
    for (let cut = 1; cut < bytes.length; cut++) t.match(feed(bytes, [cut]), found, `cut at ${cut}`)
  }
  t.end()
})

t.test('one reader reads one head after the other', (t) => {
  const reader = new RequestHeadReader()
  for (let i = 0; i < 3; i++) {
    t.equal(reader.isBegun, false)
    t.equal(reader.read(Buffer.from(`\r\n${HEAD.slice(0, 20)}`), LIMITS), 'more')
    t.equal(reader.isBegun, true)
    t.equal(reader.read(Buffer.from(`${HEAD.slice(20)}next`), LIMITS), 'whole')
    t.equal(reader.text, HEAD)
    t.equal(reader.rest?.toString(), 'next')
  }
  t.end()
})

// [what, bytes that never become a head, the code, how many of them are enough]
const HOPELESS: readonly [string, string, string, number][] = [
  ['a bare LF after the request line', 'GET / HTTP/1.1\nhost: a', 'bad-request-line', 15],
  ['a bare LF in the fields', 'GET / HTTP/1.1\r\nhost: a\nx: y', 'bad-header', 24],
  ['a bare LF for the empty line', 'GET / HTTP/1.1\r\nhost: a\r\n\nx', 'bad-header', 26],
  ['a bare CR in the fields', 'GET / HTTP/1.1\r\nhost: a\rx: y', 'bad-header', 25],
  ['a bare CR in the request line', 'GET /\rx HTTP/1.1', 'bad-request-line', 7],
  ['a folded line', 'GET / HTTP/1.1\r\nhost: a\r\n b', 'bad-header', 26],
  ['a NUL in a field', 'GET / HTTP/1.1\r\nhost: \0a', 'bad-header', 23],
  ['a NUL in the target', 'GET /\0', 'bad-request-line', 6],
  ['a handshake', '\x16\x03\x01', 'bad-request-line', 1],
  ['a space first', ' GET /', 'bad-request-line', 1],
  ['two empty lines', '\r\n\r\nGET', 'bad-request-line', 3],
  ['CR and no LF', '\rGET', 'bad-request-line', 2],
  ['a target without end', `GET /${'a'.repeat(200)}`, 'target-too-long', 149],
  ['fields without end', `GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(100)}`, 'headers-too-large', 401],
]

t.test('what cannot become a head is refused with the byte that shows it', (t) => {
  for (const [what, bytes, code, at] of HOPELESS) {
    t.match(feed(bytes, byteByByte(bytes)), { result: code, at }, what)
    t.equal(feed(bytes).result, code, `${what}, at once`)
    for (let cut = 1; cut < bytes.length; cut++) {
      if (feed(bytes, [cut]).result !== code) t.fail(`${what}, cut at ${cut}`)
    }
  }
  t.end()
})

t.test('a head that is as long as it may be passes, one byte more does not', (t) => {
  const ofLength = (length: number): string => `GET / HTTP/1.1\r\nx: ${'y'.repeat(length - 23)}\r\n\r\n`
  t.equal(ofLength(400).length, 400)
  for (const cuts of [[], byteByByte(ofLength(400)), [399], [398], [20]]) {
    t.equal(feed(`${ofLength(400)}GET`, cuts).result, 'whole')
    t.equal(feed(`${ofLength(401)}GET`, cuts).result, 'headers-too-large')
  }
  t.end()
})

/** What becomes of the bytes: the parser refuses what the reader did not look at, where the end came in the same read. */
function verdict({ result, text, rest }: Found): string {
  if (result === 'more') return result
  if (result !== 'whole' || typeof parseRequestHead(text, 50) === 'string') return 'refused'
  return JSON.stringify([text, rest])
}

t.test('the cuts change nothing', (t) => {
  const part = fc.constantFrom(
    'GET / HTTP/1.1',
    '\r\n',
    '\r',
    '\n',
    'x: y',
    ' ',
    '\t',
    '\0',
    'a',
    '\r\n\r\n',
    'b'.repeat(60),
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 14 }), fc.array(fc.nat(), { maxLength: 10 }), (parts, cuts) => {
      const bytes = parts.join('')
      const whole = verdict(feed(bytes))
      return verdict(feed(bytes, cuts)) === whole && verdict(feed(bytes, byteByByte(bytes))) === whole
    }),
    { numRuns: 4000, seed: 31 },
  )
  t.pass()
  t.end()
})

t.test('byte by byte, each byte is copied a bounded number of times', (t) => {
  const limits = { maxHeaderBytes: 64 * 1024, maxTargetBytes: 1024 }
  const bytes = Buffer.from(`GET / HTTP/1.1\r\n${'x: y\r\n'.repeat(10_000)}\r\n`)
  const reader = new RequestHeadReader()
  const concat = Buffer.concat
  let copied = 0
  Buffer.concat = ((list: readonly Uint8Array[], length?: number) => {
    const joined = concat(list, length)
    copied += joined.length
    return joined
  }) as typeof Buffer.concat
  try {
    let result = ''
    for (let i = 0; i < bytes.length; i++) result = reader.read(bytes.subarray(i, i + 1), limits)
    t.equal(result, 'whole')
  } finally {
    Buffer.concat = concat
  }
  t.ok(copied <= 2 * bytes.length, `${copied} bytes copied for ${bytes.length}`)
  t.end()
})
