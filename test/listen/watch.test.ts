import {
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { watchFiles } from '../../src/listen/watch.ts'

/** Counts calls; `next` waits for the one after those that were already waited for. */
function start(t: Test, paths: string[], debounceMs = 40) {
  let calls = 0
  let awaited = 0
  let wake: (() => void) | null = null
  const files = watchFiles(
    paths,
    () => {
      calls++
      wake?.()
    },
    debounceMs,
  )
  t.teardown(() => files.close())
  // The watch keeps no process alive; the test does.
  const alive = setInterval(() => {}, 1000)
  t.teardown(() => clearInterval(alive))
  return {
    files,
    get calls() {
      return calls
    },
    async next() {
      awaited++
      while (calls < awaited) await new Promise<void>((resolve) => (wake = resolve))
    },
  }
}

const quiet = () => sleep(300)

t.test('a write is told once', async (t) => {
  const file = join(t.testdir({ a: '1' }), 'a')
  const seen = start(t, [file])
  writeFileSync(file, '22')
  await seen.next()
  writeFileSync(file, '333')
  await seen.next()
  await quiet()
  t.equal(seen.calls, 2)
})

t.test('an editor that writes anew and renames is told, again and again', async (t) => {
  const folder = t.testdir({ a: '1' })
  const file = join(folder, 'a')
  const seen = start(t, [file])
  for (let round = 0; round < 3; round++) {
    writeFileSync(join(folder, '.a.swp'), `round ${round}`)
    renameSync(join(folder, '.a.swp'), file)
    await seen.next()
  }
  t.equal(seen.calls, 3)
})

t.test('a file that is away for a moment is told once, when it is back', async (t) => {
  const file = join(t.testdir({ a: '1' }), 'a')
  let there: boolean[] = []
  const files = watchFiles([file], () => there.push(exists(file)), 250)
  t.teardown(() => files.close())
  unlinkSync(file)
  await sleep(150)
  writeFileSync(file, 'new')
  while (there.length === 0) await sleep(20)
  await quiet()
  t.strictSame(there, [true])
  there = []
  unlinkSync(file)
  while (there.length === 0) await sleep(20)
  t.strictSame(there, [false], 'a file that stays away is news, too')
  writeFileSync(file, 'back')
  while (there.length === 1) await sleep(20)
  t.strictSame(there, [false, true])
})

function exists(file: string): boolean {
  try {
    readFileSync(file)
    return true
  } catch {
    return false
  }
}

t.test('secrets that swap a link (Kubernetes) are told once for all files', async (t) => {
  const folder = t.testdir({ '..1': { cert: 'c1', key: 'k1' } })
  symlinkSync('..1', join(folder, '..data'))
  for (const name of ['cert', 'key']) symlinkSync(join('..data', name), join(folder, name))
  const seen = start(t, [join(folder, 'cert'), join(folder, 'key')], 80)
  for (const [old, next] of [
    ['..1', '..2'],
    ['..2', '..3'],
  ] as const) {
    mkdirSync(join(folder, next))
    for (const name of ['cert', 'key']) writeFileSync(join(folder, next, name), `${name}${next}`)
    symlinkSync(next, join(folder, '..data_tmp'))
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'))
    rmSync(join(folder, old), { recursive: true })
    await seen.next()
  }
  await quiet()
  t.equal(seen.calls, 2)
})

t.test('a change where the link leads to is told', async (t) => {
  const folder = t.testdir({ real: { a: '1' }, linked: {} })
  symlinkSync(join(folder, 'real', 'a'), join(folder, 'linked', 'a'))
  const seen = start(t, [join(folder, 'linked', 'a')])
  writeFileSync(join(folder, 'real', 'a'), '22')
  await seen.next()
  t.equal(seen.calls, 1)
})

t.test('neighbours, reading and a rewrite that changes nothing are not told', async (t) => {
  const folder = t.testdir({ a: '1', b: '1' })
  const file = join(folder, 'a')
  const past = 1_700_000_000
  utimesSync(file, past, past)
  const seen = start(t, [file])
  writeFileSync(join(folder, 'b'), '22')
  readFileSync(file)
  utimesSync(file, past + 5, past + 5)
  utimesSync(file, past, past)
  await quiet()
  t.equal(seen.calls, 0)
})

t.test('a file that is being written is told when it has come to rest', async (t) => {
  const file = join(t.testdir({ a: '' }), 'a')
  const sizes: number[] = []
  const files = watchFiles([file], () => sizes.push(readFileSync(file).length), 250)
  t.teardown(() => files.close())
  for (let size = 1; size <= 10; size++) {
    writeFileSync(file, 'x'.repeat(size))
    await sleep(20)
  }
  while (sizes.at(-1) !== 10) await sleep(20)
  t.equal(sizes.at(-1), 10, 'the last state is always told')
})

t.test('a file that does not exist yet is told when it comes, its folder too', async (t) => {
  const folder = t.testdir()
  const seen = start(t, [join(folder, 'later', 'a')])
  mkdirSync(join(folder, 'later'))
  writeFileSync(join(folder, 'later', 'a'), '1')
  // No folder to watch yet: the poll finds it.
  await seen.next()
  writeFileSync(join(folder, 'later', 'a'), '22')
  await seen.next()
  t.equal(seen.calls, 2)
})

t.test('a folder that is replaced is watched anew', async (t) => {
  const folder = t.testdir({ certs: { a: '1' }, next: { a: '22' } })
  const seen = start(t, [join(folder, 'certs', 'a')])
  renameSync(join(folder, 'certs'), join(folder, 'old'))
  renameSync(join(folder, 'next'), join(folder, 'certs'))
  await seen.next()
  writeFileSync(join(folder, 'certs', 'a'), '333')
  await seen.next()
  t.equal(seen.calls, 2)
})

t.test('update changes what is watched and keeps what is known', async (t) => {
  const folder = t.testdir({ a: '1', b: '1', c: '1' })
  const [a, b, c] = ['a', 'b', 'c'].map((name) => join(folder, name)) as [string, string, string]
  const seen = start(t, [a, b])
  writeFileSync(b, '22')
  seen.files.update([b, c])
  await seen.next()
  writeFileSync(a, '22')
  await quiet()
  t.equal(seen.calls, 1, 'a is watched no more, and the change of b was not forgotten')
  writeFileSync(c, '22')
  await seen.next()
  seen.files.update([])
  writeFileSync(c, '333')
  await quiet()
  t.equal(seen.calls, 2)
})

t.test('nothing is told after close', async (t) => {
  const file = join(t.testdir({ a: '1' }), 'a')
  const seen = start(t, [file])
  writeFileSync(file, '22')
  seen.files.close()
  seen.files.close()
  seen.files.update([file])
  writeFileSync(file, '333')
  await quiet()
  t.equal(seen.calls, 0)
})
