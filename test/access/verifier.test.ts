import t from 'tap'
import { Verifier } from '../../src/access/verifier.ts'

function controlled() {
  const open: (() => void)[] = []
  let running = 0
  let most = 0
  let started = 0
  const job = async () => {
    started++
    running++
    most = Math.max(most, running)
    await new Promise<void>((resolve) => open.push(resolve))
    running--
    return 'done' as const
  }
  return {
    job,
    async finishAll(ended: () => boolean) {
      while (!ended()) {
        for (const resolve of open.splice(0)) resolve()
        await new Promise((resolve) => setImmediate(resolve))
      }
    },
    get most() {
      return most
    },
    get started() {
      return started
    },
  }
}

t.test('of a thousand at once two run, sixty-four wait, the rest is refused; nothing is left behind', async (t) => {
  const verifier = new Verifier({ maxConcurrent: 2, maxWaiting: 64 })
  const work = controlled()
  let ended = 0
  const all = Array.from({ length: 1000 }, () => verifier.run(work.job).finally(() => ended++))
  t.equal(verifier.running, 2)
  t.equal(verifier.waiting, 64)
  await work.finishAll(() => ended === 1000)
  const outcomes = await Promise.all(all)
  t.equal(outcomes.filter((each) => each === 'done').length, 66)
  t.equal(outcomes.filter((each) => each === 'busy').length, 934)
  t.equal(work.most, 2)
  t.equal(verifier.running, 0)
  t.equal(verifier.waiting, 0)
})

t.test('a check that throws gives its place back', async (t) => {
  const verifier = new Verifier({ maxConcurrent: 1, maxWaiting: 1 })
  const broken = verifier.run(async () => {
    throw new Error('broken')
  })
  const next = verifier.run(async () => 1)
  await t.rejects(broken, { message: 'broken' })
  t.equal(await next, 1)
  t.equal(verifier.running, 0)
})

t.test('the queue is served in order', async (t) => {
  const verifier = new Verifier({ maxConcurrent: 1, maxWaiting: 10 })
  const seen: number[] = []
  await Promise.all([0, 1, 2, 3, 4].map((each) => verifier.run(async () => seen.push(each))))
  t.same(seen, [0, 1, 2, 3, 4])
})

t.test('what was right is remembered for a while, what was wrong never', async (t) => {
  let now = 0
  const options = { maxConcurrent: 1, maxWaiting: 1, cacheMs: 1000, now: () => now }
  const verifier = new Verifier({ ...options, verify: async (_hash, password) => password === 'right' })
  const right = verifier.keyOf('ada', 'right', 'hash')
  const wrong = verifier.keyOf('ada', 'wrong', 'hash')
  t.equal(verifier.remembers(right), false)
  t.equal(await verifier.verify(right, 'hash', 'right'), true)
  t.equal(await verifier.verify(wrong, 'hash', 'wrong'), false)
  t.equal(verifier.remembers(right), true)
  t.equal(verifier.remembers(wrong), false)
  now = 999
  t.equal(verifier.remembers(right), true)
  now = 1000
  t.equal(verifier.remembers(right), false)
})

t.test('a key is of user, password and hash together, and of this process only', (t) => {
  const verifier = new Verifier({ maxConcurrent: 1, maxWaiting: 1 })
  const keys = new Set([
    verifier.keyOf('ada', 'pass', 'hash'),
    verifier.keyOf('adap', 'ass', 'hash'),
    verifier.keyOf('ad', 'apass', 'hash'),
    verifier.keyOf('ada', 'passh', 'ash'),
    verifier.keyOf('bob', 'pass', 'hash'),
    new Verifier({ maxConcurrent: 1, maxWaiting: 1 }).keyOf('ada', 'pass', 'hash'),
  ])
  t.equal(keys.size, 6)
  t.equal(verifier.keyOf('ada', 'pass', 'hash'), verifier.keyOf('ada', 'pass', 'hash'))
  t.end()
})

t.test('the memory is bounded', async (t) => {
  const verifier = new Verifier({ maxConcurrent: 1, maxWaiting: 1, cacheEntries: 3, verify: async () => true })
  const keys = ['a', 'b', 'c', 'd'].map((user) => verifier.keyOf(user, 'p', 'h'))
  for (const key of keys) await verifier.verify(key, 'h', 'p')
  t.same(
    keys.map((key) => verifier.remembers(key)),
    [false, true, true, true],
  )
})

t.test('who waits too long is told so, and holds no place', async (t) => {
  const verifier = new Verifier({ maxConcurrent: 1, maxWaiting: 5, maxWaitMs: 20 })
  let release = () => {}
  const gate = new Promise<void>((resolve) => {
    release = resolve
  })
  const first = verifier.run(() => gate)
  t.same(await Promise.all([verifier.run(async () => 1), verifier.run(async () => 2)]), ['busy', 'busy'])
  t.equal(verifier.waiting, 0)
  release()
  await first
  t.equal(await verifier.run(async () => 3), 3)
  t.equal(verifier.running, 0)
})
