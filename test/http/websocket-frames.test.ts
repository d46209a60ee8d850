import { EventEmitter } from 'node:events'
import { Duplex, type Writable } from 'node:stream'
import fc from 'fast-check'
import t from 'tap'
import * as ws from 'ws'
import { FrameTracker } from '../../src/http/frame-tracker.ts'
import {
  applyMask,
  BINARY,
  CLOSE,
  CONTINUATION,
  closeFrame,
  FrameReader,
  isCloseCode,
  PING,
  parseClose,
  TEXT,
  writeFrame,
} from '../../src/http/websocket-frames.ts'

/** What ws exports without types: its two halves of a connection. */
const { Receiver, Sender } = ws as unknown as {
  Receiver: new (options: { isServer: boolean }) => Writable
  Sender: new (
    socket: Duplex,
  ) => {
    send(data: string, options: object, done: () => void): void
    ping(data: string, mask: boolean, done: () => void): void
    close(code: number, data: string, mask: boolean, done: () => void): void
  }
}

interface Seen {
  opcode: number
  isFinal: boolean
  text: string
}

function read(
  chunks: Buffer[],
  masked = true,
  most = 1_000_000,
): { frames: Seen[]; code: number; reader: FrameReader } {
  const reader = new FrameReader(masked, most)
  const frames: Seen[] = []
  for (const chunk of chunks) {
    reader.push(chunk)
    while (reader.next()) {
      frames.push({ opcode: reader.opcode, isFinal: reader.isFinal, text: reader.payload.toString('latin1') })
    }
  }
  return { frames, code: reader.fault?.code ?? 0, reader }
}

const frame = (first: number, payload: Buffer | string, masked = true): Buffer => {
  const bytes = writeFrame(first & 0x0f, Buffer.from(payload), masked)
  bytes[0] = first
  return bytes
}
const CONVERSATION = Buffer.concat([
  frame(0x81, 'hello'),
  frame(0x01, 'frag'),
  frame(0x89, 'ping'),
  frame(0x00, 'men'),
  frame(0x80, 'ted'),
  frame(0x82, Buffer.alloc(300, 7)),
  frame(0x81, ''),
  frame(0x81, 'x'.repeat(70_000)),
  frame(0x88, Buffer.from([3, 232])),
])

t.test('a conversation cut at any byte reads the same', (t) => {
  const whole = read([CONVERSATION])
  t.equal(whole.frames.length, 9)
  t.equal(whole.code, 0)
  t.equal(whole.reader.isAtBoundary, true)
  const expected = JSON.stringify(whole.frames)
  const cuts = [...Array(400).keys(), ...Array.from({ length: 20 }, (_, i) => CONVERSATION.length - 1 - i)]
  let same = 0
  for (const at of cuts) {
    const parts = [CONVERSATION.subarray(0, at), CONVERSATION.subarray(at)]
    if (JSON.stringify(read(parts).frames) === expected) same++
  }
  t.equal(same, cuts.length)
  const bytes = [...CONVERSATION.subarray(0, 3000)].map((byte) => Buffer.from([byte]))
  t.equal(JSON.stringify(read([...bytes, CONVERSATION.subarray(3000)]).frames), expected)
  t.end()
})

const long = (length: number, declared: bigint): Buffer => {
  const bytes = Buffer.alloc(14 + length)
  bytes[0] = 0x82
  bytes[1] = 0xff
  bytes.writeBigUInt64BE(declared, 2)
  return bytes
}
const medium = (declared: number): Buffer => {
  const bytes = Buffer.alloc(8 + declared)
  bytes[0] = 0x82
  bytes[1] = 0xfe
  bytes.writeUInt16BE(declared, 2)
  return bytes
}

const BROKEN: [string, Buffer, number][] = [
  ['RSV1', frame(0xc1, 'x'), 1002],
  ['RSV2', frame(0xa1, 'x'), 1002],
  ['RSV3', frame(0x91, 'x'), 1002],
  ...[3, 4, 5, 6, 7, 11, 12, 13, 14, 15].map((code): [string, Buffer, number] => [
    `opcode ${code}`,
    frame(0x80 | code, ''),
    1002,
  ]),
  ['no mask', frame(0x81, 'x', false), 1002],
  ['fragmented ping', frame(0x09, 'x'), 1002],
  ['fragmented close', frame(0x08, ''), 1002],
  ['long ping', frame(0x89, 'x'.repeat(126)), 1002],
  ['continuation of nothing', frame(0x80, 'x'), 1002],
  ['text within a message', Buffer.concat([frame(0x01, 'x'), frame(0x81, 'y')]), 1002],
  ['continuation after the end', Buffer.concat([frame(0x81, 'x'), frame(0x80, 'y')]), 1002],
  ['16 bits for 125', medium(125), 1002],
  ['64 bits for 65535', long(65535, 65535n), 1002],
  ['64 bits, top bit', long(0, 1n << 63n), 1002],
  ['all of 63 bits', long(0, (1n << 63n) - 1n), 1009],
  ['over the size', frame(0x81, 'x'.repeat(1001)), 1009],
  ['fragments over the size', Buffer.concat([frame(0x01, 'x'.repeat(900)), frame(0x80, 'x'.repeat(101))]), 1009],
]

t.test('broken frames are refused', (t) => {
  for (const [name, bytes, code] of BROKEN) {
    t.equal(read([bytes], true, 1000).code, code, name)
    t.equal(
      read(
        [...bytes].map((byte) => Buffer.from([byte])),
        true,
        1000,
      ).code,
      code,
      `${name}, byte by byte`,
    )
  }
  t.equal(read([frame(0x81, 'x', true)], false).code, 1002, 'a server must not mask')
  t.equal(read([frame(0x81, 'x', false)], false).code, 0)
  t.end()
})

