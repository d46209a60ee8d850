/** The circuit opens when too much fails, lets few try, and closes when they succeed. */
import t from 'tap'
import { Breaker, Circuit } from '../../src/upstream/breaker.ts'

const SETTINGS = { rate: 50, least: 4, window: 1000, open: 500, probes: 2 }

function make(circuit = new Circuit()) {
  const changes: string[] = []
  return { breaker: new Breaker(SETTINGS, circuit, (change) => changes.push(change)), changes, circuit }
}

function open(breaker: Breaker, at: number): void {
  for (let i = 0; i < SETTINGS.least; i++) breaker.onFailure(at)
}

t.test('it opens at its rate, and not for a few', async (t) => {
  const { breaker, changes } = make()
  for (let i = 0; i < 3; i++) breaker.onFailure(2000)
  t.equal(breaker.admits(2000), true)
  for (let i = 0; i < 5; i++) breaker.onSuccess()
  breaker.onFailure(2001)
  t.equal(breaker.admits(2001), true, '4 of 9')
  breaker.onFailure(2002)
  t.equal(breaker.admits(2002), false, '5 of 10')
  t.same(changes, ['opened'])
})

t.test('what is old is forgotten', async (t) => {
  const { breaker } = make()
  for (let i = 0; i < 3; i++) breaker.onFailure(2000)
  breaker.onFailure(4000)
  t.equal(breaker.admits(4000), true)
})

t.test('half open, so many may try; all well closes it', async (t) => {
  const { breaker, changes } = make()
  open(breaker, 2000)
  t.equal(breaker.admits(2400), false)
  t.same([breaker.admits(2501), breaker.admits(2501), breaker.admits(2501)], [true, true, false])
  breaker.onSuccess()
  t.equal(breaker.admits(2502), false)
  breaker.onSuccess()
  t.equal(breaker.admits(2503), true)
  t.same(changes, ['opened', 'closed'])
})

t.test('one that fails opens it again, and it is said once', async (t) => {
  const { breaker, changes } = make()
  open(breaker, 2000)
  t.equal(breaker.admits(2501), true)
  breaker.onFailure(2502)
  t.equal(breaker.admits(2503), false)
  t.equal(breaker.admits(3003), true)
  t.same(changes, ['opened'])
})

t.test('probes that never end do not keep it shut', async (t) => {
  const { breaker } = make()
  open(breaker, 2000)
  t.same([breaker.admits(2501), breaker.admits(2501), breaker.admits(2600)], [true, true, false])
  t.equal(breaker.admits(3100), true)
})

t.test('it stays open over a reload', async (t) => {
  const { breaker, circuit } = make()
  open(breaker, 2000)
  t.equal(make(circuit).breaker.admits(2100), false)
})
