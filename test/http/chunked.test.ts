import fc from 'fast-check'
import t from 'tap'
import { ChunkedDecoder } from '../../src/http/chunked.ts'

/** Feeds the bytes in pieces that end at `cuts`; gives the decoded body, or what went wrong. */
function decode(
  bytes: string,
  cuts: readonly number[] = [],
): { body: string; state: 'ended' | 'bad' | 'more'; used: number } {
  const decoder = new ChunkedDecoder()
  const whole = Buffer.from(bytes, 'latin1')
  const places = [...new Set(cuts.map((cut) => cut % (whole.length + 1)))].sort((a, b) => a - b)
  let body = ''
  let from = 0
  let used = 0
  for (const to of [...places, whole.length]) {
    const piece = whole.subarray(from, to)
    const took = decoder.decode(piece, (data) => {
      body += data.toString('latin1')
      return true
    })
    used += took
    from = to
    if (decoder.ended || decoder.bad) break
  }
  return { body, state: decoder.bad ? 'bad' : decoder.ended ? 'ended' : 'more', used }
}

const LEGAL: [string, string][] = [
  ['0\r\n\r\n', ''],
  ['5\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['05\r\nhello\r\n000\r\n\r\n', 'hello'],
  ['A\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
  ['a\r\n0123456789\r\n0\r\n\r\n', '0123456789'],
  ['5;name=value\r\nhello\r\n0;last\r\n\r\n', 'hello'],
  ['5;name="a;b"\r\nhello\r\n0\r\n\r\n', 'hello'],
  ['5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n', 'hello world'],
  ['2\r\n\r\n\r\n0\r\n\r\n', '\r\n'],
  ['1\r\n0\r\n0\r\nx-checksum: 1\r\nx-other: a b\r\n\r\n', '0'],
]

t.test('legal bodies are decoded however they are cut', (t) => {
  for (const [bytes, body] of LEGAL) {
    t.same(decode(bytes), { body, state: 'ended', used: bytes.length }, JSON.stringify(bytes))
    for (let cut = 0; cut < bytes.length; cut++) t.equal(decode(bytes, [cut]).body, body)
    t.equal(
      decode(
        bytes,
        [...bytes].map((_, i) => i),
      ).state,
      'ended',
      'byte by byte',
    )
  }
  t.end()
})

// Sources: RFC 9112, 7.1; published request smuggling by chunk parsing ("Funky Chunks", TERM.EXT, EXT.TERM, and others).
const HOSTILE: [string, string][] = [
  ['bare LF after the size', '5\nhello\r\n0\r\n\r\n'],
  ['bare CR after the size', '5\rhello\r\n0\r\n\r\n'],
  ['bare LF after the data', '5\r\nhello\n0\r\n\r\n'],
  ['bare LF in an extension', '5;a\nhello\r\n0\r\n\r\n'],
  ['bare CR in an extension', '5;a\rb\r\nhello\r\n0\r\n\r\n'],
  ['NUL in an extension', '5;a\0\r\nhello\r\n0\r\n\r\n'],
  ['high byte in an extension', '5;\xff\r\nhello\r\n0\r\n\r\n'],
  ['space before the size', ' 5\r\nhello\r\n0\r\n\r\n'],
  ['space after the size', '5 \r\nhello\r\n0\r\n\r\n'],
  ['tab after the size', '5\t;a\r\nhello\r\n0\r\n\r\n'],
  ['plus sign', '+5\r\nhello\r\n0\r\n\r\n'],
  ['minus sign', '-5\r\nhello\r\n0\r\n\r\n'],
  ['hex prefix', '0x5\r\nhello\r\n0\r\n\r\n'],
  ['underscore', '1_0\r\nhello\r\n0\r\n\r\n'],
  ['no size', '\r\nhello\r\n0\r\n\r\n'],
  ['a length among the trailers', '0\r\nContent-Length: 5\r\n\r\n'],
  ['a coding among the trailers', '0\r\ntransfer-encoding: chunked\r\n\r\n'],
  ['an extension without a name', '5;\r\nhello\r\n0\r\n\r\n'],
  ['two semicolons', '5;;\r\nhello\r\n0\r\n\r\n'],
  ['an extension without a value', '5;a=\r\nhello\r\n0\r\n\r\n'],
  ['a value without a name', '5;=b\r\nhello\r\n0\r\n\r\n'],
  ['two values', '5;a=b=c\r\nhello\r\n0\r\n\r\n'],
  ['an open quotation', '5;a="b\r\nhello\r\n0\r\n\r\n'],
  ['something behind a quotation', '5;a="b"c\r\nhello\r\n0\r\n\r\n'],
  ['an escaped end of a quotation', '5;a="b\\"\r\nhello\r\n0\r\n\r\n'],
  ['white space in an extension', '5; a\r\nhello\r\n0\r\n\r\n'],
  ['only an extension', ';a\r\nhello\r\n0\r\n\r\n'],
  ['not hex', 'g\r\nhello\r\n0\r\n\r\n'],
  ['too many digits', '00000000005\r\nhello\r\n0\r\n\r\n'],
  ['a size that overflows', 'fffffffffffffffff\r\nhello\r\n0\r\n\r\n'],
  ['data longer than its size', '4\r\nhello\r\n0\r\n\r\n'],
  ['data shorter than its size', '6\r\nhello\r\n0\r\n\r\n'],
  ['no line break after the data', '5\r\nhello0\r\n\r\n'],
  ['a comma list', '5,5\r\nhello\r\n0\r\n\r\n'],
  ['bare LF ends the trailers', '0\r\na: b\n\r\n\r\n'],
  ['a folded trailer', '0\r\na: b\r\n c\r\n\r\n'],
  ['a trailer without a name', '0\r\n: b\r\n\r\n'],
  ['a space in a trailer name', '0\r\na : b\r\n\r\n'],
  ['a control character in a trailer', '0\r\na: \x01\r\n\r\n'],
  ['a request in place of trailers', '0\r\nGET / HTTP/1.1\r\n\r\n'],
]

t.test('hostile bodies are never taken for whole ones', (t) => {
  for (const [name, bytes] of HOSTILE) {
    t.equal(decode(bytes).state, 'bad', name)
    t.equal(
      decode(
        bytes,
        [...bytes].map((_, i) => i),
      ).state,
      'bad',
      `${name}, byte by byte`,
    )
  }
  t.equal(decode(`5;${'a'.repeat(300)}\r\nhello\r\n0\r\n\r\n`).state, 'bad', 'an endless extension')
  t.equal(decode(`0\r\n${'a: b\r\n'.repeat(3000)}\r\n`).state, 'bad', 'endless trailers')
  t.end()
})

t.test('what follows the body is left alone', (t) => {
  t.equal(decode('1\r\na\r\n0\r\n\r\nGET / HTTP/1.1\r\n').used, '1\r\na\r\n0\r\n\r\n'.length)
  t.equal(decode('0\r\na: b\r\n\r\nGET', [3, 5, 9]).used, '0\r\na: b\r\n\r\n'.length)
  t.end()
})

t.test('any body comes through any cutting', (t) => {
  const chunks = fc.array(
    fc.string({
      unit: fc.integer({ min: 0, max: 255 }).map((c) => String.fromCharCode(c)),
      minLength: 1,
      maxLength: 40,
    }),
    { maxLength: 8 },
  )
  fc.assert(
    fc.property(chunks, fc.array(fc.nat(600), { maxLength: 12 }), (parts, cuts) => {
      const bytes = `${parts.map((part) => `${part.length.toString(16)}\r\n${part}\r\n`).join('')}0\r\n\r\n`
      const { body, state, used } = decode(bytes, cuts)
      return body === parts.join('') && state === 'ended' && used === bytes.length
    }),
    { seed: 7112, numRuns: 400 },
  )
  t.end()
})

/** From this size on a chunk is handed over by itself. */
const LARGE = 8192
const chunkOf = (letter: string, size: number): string => `${size.toString(16)}\r\n${letter.repeat(size)}\r\n`

t.test('the decoder stops where its reader stops', (t) => {
  const decoder = new ChunkedDecoder()
  const bytes = Buffer.from(`${chunkOf('a', LARGE)}${chunkOf('b', LARGE)}0\r\n\r\n`)
  const seen: string[] = []
  const onData = (piece: Buffer): boolean => {
    seen.push(`${piece.toString()[0]} ${piece.length}`)
    return false
  }
  let at = decoder.decode(bytes, onData)
  t.same(seen, [`a ${LARGE}`])
  at += decoder.decode(bytes.subarray(at), onData)
  t.same(seen, [`a ${LARGE}`, `b ${LARGE}`])
  decoder.decode(bytes.subarray(at), onData)
  t.equal(decoder.ended, true)
  t.end()
})

t.test('small chunks that come together are handed over together, and no further than the reader wants', (t) => {
  const decoder = new ChunkedDecoder()
  const bytes = Buffer.from(`${chunkOf('a', 1).repeat(3 * LARGE)}0\r\n\r\n`)
  const seen: number[] = []
  const onData = (piece: Buffer): boolean => {
    seen.push(piece.length)
    return false
  }
  let at = decoder.decode(bytes, onData)
  t.same(seen, [LARGE])
  t.equal(at, LARGE * 6 - 2, 'no byte behind the last chunk that was handed over')
  while (at < bytes.length) at += decoder.decode(bytes.subarray(at), onData)
  t.same(seen, [LARGE, LARGE, LARGE])
  t.equal(decoder.ended, true)
  t.end()
})

t.test('what came before a mistake in the same bytes need not be handed over', (t) => {
  const decoder = new ChunkedDecoder()
  const seen: string[] = []
  decoder.decode(Buffer.from('1\r\na\r\n1\r\nb\r\nx'), (piece) => {
    seen.push(piece.toString())
    return true
  })
  t.equal(decoder.bad, true)
  t.same(seen, [])
  t.end()
})

t.test('however chunks and reads are cut, the same bytes are handed over in order', (t) => {
  const sizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 4000, max: 9000 })), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(sizes, fc.array(fc.nat(), { maxLength: 6 }), (list, cuts) => {
      const body = list.map((size, i) => String.fromCharCode(97 + (i % 26)).repeat(size))
      const bytes = `${body.map((each) => `${each.length.toString(16)}\r\n${each}\r\n`).join('')}0\r\n\r\n`
      const found = decode(bytes, cuts)
      return found.body === body.join('') && found.state === 'ended' && found.used === bytes.length
    }),
    { numRuns: 200, seed: 11 },
  )
  t.pass()
  t.end()
})
