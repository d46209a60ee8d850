/** Frames pass untouched, and a close frame is only ever put between two of them. */
import fc from 'fast-check'
import t from 'tap'
import type { TunnelSides } from '../../src/exchange/contracts.ts'
import { closeFrame } from '../../src/http/websocket-frames.ts'
import { relayFilter } from '../../src/upstream/relay-filter.ts'
import { fakeExchange } from '../kit/fake-client.ts'

class Sides implements TunnelSides {
  readonly client: Buffer[] = []
  readonly upstream: Buffer[] = []
  ends = 0

  toClient(chunk: Buffer): void {
    this.client.push(chunk)
  }

  toUpstream(chunk: Buffer): void {
    this.upstream.push(chunk)
  }

  pauseClient(): void {}

  resumeClient(): void {}

  admit(): boolean {
    return true
  }

  end(): void {
    this.ends++
  }

  get clientBytes(): Buffer {
    return Buffer.concat(this.client)
  }

  get upstreamBytes(): Buffer {
    return Buffer.concat(this.upstream)
  }
}

function frame(length: number, masked: boolean): Buffer {
  const payload = Buffer.alloc(length, 0x61)
  const mask = masked ? 0x80 : 0
  const head =
    length < 126 ? Buffer.from([0x82, mask | length]) : Buffer.from([0x82, mask | 126, length >> 8, length & 255])
  return Buffer.concat(masked ? [head, Buffer.from([1, 2, 3, 4]), payload] : [head, payload])
}

const open = (): { sides: Sides; filter: ReturnType<typeof relayFilter> } => {
  const sides = new Sides()
  return { sides, filter: relayFilter(fakeExchange().x, sides) }
}

t.test('between frames both sides are told at once', async (t) => {
  const { sides, filter } = open()
  filter.onClientData(frame(5, true))
  filter.onUpstreamData(frame(200, false))
  filter.close(1001, 'going away')
  t.same(sides.clientBytes, Buffer.concat([frame(200, false), closeFrame(1001, 'going away', false)]))
  t.same(sides.upstreamBytes.subarray(0, 11), frame(5, true))
  t.equal(sides.upstreamBytes[11], 0x88)
  t.equal(sides.ends, 1)
  filter.close(1001, 'again')
  t.equal(sides.ends, 1)
})

t.test('a frame that is under way is finished first, and nothing after it passes', async (t) => {
  const { sides, filter } = open()
  const whole = frame(300, false)
  filter.onUpstreamData(whole.subarray(0, 100))
  filter.close(1001, 'going away')
  t.equal(sides.ends, 0)
  filter.onUpstreamData(Buffer.concat([whole.subarray(100), frame(10, false)]))
  t.same(sides.clientBytes, Buffer.concat([whole, closeFrame(1001, 'going away', false)]))
  t.equal(sides.ends, 1)
  filter.onUpstreamData(frame(3, false))
  t.equal(sides.clientBytes.length, whole.length + closeFrame(1001, 'going away', false).length)
})

t.test('a side that has said close already is not told again', async (t) => {
  const { sides, filter } = open()
  const own = closeFrame(1000, 'bye', false)
  filter.onUpstreamData(own)
  filter.close(1001, 'going away')
  t.same(sides.clientBytes, own)
  t.equal(sides.ends, 1)
})

t.test('however the bytes are cut, they pass whole, and a close frame stands on a boundary', async (t) => {
  const lengths = fc.array(fc.integer({ min: 0, max: 400 }), { minLength: 1, maxLength: 6 })
  const cuts = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 60 })
  fc.assert(
    fc.property(lengths, cuts, fc.nat(60), (sizes, steps, closeAfter) => {
      const frames = sizes.map((length) => frame(length, false))
      const all = Buffer.concat(frames)
      const { sides, filter } = open()
      let at = 0
      for (let i = 0; at < all.length; i++) {
        if (i === closeAfter) filter.close(1001, '')
        const end = Math.min(all.length, at + steps[i % steps.length]!)
        filter.onUpstreamData(all.subarray(at, end))
        at = end
      }
      const got = sides.clientBytes
      const close = closeFrame(1001, '', false)
      if (sides.ends === 0) return got.equals(all)
      const boundaries = frames.map((_, i) => Buffer.concat(frames.slice(0, i + 1)).length)
      const kept = got.length - close.length
      return (kept === 0 || boundaries.includes(kept)) && got.equals(Buffer.concat([all.subarray(0, kept), close]))
    }),
    { numRuns: 300, seed: 11 },
  )
  t.pass()
})
