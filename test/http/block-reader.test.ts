import fc from 'fast-check'
import t from 'tap'
import { BlockReader, MORE, NEVER } from '../../src/http/block-reader.ts'
import { ChunkedDecoder } from '../../src/http/chunked.ts'

/** Feeds the pieces until the reader has decided. */
function feed(reader: BlockReader, pieces: readonly string[]): { result: number; fed: number } {
  let fed = 0
  let result = MORE
  for (const piece of pieces) {
    result = reader.read(Buffer.from(piece, 'latin1'), 0)
    fed++
    if (result !== MORE) break
  }
  return { result, fed }
}

const whole = (text: string, max = 100, start = '', before = '') => {
  const reader = new BlockReader(max, start, before)
  return { result: reader.read(Buffer.from(text, 'latin1'), 0), text: reader.text }
}

t.test('finds the end, and what belongs to the block', (t) => {
  t.same(whole('a: b\r\n\r\nrest'), { result: 8, text: 'a: b\r\n\r\n' })
  t.same(whole('\r\nrest', 100, '', '\r\n'), { result: 2, text: '\r\n' }, 'an empty block')
  t.same(whole('a: b\r\n\r\nrest', 100, '', '\r\n'), { result: 8, text: 'a: b\r\n\r\n' })
  t.equal(whole('a: b\r\n').result, MORE)
  t.equal(whole('x'.repeat(101)).result, NEVER)
  t.equal(whole(`${'x'.repeat(97)}\r\n\r\n`).result, NEVER, 'an end behind the bound')
  t.equal(whole(`${'x'.repeat(96)}\r\n\r\n`).result, 100)
  t.equal(whole('SSH-2.0', 100, 'HTTP/1.').result, NEVER)
  t.equal(whole('HTT', 100, 'HTTP/1.').result, MORE)
  t.equal(feed(new BlockReader(100, 'HTTP/1.', ''), ['H', 'T', 'X', 'P']).fed, 3, 'with the byte that shows it')
  t.end()
})

t.test('a reader is used again', (t) => {
  const reader = new BlockReader(100, 'HTTP/1.', '')
  for (let i = 0; i < 3; i++) {
    t.equal(reader.read(Buffer.from('HTTP/1.1 200'), 0), MORE)
    t.equal(reader.read(Buffer.from(' OK\r\n\r\nHTTP'), 0), 7)
    t.equal(reader.text, 'HTTP/1.1 200 OK\r\n\r\n')
  }
  t.end()
})

t.test('the cuts change nothing', (t) => {
  const part = fc.constantFrom('HTTP/1.1 200 OK', '\r\n', '\r', '\n', 'x: y', '\r\n\r\n', 'b'.repeat(20))
  const before = fc.constantFrom('', '\r\n')
  fc.assert(
    fc.property(fc.array(part, { maxLength: 10 }), fc.array(fc.nat(), { maxLength: 8 }), before, (parts, at, ahead) => {
      const bytes = parts.join('')
      const cuts = [0, ...at.map((each) => each % (bytes.length + 1)), bytes.length].toSorted((a, b) => a - b)
      const pieces = cuts.slice(1).map((end, i) => bytes.slice(cuts[i], end))
      const one = new BlockReader(60, '', ahead)
      const many = new BlockReader(60, '', ahead)
      const expected = one.read(Buffer.from(bytes, 'latin1'), 0)
      const { result } = feed(many, pieces)
      return expected < 0 === result < 0 && one.text === many.text && (expected >= 0 || expected === result)
    }),
    { numRuns: 3000, seed: 7 },
  )
  t.pass()
  t.end()
})

/** Characters that were decoded or searched while `act` ran. */
function workOf(act: () => void): number {
  const { toString: decode } = Buffer.prototype
  const { indexOf } = String.prototype
  const { concat } = Buffer
  let work = 0
  Buffer.prototype.toString = function (this: Buffer, ...rest: Parameters<Buffer['toString']>) {
    const text = decode.apply(this, rest)
    work += text.length
    return text
  }
  String.prototype.indexOf = function (this: string, ...rest: Parameters<string['indexOf']>) {
    work += this.length
    return indexOf.apply(this, rest)
  }
  Buffer.concat = ((...rest: Parameters<typeof concat>) => {
    const joined = concat(...rest)
    work += joined.length
    return joined
  }) as typeof concat
  try {
    act()
  } finally {
    Buffer.prototype.toString = decode
    String.prototype.indexOf = indexOf
    Buffer.concat = concat
  }
  return work
}

t.test('byte by byte, the work grows with the length and no faster', (t) => {
  const readHead = (fields: number) => () => {
    const bytes = Buffer.from(`HTTP/1.1 200 OK\r\n${'x: y\r\n'.repeat(fields)}\r\n`)
    const reader = new BlockReader(64 * 1024, 'HTTP/1.', '')
    let result = MORE
    for (let i = 0; i < bytes.length; i++) result = reader.read(bytes.subarray(i, i + 1), 0)
    t.equal(result, 1)
  }
  const readTrailers = (length: number) => () => {
    const bytes = Buffer.from(`0\r\nx: ${'y'.repeat(length)}\r\n\r\n`)
    const decoder = new ChunkedDecoder()
    for (let i = 0; i < bytes.length; i++) decoder.decode(bytes.subarray(i, i + 1), () => true)
    t.equal(decoder.ended, true)
  }
  for (const [read, small] of [
    [readHead, 400],
    [readTrailers, 800],
  ] as const) {
    const once = workOf(read(small))
    const eightfold = workOf(read(small * 8))
    t.ok(eightfold < 10 * once, `${once} and ${eightfold}`)
  }
  t.end()
})
