/** Compressed messages made plain frames and back, cut anywhere, next to a client and a server of another make. */
import fc from 'fast-check'
import t from 'tap'
import { deflateMessage, inflateMessage } from '../../src/http/permessage-deflate.ts'
import { applyMask, BINARY, FrameReader, PING, TEXT, writeFrame } from '../../src/http/websocket-frames.ts'
import { CompressedReader } from '../../src/upstream/compressed-reader.ts'
import { CompressedWriter } from '../../src/upstream/compressed-writer.ts'

const RSV1 = 0x40

/** Any frame, right or wrong. */
function frame(first: number, payload: Buffer, masked = true): Buffer {
  const made = writeFrame(1, payload, masked)
  made[0] = first
  return made
}

/** A message in frames of these sizes, compressed. */
function compressed(text: string | Buffer, sizes: number[] = [], opcode = TEXT): Buffer[] {
  const deflated = deflateMessage(Buffer.from(text), 15)
  const frames: Buffer[] = []
  let at = 0
  for (const size of [...sizes, deflated.length]) {
    const end = Math.min(deflated.length, at + size)
    const isLast = frames.length === sizes.length
    frames.push(frame((isLast ? 0x80 : 0) | (frames.length === 0 ? RSV1 | opcode : 0), deflated.subarray(at, end)))
    at = end
  }
  return frames
}

interface Read {
  readonly frames: string[]
  readonly fault: number | null
  readonly bytes: Buffer
}

function read(chunks: readonly Buffer[], maxBytes = 10_000): Read {
  const reader = new CompressedReader(maxBytes)
  const out: Buffer[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    for (let plain = reader.next(); plain !== null; plain = reader.next()) out.push(Buffer.from(plain))
  }
  const bytes = Buffer.concat(out)
  const plain = new FrameReader(true, 1_000_000)
  plain.push(bytes)
  const frames: string[] = []
  while (plain.next()) frames.push(`${plain.opcode}${plain.isFinal ? '' : '+'} ${plain.payload}`)
  return { frames, fault: reader.fault?.code ?? plain.fault?.code ?? null, bytes }
}

t.test('messages of every kind become plain frames, others keep their bytes', async (t) => {
  t.same(read(compressed('hello')).frames, ['1 hello'])
  t.same(read(compressed('')).frames, ['1 '])
  t.same(read(compressed('bytes', [], BINARY)).frames, ['2 bytes'])
  const plain = [
    writeFrame(TEXT, Buffer.from('x'.repeat(70_000)), true),
    frame(0x01, Buffer.from('a')),
    frame(0x80, Buffer.from('b')),
  ]
  t.same(read(plain).bytes, Buffer.concat(plain))
  const [first, second, third] = compressed('a longer text, a longer text', [3, 0])
  const ping = writeFrame(PING, Buffer.from('p'), true)
  t.same(read([first!, ping, second!, ping, third!, plain[0]!]).frames.slice(0, 3), [
    '9 p',
    '9 p',
    '1 a longer text, a longer text',
  ])
})

t.test('each message stands by itself', async (t) => {
  const twice = Buffer.concat([...compressed('same words, same words'), ...compressed('same words, same words')])
  t.same(read([twice]).frames, ['1 same words, same words', '1 same words, same words'])
})

t.test('faults', async (t) => {
  const text = compressed('words and words', [4])
  const words = Buffer.from('x')
  for (const [name, frames, code] of [
    ['RSV1 on a control frame', [frame(0x80 | RSV1 | PING, words)], 1002],
    ['RSV1 on a continuation', [text[0]!, frame(0x80 | RSV1, words)], 1002],
    ['RSV1 on a continuation of a plain message', [frame(0x01, words), frame(0x80 | RSV1, words)], 1002],
    ['RSV2', [frame(0x80 | 0x20 | RSV1 | TEXT, words)], 1002],
    ['RSV3', [frame(0x80 | 0x10 | TEXT, words)], 1002],
    ['an unknown opcode', [frame(0x80 | RSV1 | 3, words)], 1002],
    ['no mask', [frame(0x80 | RSV1 | TEXT, words, false)], 1002],
    ['a continuation without a mask', [text[0]!, frame(0x80, words, false)], 1002],
    ['another message before the end', [text[0]!, frame(0x80 | TEXT, words)], 1002],
    ['another compressed one', [text[0]!, frame(0x80 | RSV1 | TEXT, words)], 1002],
    ['compressed within a plain one', [frame(0x01, words), ...compressed('x')], 1002],
    ['broken data', [frame(0x80 | RSV1 | TEXT, Buffer.from([7, 7, 7]))], 1007],
    ['a bomb', compressed(Buffer.alloc(1_000_000)), 1009],
    [
      'more than may come, before it is held',
      [Buffer.from([0x80 | RSV1 | TEXT, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4])],
      1009,
    ],
    ['more than may come, in pieces', [text[0]!, frame(0, Buffer.alloc(9000)), frame(0, Buffer.alloc(9000))], 1009],
    ['a length that is not the shortest', [Buffer.from([0x80 | RSV1 | TEXT, 0xfe, 0, 1, 1, 2, 3, 4, 0])], 1002],
  ] as const)
    t.equal(read(frames).fault, code, name)
  const after = read([...compressed('ok'), frame(0x80 | RSV1 | TEXT, Buffer.from([7, 7, 7])), ...compressed('never')])
  t.same(after.frames, ['1 ok'])
})

