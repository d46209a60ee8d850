import t from 'tap'
import { TICK_MS } from '../../src/exchange/clock.ts'
import { SlowReader } from '../../src/exchange/slow-reader.ts'

const LIMITS = { sendMs: 10_000, sendMinRate: 1000 }

interface Reading {
  /** Bytes that are taken every `everyMs`. */
  readonly bytes: number
  readonly everyMs: number
  readonly sharers?: number
  readonly limits?: typeof LIMITS
}

/** Milliseconds until such a reader of an answer without end is cut; -1 where it is not within ten minutes. */
function cutAfter({ bytes, everyMs, sharers = 1, limits = LIMITS }: Reading): number {
  const reader = new SlowReader()
  let written = 1_000_000
  for (let ms = TICK_MS; ms <= 600_000; ms += TICK_MS) {
    // As much comes as is taken: the queue always looks the same.
    if (ms % everyMs === 0) written += bytes
    if (reader.isStuck(written, 64_000, limits, sharers)) return ms
  }
  return -1
}

t.test('who takes nothing is cut after the time for that', (t) => {
  t.ok(cutAfter({ bytes: 0, everyMs: 1000 }) <= 10_600)
  t.ok(cutAfter({ bytes: 0, everyMs: 1000, limits: { sendMs: 10_000, sendMinRate: 0 } }) <= 10_600)
  t.end()
})

t.test('so is who takes a byte now and then', (t) => {
  for (const [bytes, everyMs] of [
    [1, 200],
    [1, 9800],
    [5000, 9800],
    [190, 200],
  ] as const) {
    const ms = cutAfter({ bytes, everyMs })
    t.ok(ms > 10_000, `${bytes} every ${everyMs} ms has its grace: ${ms}`)
    t.equal(cutAfter({ bytes, everyMs, limits: { sendMs: 10_000, sendMinRate: 0 } }), -1, 'only by the rate')
  }
  t.end()
})

t.test('who takes enough is not, in whatever pieces', (t) => {
  for (const [bytes, everyMs] of [
    [201, 200],
    [1001, 1000],
    [9000, 9000],
    [64_000, 9800],
  ] as const) {
    t.equal(cutAfter({ bytes, everyMs }), -1, `${bytes} every ${everyMs} ms`)
  }
  t.end()
})

t.test('streams that share a way share the rate', (t) => {
  t.equal(cutAfter({ bytes: 21, everyMs: 200, sharers: 10 }), -1)
  t.not(cutAfter({ bytes: 19, everyMs: 200, sharers: 10 }), -1)
  t.end()
})

t.test('haste is not saved up, quiet is not slow', (t) => {
  const reader = new SlowReader()
  let written = 1000
  let hastyMs = 0
  for (; hastyMs < 60_000; hastyMs += TICK_MS) {
    written += 100_000
    t.equal(reader.isStuck(written, 1000, LIMITS), false)
  }
  let ms = 0
  while (ms < 60_000 && !reader.isStuck(written, 1000, LIMITS)) ms += TICK_MS
  t.ok(ms < 11_000, 'who was fast has no more time than others')

  const quiet = new SlowReader()
  for (ms = 0; ms < 600_000; ms += TICK_MS) {
    // An event of ten bytes every two seconds, taken at once.
    const queued = ms % 2000 === 0 ? 10 : 0
    if (quiet.isStuck(5000 + ms / 200, queued, LIMITS)) break
  }
  t.equal(ms, 600_000)
  t.end()
})
