/** The gate of a WebSocket by itself: what passes passes byte for byte, however the stream is cut and whoever has to wait. */
import fc from 'fast-check'
import t from 'tap'
import { AddressCaps } from '../../src/exchange/address-caps.ts'
import type { SocketBounds } from '../../src/exchange/socket-bounds.ts'
import {
  BINARY,
  CLOSE,
  CONTINUATION,
  FrameReader,
  PING,
  PONG,
  parseClose,
  TEXT,
  writeFrame,
} from '../../src/http/websocket-frames.ts'
import { SocketGate, type TunnelEnds } from '../../src/upstream/socket-gate.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const OPEN: SocketBounds = {
  subprotocols: null,
  perAddress: new AddressCaps(100),
  maxMessageBytes: 10_000,
  maxInflatedBytes: 0,
  messageRate: { points: 1_000_000, windowMs: 1000 },
  byteRate: 1_000_000_000,
  overRate: 'refuse',
  limit: null,
  closesOverLimit: false,
  binary: null,
  idleMs: 1_000_000,
  pingMs: 0,
  pongMs: 0,
  lifetimeMs: 0,
  shown: (filter) => filter,
}

class Ends implements TunnelEnds {
  readonly client: Buffer[] = []
  readonly upstream: Buffer[] = []
  isPaused = false
  ended = false
  toClient(chunk: Buffer): void {
    this.client.push(chunk)
  }
  toUpstream(chunk: Buffer): void {
    this.upstream.push(Buffer.from(chunk))
  }
  pauseClient(): void {
    this.isPaused = true
  }
  resumeClient(): void {
    this.isPaused = false
  }
  end(): void {
    this.ended = true
  }
}

function open(bounds: Partial<SocketBounds> = {}) {
  const ends = new Ends()
  const counts: string[] = []
  const metrics = {
    count: (name: string, event: string, reason = '') => void counts.push(`${name} ${event} ${reason}`),
  }
  const gate = new SocketGate(fakeExchange().x, { ...OPEN, ...bounds }, ends, metrics, 0)
  return { ends, counts, gate }
}

const client = (opcode: number, payload: Buffer | string, isFinal = true): Buffer => {
  const frame = writeFrame(opcode, Buffer.from(payload), true)
  if (!isFinal) frame[0]! &= 0x7f
  return frame
}

/** Frames as text, and the code of a close. */
function frames(chunks: readonly Buffer[], masked: boolean): string[] {
  const reader = new FrameReader(masked, 1_000_000)
  reader.push(Buffer.concat(chunks))
  const seen: string[] = []
  while (reader.next()) {
    seen.push(`${reader.opcode} ${reader.opcode === CLOSE ? parseClose(reader.payload)?.code : reader.payload}`)
  }
  if (reader.fault !== null) seen.push(reader.fault.reason)
  return seen
}

/** A message in one to four frames, with pings between them. */
const message = fc
  .tuple(
    fc.constantFrom(TEXT, BINARY),
    fc.array(fc.integer({ min: 0, max: 300 }), { minLength: 1, maxLength: 4 }),
    fc.boolean(),
  )
  .map(([opcode, sizes, pings]) => {
    const parts: Buffer[] = []
    const controls: Buffer[] = []
    for (const [i, size] of sizes.entries()) {
      parts.push(client(i === 0 ? opcode : CONTINUATION, Buffer.alloc(size, 0x61 + i), i === sizes.length - 1))
      if (!pings) continue
      const control = client(i % 2 === 0 ? PING : PONG, Buffer.alloc(8, i))
      parts.push(control)
      controls.push(control)
    }
    return { all: Buffer.concat(parts), controls: Buffer.concat(controls) }
  })

function cut(gate: SocketGate, bytes: Buffer, size: number): void {
  for (let at = 0; at < bytes.length; at += size) gate.onClientData(bytes.subarray(at, at + size), 0)
}

t.test('within the bounds every byte passes as it came', (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 400 }), (messages, size) => {
      const { ends, gate } = open()
      const bytes = Buffer.concat(messages.map((each) => each.all))
      cut(gate, bytes, size)
      return Buffer.concat(ends.upstream).equals(bytes) && ends.client.length === 0
    }),
    { numRuns: 400, seed: 1 },
  )
  t.end()
})

t.test('over the rate whole messages are left out, control frames are not', (t) => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 6 }), fc.integer({ min: 1, max: 400 }), (messages, size) => {
      const { ends, gate } = open({ messageRate: { points: 3, windowMs: 3_600_000 } })
      cut(gate, Buffer.concat(messages.map((each) => each.all)), size)
      const left = messages.map((each, i) => (i < 3 ? each.all : each.controls))
      return Buffer.concat(ends.upstream).equals(Buffer.concat(left))
    }),
    { numRuns: 400, seed: 2 },
  )
  t.end()
})

