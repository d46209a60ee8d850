/** One writer at a time, whoever dies in between. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { FileLock } from '../../src/config/file-lock.ts'

t.test('a lock is had once, says whose it is, and leaves nothing behind', (t) => {
  const folder = t.testdir({})
  const path = join(folder, 'file.lock')
  const lock = FileLock.take(path)
  t.ok(lock)
  t.equal(FileLock.take(path), null)
  t.match(readFileSync(path, 'utf8'), `${hostname()}\n${process.pid}\n`)
  t.strictSame(readdirSync(folder), ['file.lock'], 'no draft stays')
  lock!.release()
  t.strictSame(readdirSync(folder), [])
  const again = FileLock.take(path)
  t.ok(again)
  again!.release()
  t.end()
})

t.test('a lock of a dead process, or without a mark, holds nobody up; that of a living one does', async (t) => {
  const folder = t.testdir({})
  const path = join(folder, 'file.lock')
  const dead = spawn(process.execPath, ['-e', ''])
  await once(dead, 'exit')
  for (const mark of ['', `${hostname()}\n${dead.pid}\n123456\n`]) {
    writeFileSync(path, mark)
    const lock = FileLock.take(path)
    t.ok(lock, JSON.stringify(mark.slice(-10)))
    lock?.release()
  }
  const living = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'])
  t.teardown(() => living.kill('SIGKILL'))
  const stat = readFileSync(`/proc/${living.pid}/stat`, 'latin1')
  const startedAt = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  writeFileSync(path, `${hostname()}\n${living.pid}\n${startedAt}\n`)
  t.equal(FileLock.take(path), null)
  writeFileSync(path, 'elsewhere.example\n1\n1\n')
  t.equal(FileLock.take(path), null, 'nobody can ask whether a process of another host lives')
})