t.test('a queue that grows while nobody reads is cut', async (t) => {
  const reader = new CompressedReader(1000)
  for (let i = 0; i < 40; i++) reader.push(Buffer.alloc(64 * 1024, 0x89))
  t.equal(reader.fault?.code, 1009)
})

t.test('cut anywhere, the same frames', async () => {
  const piece = fc.oneof(
    fc
      .tuple(fc.string({ maxLength: 400 }), fc.array(fc.nat(20), { maxLength: 3 }))
      .map(([text, cuts]) => Buffer.concat(compressed(text, cuts))),
    fc.string({ maxLength: 300 }).map((text) => writeFrame(TEXT, Buffer.from(text), true)),
    fc.constant(writeFrame(PING, Buffer.from('p'), true)),
    fc.uint8Array({ minLength: 1, maxLength: 8 }).map((bytes) => Buffer.from(bytes)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.array(fc.nat(2000), { maxLength: 8 }), (pieces, cuts) => {
      const bytes = Buffer.concat(pieces)
      const ends = [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)
      let from = 0
      const chunks = ends.map((end) => {
        const chunk = bytes.subarray(from, end)
        from = end
        return chunk
      })
      const whole = read([bytes])
      const cut = read(chunks)
      const single = read([...bytes].map((byte) => Buffer.from([byte])))
      const said = (each: Read) => JSON.stringify([each.frames, each.fault])
      return said(whole) === said(cut) && said(whole) === said(single)
    }),
    { seed: 7692, numRuns: 500 },
  )
})

t.test('towards the client: whole messages of middling size are compressed, and nothing else', async (t) => {
  const text = 'some words that come again, '.repeat(30)
  const write = (...chunks: Buffer[]): Buffer => {
    const writer = new CompressedWriter(13)
    return Buffer.concat(chunks.map((chunk) => writer.write(chunk)))
  }
  const whole = writeFrame(TEXT, Buffer.from(text), false)
  const written = write(whole)
  t.ok(written.length < 150, `${written.length} for ${whole.length}`)
  t.equal(written[0], 0x80 | RSV1 | TEXT)
  t.equal(inflateMessage(written.subarray(2), 10_000)?.toString(), text)
  t.same(write(...[...whole].map((byte) => Buffer.from([byte]))), written, 'byte by byte')
  const noise = Buffer.alloc(300)
  for (let i = 0; i < noise.length; i++) noise[i] = (i * 7919 + (i * i) / 3) & 0xff
  for (const same of [
    writeFrame(TEXT, Buffer.from('short'), false),
    writeFrame(PING, Buffer.alloc(100), false),
    writeFrame(BINARY, Buffer.alloc(70_000), false),
    Buffer.concat([frame(0x01, Buffer.alloc(400), false), frame(0x80, Buffer.alloc(400), false)]),
    frame(0x80 | RSV1 | TEXT, Buffer.alloc(400), false),
  ])
    t.same(write(same), same)
  const masked = writeFrame(TEXT, Buffer.alloc(400), true)
  applyMask(masked.subarray(8), masked, 4)
  t.equal(write(masked).length, masked.length, 'what no server sends passes as it is')
})

t.test('towards the client, cut anywhere, another reads the same', async () => {
  const piece = fc.oneof(
    fc.string({ maxLength: 900 }).map((text) => writeFrame(TEXT, Buffer.from(text.repeat(3)), false)),
    fc.constant(writeFrame(PING, Buffer.from('p'), false)),
    fc.string({ maxLength: 900 }).map((text) => frame(0x01, Buffer.from(text), false)),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 5 }), fc.array(fc.nat(3000), { maxLength: 8 }), (pieces, cuts) => {
      const bytes = Buffer.concat(pieces)
      const writer = new CompressedWriter(10)
      const out: Buffer[] = []
      let from = 0
      for (const end of [...cuts.map((cut) => cut % (bytes.length + 1)), bytes.length].sort((a, b) => a - b)) {
        out.push(Buffer.from(writer.write(bytes.subarray(from, end))))
        from = end
      }
      return unpacked(Buffer.concat(out)) === unpacked(bytes)
    }),
    { seed: 7692, numRuns: 300 },
  )
})

/** Opcode and payload of every frame, inflated. */
function unpacked(bytes: Buffer): string {
  const seen: string[] = []
  for (let at = 0; at < bytes.length; ) {
    const first = bytes[at]!
    const short = bytes[at + 1]!
    const start = at + (short === 126 ? 4 : 2)
    const end = start + (short === 126 ? bytes.readUInt16BE(at + 2) : short)
    const payload = bytes.subarray(start, end)
    const shown = (first & RSV1) === 0 ? payload : inflateMessage(payload, 100_000)
    seen.push(`${first & ~RSV1} ${shown}`)
    at = end
  }
  return seen.join('\n')
}