t.test('while a limit is asked nothing is read, and then all goes on in its order', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { maxLength: 5 }), fc.integer({ min: 1, max: 400 }), async (messages, size) => {
      let asked = 0
      let open2 = 0
      let most = 0
      const { ends, gate } = open({
        limit: {
          ask(_x, _event, answer) {
            asked++
            open2++
            most = Math.max(most, open2)
            const isAllowed = asked % 3 !== 0
            setImmediate(() => {
              open2--
              answer(isAllowed)
            })
            return null
          },
        },
      })
      const bytes = Buffer.concat(messages.map((each) => each.all))
      for (let at = 0; at < bytes.length; at += size) {
        while (ends.isPaused) await new Promise((resolve) => setImmediate(resolve))
        gate.onClientData(bytes.subarray(at, at + size), performance.now())
      }
      while (ends.isPaused) await new Promise((resolve) => setImmediate(resolve))
      const left = messages.map((each, i) => ((i + 1) % 3 === 0 ? each.controls : each.all))
      return most <= 1 && asked === messages.length && Buffer.concat(ends.upstream).equals(Buffer.concat(left))
    }),
    { numRuns: 150, seed: 3 },
  )
})

t.test('a client that goes on although it was told to wait is kept for a while, not for ever', (t) => {
  const { ends, gate, counts } = open({ limit: { ask: () => null } })
  gate.onClientData(client(TEXT, 'a'), 0)
  t.equal(ends.isPaused, true)
  for (let i = 0; i < 40 && !gate.isClosing; i++) gate.onClientData(Buffer.alloc(64 * 1024), 0)
  t.equal(gate.isClosing, true)
  t.same(frames(ends.client, false), ['8 1013'])
  t.same(frames(ends.upstream, true), ['8 1013'], 'and nothing of it went on')
  t.same(counts, ['socket_refusals_total - queue'])
  t.end()
})

t.test('an answer that comes when the socket has ended changes nothing', (t) => {
  let answer: (isAllowed: boolean) => void = () => {}
  const { ends, gate } = open({
    limit: {
      ask(_x, _event, then) {
        answer = then
        return null
      },
    },
  })
  gate.onClientData(client(TEXT, 'a'), 0)
  gate.close(1001, 'going away')
  answer(true)
  t.same(frames(ends.upstream, true), ['8 1001'])
  t.end()
})

t.test('what came before the message that ends the socket still arrives', (t) => {
  const { ends, gate } = open({ messageRate: { points: 2, windowMs: 3_600_000 }, overRate: 'close' })
  gate.onClientData(Buffer.concat(['a', 'b', 'c', 'd'].map((each) => client(TEXT, each))), 0)
  t.same(frames(ends.upstream, true), ['1 a', '1 b', '8 1013'])
  t.same(frames(ends.client, false), ['8 1013'])
  t.equal(ends.ended, true)
  t.end()
})

t.test('over a rate that waits, the client is held until there is room', (t) => {
  const { ends, gate } = open({ messageRate: { points: 2, windowMs: 1000 }, overRate: 'wait' })
  gate.onClientData(Buffer.concat(['a', 'b', 'c', 'd', 'e'].map((each) => client(TEXT, each))), 0)
  t.same(frames(ends.upstream, true), ['1 a', '1 b'])
  t.equal(ends.isPaused, true)
  gate.onTick(200, true)
  t.equal(frames(ends.upstream, true).length, 2, 'not yet')
  gate.onTick(1000, true)
  t.same(frames(ends.upstream, true), ['1 a', '1 b', '1 c', '1 d'])
  t.equal(ends.isPaused, true)
  gate.onTick(1600, true)
  t.same(frames(ends.upstream, true), ['1 a', '1 b', '1 c', '1 d', '1 e'])
  t.equal(ends.isPaused, false)
  t.end()
})

t.test('pings: after silence only, answered by anything, and never while the client cannot be heard', (t) => {
  const { ends, gate } = open({ pingMs: 1000, pongMs: 500 })
  gate.onTick(900, true)
  t.equal(ends.client.length, 0)
  gate.onTick(1100, true)
  t.equal(ends.client.length, 1)
  const sent = ends.client[0]!
  t.equal(sent[0], 0x89)
  gate.onClientData(client(PONG, sent.subarray(2)), 1200)
  t.equal(ends.upstream.length, 0, 'our own pong goes nowhere')
  gate.onClientData(client(PONG, 'of its'), 1250)
  t.same(frames(ends.upstream, true), ['10 of its'])
  gate.onTick(2300, true)
  t.equal(ends.client.length, 2)
  gate.onTick(2700, false)
  gate.onTick(3500, false)
  t.equal(gate.isClosing, false, 'nothing could come')
  gate.onTick(4600, true)
  t.equal(ends.client.length, 3)
  gate.onTick(5200, true)
  t.equal(gate.isClosing, true)
  t.same(frames(ends.client, false).at(-1), '8 1001')
  t.end()
})

t.test('what is not WebSocket ends the socket, and not a byte of it is passed', (t) => {
  fc.assert(
    fc.property(
      message,
      fc.uint8Array({ minLength: 2, maxLength: 30 }),
      fc.integer({ min: 1, max: 9 }),
      (first, raw, size) => {
        const junk = Buffer.from(raw)
        // Not masked: nothing that a client may send.
        junk[1]! &= 0x7f
        const { ends, gate } = open()
        cut(gate, Buffer.concat([first.all, junk]), size)
        const passed = Buffer.concat(ends.upstream)
        return (
          passed.subarray(0, first.all.length).equals(first.all) &&
          frames([passed.subarray(first.all.length)], true).join() === '8 1002' &&
          gate.isClosing
        )
      },
    ),
    { numRuns: 500, seed: 4 },
  )
  t.end()
})
