/** Compressed bodies, bounded, and documents line by line. */
import { brotliCompressSync, deflateRawSync, deflateSync, gzipSync, zstdCompressSync } from 'node:zlib'
import t from 'tap'
import { bodyCoding, type Coding, decodeBody } from '../../src/messages/content-coding.ts'
import { cleanLines } from '../../src/messages/ndjson.ts'
import { cleanDocument } from '../../src/messages/rules.ts'
import { messageRules } from '../kit/message-rules.ts'

const WAYS: [Coding, (bytes: Buffer) => Buffer][] = [
  ['gzip', gzipSync],
  ['deflate', deflateSync],
  ['br', brotliCompressSync],
  ['zstd', zstdCompressSync],
]
const words = Buffer.from('{"text":"a < b & c 😀"}'.repeat(20))

t.test('every coding is undone, within its bounds', async (t) => {
  t.equal(decodeBody('identity', words, 1), words)
  for (const [coding, encode] of WAYS) {
    t.same(decodeBody(coding, encode(words), 4096), words, coding)
    t.equal(decodeBody(coding, encode(words), words.length - 1), 'too-large', coding)
    const bomb = encode(Buffer.alloc(16 * 1024 ** 2))
    t.equal(decodeBody(coding, bomb, 1000), 'too-large', `${coding}: ${bomb.length} bytes`)
    if (coding !== 'deflate' && bomb.length < 10_000) {
      t.equal(decodeBody(coding, bomb, 64 * 1024 ** 2), 'too-large', `${coding}: grows beyond reason`)
    }
    for (const broken of [
      Buffer.from('x'),
      encode(words).subarray(0, -3),
      Buffer.concat([Buffer.from('x'), encode(words)]),
    ]) {
      t.equal(decodeBody(coding, broken, 4096), null, coding)
    }
  }
  t.equal(decodeBody('deflate', deflateRawSync(words), 4096), null, 'without its envelope')
})

t.test('one coding, by its name', async (t) => {
  const of = (...values: string[]) => bodyCoding(values.flatMap((value) => ['content-encoding', value]))
  t.equal(of(), 'identity')
  t.equal(of(' GZip '), 'gzip')
  for (const values of [['gzip, br'], ['gzip', 'gzip'], [''], ['x-gzip'], ['compress'], ['gzip;q=1'], ['aws-chunked']])
    t.equal(of(...values), null, values.join(' and '))
})

t.test('each line is a document', async (t) => {
  const rules = messageRules()
  const lines = (body: string) => cleanLines((json) => cleanDocument(rules, json), 100, body)
  const run = (body: string): string => {
    const cleaned = lines(body)
    if (cleaned === 'too-large') return cleaned
    return cleaned.outcome === 'refused' ? cleaned.reason : cleaned.text
  }
  t.equal(
    run('{"text":"<b>x</b>"}\n{"text":"y"}\r\n\n{"text":"<i>z"}\r\n'),
    '{"text":"x"}\n{"text":"y"}\r\n\n{"text":"z"}\r\n',
  )
  const same = '{"text":"\u2028 x"}\n'
  t.same(lines(same), { outcome: 'same', text: same })
  for (const body of [
    '{"text":"x"}\n{',
    '{"text":\n"x"}',
    '{"text":"x"}{"text":"<b>"}',
    '[\r{"text":"<b>"}\r]',
    '{"text":"x","text":"<b>"}',
    'x',
    '\ufeff{"text":"<b>"}',
    '\x1e{"text":"<b>"}',
  ])
    t.equal(run(body), 'unreadable', JSON.stringify(body))
  t.equal(run(`{"text":"${'x'.repeat(100)}"}`), 'too-large')
  t.equal(run('\n'.repeat(1000)), 'too-large')
})
