/** Blocks are kept through a flood, within a bound. */
import t from 'tap'
import { BlockTable } from '../../src/limits/block-table.ts'
import { MemoryCounter } from '../../src/limits/memory-counter.ts'
import { windowRule } from '../../src/limits/window.ts'

const till = (ms: number) => ({ till: ms, strikes: 0, forgetAt: ms })

t.test('full it keeps what it has, and takes new ones again when old ones are over', (t) => {
  const table = new BlockTable(10)
  for (let i = 0; i < 10; i++) t.equal(table.set(`k${i}`, till(100), 0), true)
  t.equal(table.set('late', till(100), 50), false)
  t.equal(table.set('k3', till(200), 50), true, 'one that is there may change')
  t.equal(table.get('k0', 99)?.till, 100)
  t.equal(table.get('k0', 100), null)
  // The sweep gets round in a few additions.
  for (let i = 0; i < 5; i++) table.set(`later${i}`, till(900), 150)
  t.ok(table.size <= 7, String(table.size))
  t.equal(table.get('k3', 150)?.till, 200)
  t.end()
})

t.test('an attacker with any number of addresses sets no blocked client free', (t) => {
  const full: string[] = []
  const rule = windowRule({ name: 'x', points: 2, windowMs: 60_000, blocks: [300_000], onOutage: 'local' })
  const counter = new MemoryCounter(
    rule,
    false,
    (what) => full.push(what),
    1000,
    () => 5,
    100,
  )
  for (let i = 0; i < 3; i++) counter.addNow('blocked')
  t.equal(counter.addNow('blocked').allowed, false)
  for (let i = 0; i < 50_000; i++) counter.addNow(`flood${i}`)
  // And by being blocked as often as there are places.
  for (let i = 0; i < 500; i++) for (let k = 0; k < 3; k++) counter.addNow(`struck${i}`)
  t.match(counter.addNow('blocked'), { allowed: false, resetMs: 300_000 })
  t.ok(counter.size <= 1100, String(counter.size))
  t.ok(full.includes('memory-full') && full.includes('blocks-full'))
  t.match(counter.addNow('struck499'), { allowed: false, resetMs: 60_000 }, 'without a place it waits for its window')
  t.end()
})
