/** The rule in memory, on a clock of the test's own. */
import fc from 'fast-check'
import t from 'tap'
import { MemoryCounter } from '../../src/limits/memory-counter.ts'
import { windowRule } from '../../src/limits/window.ts'

function makeCounter(
  rate: number,
  { burst = 0, blocks = [] as number[], maxKeys = 1000, onDrop = null as (() => void) | null } = {},
) {
  const clock = { now: 5000 }
  const rule = windowRule({ name: 'test', points: rate, windowMs: 10_000, blocks, onOutage: 'local', burst })
  return { clock, counter: new MemoryCounter(rule, false, onDrop, maxKeys, () => clock.now) }
}

function passing(counter: MemoryCounter, key: string, tries: number): number {
  let passed = 0
  for (let i = 0; i < tries; i++) if (counter.addNow(key).allowed) passed++
  return passed
}

t.test('exactly the rate passes in a window, and the rate again in the next one', async (t) => {
  const { clock, counter } = makeCounter(5)
  t.equal(passing(counter, 'a', 20), 5)
  clock.now += 9999
  t.equal(passing(counter, 'a', 20), 0, 'the window has not ended')
  clock.now += 1
  t.equal(passing(counter, 'a', 20), 5)
})

t.test('the state counts down and says when the window ends', async (t) => {
  const { clock, counter } = makeCounter(2)
  t.match(counter.addNow('a'), { used: 1, remaining: 1, resetMs: 10_000, allowed: true, degraded: false })
  clock.now += 4000
  t.match(counter.addNow('a'), { used: 2, remaining: 0, resetMs: 6000, allowed: true })
  t.match(counter.addNow('a'), { used: 3, remaining: 0, resetMs: 6000, allowed: false })
  t.match(await counter.get('a'), { used: 2, remaining: 0, allowed: false })
  t.equal(await counter.get('b'), null)
})

t.test('a burst is spent once, and only what windows leave unspent fills it again', async (t) => {
  const { clock, counter } = makeCounter(5, { burst: 3 })
  t.equal(passing(counter, 'a', 20), 8, 'rate and burst')
  clock.now += 10_000
  t.equal(passing(counter, 'a', 20), 5, 'the rate only: the burst is spent')
  clock.now += 10_000
  t.equal(passing(counter, 'a', 4), 4, 'one is left unspent')
  clock.now += 10_000
  t.equal(passing(counter, 'a', 20), 6, 'and saved')
  clock.now += 20_000
  t.equal(passing(counter, 'a', 20), 8, 'an idle window fills it, no further than the burst')
})

t.test('a key that went over stays blocked for the block time, whatever its window does', async (t) => {
  const { clock, counter } = makeCounter(2, { blocks: [60_000] })
  t.equal(passing(counter, 'a', 3), 2)
  clock.now += 59_999
  const refused = counter.addNow('a')
  t.match(refused, { allowed: false, resetMs: 1 }, 'trying again does not prolong it')
  clock.now += 1
  t.equal(passing(counter, 'a', 3), 2)
})

t.test('block and clear', async (t) => {
  const { clock, counter } = makeCounter(2)
  await counter.block('a', 1500)
  t.match(counter.addNow('a'), { allowed: false, resetMs: 1500 })
  t.match(await counter.get('a'), { allowed: false })
  await counter.clear('a')
  t.equal(passing(counter, 'a', 3), 2)
  await counter.block('a', 1500)
  clock.now += 1500
  t.equal(passing(counter, 'a', 3), 2)
})

t.test('points: an add that does not fit is refused, and nothing that adds can take away', async (t) => {
  const { counter } = makeCounter(5)
  t.match(counter.addNow('a', 4), { used: 4, remaining: 1, allowed: true })
  t.match(counter.addNow('a', 2), { remaining: 0, allowed: false })
  t.match(counter.addNow('b', -3), { used: 1 })
  t.match(counter.addNow('b', Number.NaN), { used: 2 })
  t.match(counter.addNow('b', 1.9), { used: 3 })
})

t.test('a flood of addresses stays within the bound, is noticed, and does not push out a key in use', async (t) => {
  let drops = 0
  const { counter } = makeCounter(3, { maxKeys: 1000, onDrop: () => drops++ })
  t.equal(passing(counter, 'attacker', 10), 3)
  let passed = 0
  for (let i = 0; i < 20_000; i++) {
    counter.addNow(`2001:db8::${i}`)
    if (i % 100 === 0 && counter.addNow('attacker').allowed) passed++
    if (counter.size > 1000) return t.fail(`${counter.size} keys`)
  }
  t.equal(passed, 0, 'its count was kept')
  t.ok(drops > 0)
})

t.test('over any windows in a row no more than windows * rate + burst pass', async (t) => {
  const steps = fc.array(fc.record({ waitMs: fc.nat(25_000), tries: fc.nat(12) }), { maxLength: 40 })
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 6 }), fc.nat(6), (list, rate, burst) => {
      const { clock, counter } = makeCounter(rate, { burst })
      const passedAt: number[] = []
      for (const { waitMs, tries } of list) {
        clock.now += waitMs
        for (let i = 0; i < tries; i++) if (counter.addNow('a').allowed) passedAt.push(clock.now)
      }
      for (let from = 0; from < passedAt.length; from++) {
        for (let to = from; to < passedAt.length; to++) {
          // Any span touches at most this many windows.
          const windows = Math.floor((passedAt[to]! - passedAt[from]!) / 10_000) + 2
          if (to - from + 1 > windows * rate + burst) return false
        }
      }
      return true
    }),
    { seed: 11, numRuns: 300 },
  )
  t.pass('held')
})
