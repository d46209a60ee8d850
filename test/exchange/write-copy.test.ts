/** Copies that are written: nobody's bytes change while they wait, and their memory serves again when they are written. */
import { Writable } from 'node:stream'
import t from 'tap'
import { writeCopy } from '../../src/exchange/write-copy.ts'

/** Holds what it is given until it is let go. */
class Slow extends Writable {
  readonly taken: Buffer[] = []
  #done: ((error?: Error) => void) | null = null

  constructor() {
    super({ highWaterMark: 100_000 })
    this.on('error', () => {})
  }

  override _write(chunk: Buffer, _encoding: string, done: (error?: Error) => void): void {
    this.taken.push(chunk)
    this.#done = done
  }

  async next(error?: Error): Promise<void> {
    const done = this.#done
    this.#done = null
    done?.(error)
    await new Promise((wake) => setImmediate(wake))
  }
}

for (const size of [1, 2047, 2048, 20_000, 32 * 1024, 70_000]) {
  t.test(`${size} bytes stay as they are while they wait`, async (t) => {
    const stream = new Slow()
    const chunk = Buffer.alloc(size)
    for (const fill of ['a', 'b', 'c']) {
      chunk.fill(fill)
      writeCopy(stream, chunk)
    }
    chunk.fill('x')
    const seen: string[] = []
    for (let i = 0; i < 3; i++) {
      seen.push(stream.taken[i]!.toString())
      await stream.next()
    }
    t.same(seen, ['a'.repeat(size), 'b'.repeat(size), 'c'.repeat(size)])
  })
}

t.test('memory serves again only when it was written', async (t) => {
  const stream = new Slow()
  writeCopy(stream, Buffer.alloc(10_000, 'a'))
  writeCopy(stream, Buffer.alloc(10_000, 'b'))
  const first = stream.taken[0]!
  t.equal(first.toString(), 'a'.repeat(10_000))
  await stream.next()
  const second = stream.taken[1]!
  t.not(second.buffer, first.buffer, 'two that wait do not share')
  t.equal(second.toString(), 'b'.repeat(10_000))
  writeCopy(stream, Buffer.alloc(10_000, 'c'))
  t.equal(second.toString(), 'b'.repeat(10_000), 'what waits is not written over')
  await stream.next()
  const third = stream.taken[2]!
  t.equal(third.buffer, first.buffer, 'the first was written, and serves again')
  t.equal(third.toString(), 'c'.repeat(10_000))
})

t.test('what a failed write held is given up', async (t) => {
  const stream = new Slow()
  writeCopy(stream, Buffer.alloc(10_000, 'a'))
  const lost = stream.taken[0]!
  await stream.next(new Error('gone'))
  const others = [new Slow(), new Slow(), new Slow()]
  for (const other of others) writeCopy(other, Buffer.alloc(10_000, 'b'))
  t.ok(others.every(({ taken }) => taken[0]!.buffer !== lost.buffer))
  t.equal(lost.toString(), 'a'.repeat(10_000))
})

t.test('it says whether to wait', (t) => {
  const stream = new Slow()
  t.equal(writeCopy(stream, Buffer.alloc(30_000)), true)
  t.equal(writeCopy(stream, Buffer.alloc(30_000)), true)
  t.equal(writeCopy(stream, Buffer.alloc(30_000)), true)
  t.equal(writeCopy(stream, Buffer.alloc(30_000)), false)
  t.end()
})