t.test('a message of exactly the size passes, and the size counts anew for the next one', (t) => {
  const one = Buffer.concat([frame(0x01, 'x'.repeat(900)), frame(0x89, 'p'.repeat(125)), frame(0x80, 'x'.repeat(100))])
  t.equal(read([one, one, frame(0x81, 'x'.repeat(1000))], true, 1000).code, 0)
  t.end()
})

t.test('nothing is read after a fault', (t) => {
  const { frames, code } = read([frame(0xc1, 'x'), frame(0x81, 'y')])
  t.equal(frames.length, 0)
  t.equal(code, 1002)
  t.end()
})

t.test('arbitrary bytes never crash, and no unmasked frame is ever read', (t) => {
  const property = fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }), (chunks) => {
    const { frames } = read(
      chunks.map((each) => Buffer.from(each)),
      true,
      64,
    )
    const first = Buffer.concat(chunks)
    return frames.length === 0 || (first[1]! & 0x80) !== 0
  })
  fc.assert(property, { numRuns: 3000, seed: 5 })
  t.end()
})

t.test('masking is its own inverse at every length and alignment', (t) => {
  const key = Buffer.from([1, 2, 3, 250])
  for (let length = 0; length < 140; length++) {
    const room = Buffer.alloc(length + 8, 0x5a)
    for (const start of [0, 1, 2, 4]) {
      const part = room.subarray(start, start + length)
      const plain = Buffer.from(part)
      applyMask(part, key, 0)
      for (let i = 0; i < length; i++) if (part[i] !== (plain[i]! ^ key[i & 3]!)) t.fail(`length ${length} byte ${i}`)
      applyMask(part, key, 0)
      if (!part.equals(plain)) t.fail(`length ${length}`)
    }
  }
  t.pass()
  t.end()
})

t.test('the receiver of ws reads what is written', async (t) => {
  for (const masked of [true, false]) {
    const receiver = new Receiver({ isServer: masked })
    const seen: string[] = []
    receiver.on('message', (data: Buffer, isBinary: boolean) => seen.push(`${isBinary}:${data.length}`))
    const concluded = EventEmitter.once(receiver, 'conclude')
    receiver.on('conclude', (code: number, reason: Buffer) => seen.push(`${code} ${reason}`))
    for (const length of [0, 1, 125, 126, 65535, 65536]) {
      receiver.write(writeFrame(length % 2 ? TEXT : BINARY, Buffer.alloc(length, 97), masked))
    }
    receiver.write(closeFrame(1008, 'ü'.repeat(100), masked))
    await concluded
    t.same(seen, ['true:0', 'false:1', 'false:125', 'true:126', 'false:65535', 'true:65536', `1008 ${'ü'.repeat(61)}`])
  }
})

t.test('what the sender of ws writes is read', (t) => {
  const out: Buffer[] = []
  const socket = new Duplex({
    read() {},
    write(chunk: Buffer, _encoding, done) {
      out.push(chunk)
      done()
    },
  })
  const sender = new Sender(socket)
  const options = { fin: false, mask: true, binary: false, compress: false }
  sender.send('grü', options, () => {})
  sender.ping('p', true, () => {})
  sender.send('ße', { ...options, fin: true }, () => {})
  sender.close(1001, 'bye', true, () => {})
  const { frames, code } = read(out)
  t.equal(code, 0)
  t.same(
    frames.map((each) => each.opcode),
    [TEXT, PING, CONTINUATION, CLOSE],
  )
  t.same(parseClose(Buffer.from(frames[3]!.text, 'latin1')), { code: 1001, reason: 'bye' })
  t.end()
})

t.test('close codes and payloads', (t) => {
  for (const code of [1000, 1001, 1002, 1003, 1007, 1011, 1014, 3000, 4999]) t.equal(isCloseCode(code), true)
  for (const code of [0, 999, 1004, 1005, 1006, 1015, 2999, 5000, 65535]) t.equal(isCloseCode(code), false)
  t.same(parseClose(Buffer.alloc(0)), { code: 1005, reason: '' })
  t.equal(parseClose(Buffer.from([3])), null)
  t.equal(parseClose(Buffer.from([3, 237])), null)
  t.equal(parseClose(Buffer.from([3, 232, 0xff])), null)
  t.end()
})

t.test('the tracker finds every boundary, however the stream is cut', (t) => {
  const parts = [
    frame(0x81, 'a', false),
    frame(0x82, Buffer.alloc(300), false),
    frame(0x81, '', false),
    frame(0x81, 'b'.repeat(66_000), false),
  ]
  const stream = Buffer.concat(parts)
  const ends = new Set<number>([0])
  let sum = 0
  for (const part of parts) {
    sum += part.length
    ends.add(sum)
  }
  let wrong = 0
  for (let at = 0; at <= 500; at++) {
    const tracker = new FrameTracker()
    tracker.pass(stream.subarray(0, at))
    if (tracker.isAtBoundary !== ends.has(at)) wrong++
    const next = [...ends].find((end) => end >= at)!
    if (tracker.passToBoundary(stream.subarray(at)) !== next - at) wrong++
  }
  t.equal(wrong, 0)
  const tracker = new FrameTracker()
  tracker.pass(stream.subarray(0, 10))
  t.equal(tracker.passToBoundary(stream.subarray(10, 20)), -1)
  t.equal(tracker.sawClose, false)
  const closing = new FrameTracker()
  closing.pass(closeFrame(1000, '', false))
  t.equal(closing.sawClose, true)
  t.end()
})
