import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { LineFile } from '../../src/observe/line-file.ts'
import { until } from '../kit/wait.ts'

const linesOf = (path: string) => readFileSync(path, 'utf8').split('\n').slice(0, -1)

t.test('every line arrives once and in order', async (t) => {
  const path = join(t.testdir(), 'deep/er/a.log')
  const file = new LineFile(path, { holdBytes: 4096 })
  for (let i = 0; i < 20_000; i++) file.write(`${i} ü`)
  await file.flush()
  await file.close()
  t.same(
    linesOf(path),
    Array.from({ length: 20_000 }, (_, i) => `${i} ü`),
  )
  t.equal(file.dropped, 0)
  t.equal(statSync(path).mode & 0o777, 0o600, 'nobody else reads it')
})

t.test('lines that wait are written by themselves', async (t) => {
  const path = join(t.testdir(), 'a.log')
  const file = new LineFile(path, { holdBytes: 4096 })
  t.teardown(() => file.close())
  file.write('one')
  t.equal(readFileSync(path, 'utf8'), '')
  await until(() => readFileSync(path, 'utf8') === 'one\n')
})

t.test('nothing is held where that is asked for', async (t) => {
  const path = join(t.testdir(), 'a.log')
  const file = new LineFile(path, { holdBytes: 0 })
  t.teardown(() => file.close())
  file.write('one')
  file.write('two')
  await file.flush()
  t.same(linesOf(path), ['one', 'two'])
})

t.test('a rotation loses and tears no line', async (t) => {
  const folder = t.testdir()
  const path = join(folder, 'a.log')
  const file = new LineFile(path, { holdBytes: 0 })
  let written = 0
  for (let round = 0; round < 5; round++) {
    for (let i = 0; i < 2000; i++) file.write(`line ${written++}`)
    renameSync(path, join(folder, `a.${round}`))
    file.reopen()
    await until(() => existsSync(path))
  }
  await file.close()
  const all = [0, 1, 2, 3, 4].flatMap((round) => linesOf(join(folder, `a.${round}`))).concat(linesOf(path))
  t.same(
    all,
    Array.from({ length: written }, (_, i) => `line ${i}`),
  )
})

t.test('a reopening that fails keeps the old file', async (t) => {
  const folder = t.testdir({ d: {} })
  const path = join(folder, 'd', 'a.log')
  const file = new LineFile(path, { holdBytes: 0 })
  file.write('one')
  await file.flush()
  renameSync(join(folder, 'd'), join(folder, 'e'))
  writeFileSync(join(folder, 'd'), 'in the way')
  file.reopen()
  file.write('two')
  await file.close()
  t.same(linesOf(join(folder, 'e', 'a.log')), ['one', 'two'])
})

t.test('a full disk costs lines, and nothing else', { skip: !existsSync('/dev/full') }, async (t) => {
  const file = new LineFile('/dev/full', { holdBytes: 0, maxBytes: 3000 })
  for (let i = 0; i < 1000; i++) file.write(`line ${i}`)
  await file.flush()
  t.equal(file.lastError, 'ENOSPC')
  t.ok(file.dropped > 0 && file.dropped < 1000, `${file.dropped}`)
  file.flushSync()
  t.equal(file.lastError, 'ENOSPC', 'the end of the process does not hang')
  await file.close()
  t.equal(file.dropped, 1000, 'every lost line is counted')
})

t.test('a line after the end is counted as lost', async (t) => {
  const file = new LineFile(join(t.testdir(), 'a.log'), { holdBytes: 0 })
  await file.close()
  await file.close()
  file.write('late')
  t.equal(file.dropped, 1)
})

t.test('what waits is written at the end of the process', (t) => {
  const path = join(t.testdir(), 'a.log')
  const file = new LineFile(path, { holdBytes: 4096 })
  file.write('one')
  file.write('two')
  file.flushSync()
  t.same(linesOf(path), ['one', 'two'])
  return file.close()
})
