/** The first begins at once, each further one in a turn of its own, and after long turns others have theirs. */
import { setImmediate as nextTurn } from 'node:timers/promises'
import t from 'tap'
import { Beginnings } from '../../src/listen/beginnings.ts'
import { until } from '../kit/wait.ts'

const hold = (ms: number): void => {
  const end = performance.now() + ms
  while (performance.now() < end);
}

t.test('one in a turn, in their order', async (t) => {
  const beginnings = new Beginnings()
  const begun: number[] = []
  let turns = 0
  const perTurn: number[] = []
  let counting = true
  const count = (): void => {
    perTurn[turns++] = begun.length
    if (counting) setImmediate(count)
  }
  setImmediate(count)
  t.equal(beginnings.isBusy, false)
  for (let i = 0; i < 20; i++) beginnings.push(() => begun.push(i))
  t.same(begun, [0], 'the first at once')
  t.equal(beginnings.isBusy, true)
  await until(() => begun.length === 20, 'all of them')
  counting = false
  t.same(
    begun,
    Array.from({ length: 20 }, (_, i) => i),
  )
  t.ok(
    perTurn.every((sum, turn) => turn === 0 || sum - perTurn[turn - 1]! <= 1),
    `${perTurn}`,
  )
  await until(() => !beginnings.isBusy, 'the end')
  beginnings.push(() => begun.push(20))
  t.equal(begun.length, 21, 'at once again')
})

t.test('after a long turn a timer comes between, after a short one none', async (t) => {
  const restsOf = async (begin: () => void): Promise<number> => {
    const beginnings = new Beginnings()
    let rests = 0
    const before = globalThis.setTimeout
    globalThis.setTimeout = ((...args: Parameters<typeof setTimeout>) => {
      if (args[1] !== undefined && args[1] <= 5) rests++
      return before(...args)
    }) as typeof setTimeout
    try {
      let left = 5
      for (let i = 0; i < 5; i++) {
        beginnings.push(() => {
          begin()
          left--
        })
      }
      while (left > 0) await nextTurn()
    } finally {
      globalThis.setTimeout = before
    }
    return rests
  }
  t.ok((await restsOf(() => hold(3))) >= 4)
  t.ok((await restsOf(() => {})) < 4, 'a busy machine may make a turn long')
})
