/** The key ring: what is accepted from its file, what is refused, and how it changes. */
import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigurationError } from '../../src/errors.ts'
import { deriveKey, fingerprintOf, idOf } from '../../src/keys/key-ring.ts'
import { weaknessOf } from '../../src/keys/key-strength.ts'
import { initKeyRing, retireKey, rotateKeyRing } from '../../src/keys/ring-changes.ts'
import { loadKeyRing } from '../../src/keys/ring-file.ts'

const folder = t.testdir({})
let made = 0
const place = (): string => join(folder, `ring-${made++}.json`)
const problemsOf = (work: () => unknown): string => {
  try {
    work()
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems.join('\n')
    throw error
  }
  return ''
}

t.test('init, rotate, retire', async (t) => {
  const path = place()
  const first = initKeyRing(path)
  t.equal(statSync(path).mode & 0o777, 0o600)
  t.match(
    problemsOf(() => initKeyRing(path)),
    /is there already/,
  )
  const before = loadKeyRing(path)
  t.equal(before.primary.id, first.id)
  const transcript = before.keyFor('transcript', first.id)
  t.equal(transcript?.length, 32)
  t.not(transcript?.toString('hex'), before.keyFor('url token', first.id)?.toString('hex'), 'a key for each purpose')
  t.not(transcript?.toString('hex'), first.key.toString('hex'))
  const second = rotateKeyRing(path)
  const ring = loadKeyRing(path)
  t.equal(ring.primary.id, second.id)
  t.same(ring.keyFor('transcript', first.id), transcript, 'the old key opens as before')
  t.equal(ring.keyFor('transcript', 'ffffffff'), null)
  t.match(
    problemsOf(() => retireKey(path, second.id)),
    /is the primary; rotate first/,
  )
  t.match(
    problemsOf(() => retireKey(path, 'ffffffff')),
    /no key ffffffff; it has/,
  )
  retireKey(path, first.id)
  t.equal(loadKeyRing(path).keyFor('transcript', first.id), null)
  t.notOk(readFileSync(path, 'latin1').includes(first.key.toString('base64url')))
  t.same(
    readdirSync(folder).filter((name) => name.includes(path.slice(folder.length + 1, -5)) && !path.endsWith(name)),
    [],
    'nothing else is left',
  )
})

t.test('the old file is overwritten on retirement, but no copy that somebody linked', async (t) => {
  const path = place()
  const first = initKeyRing(path)
  rotateKeyRing(path)
  linkSync(path, `${path}.backup`)
  retireKey(path, first.id)
  t.match(readFileSync(`${path}.backup`, 'latin1'), first.key.toString('base64url'))
})

t.test('through a symbolic link the file behind it is replaced', async (t) => {
  const path = place()
  mkdirSync(join(folder, 'elsewhere'))
  initKeyRing(join(folder, 'elsewhere', 'ring.json'))
  symlinkSync(join(folder, 'elsewhere', 'ring.json'), path)
  const key = rotateKeyRing(path)
  t.equal(loadKeyRing(join(folder, 'elsewhere', 'ring.json')).primary.id, key.id)
})

t.test('what a crash left behind goes with the next change; a live writer is waited for', async (t) => {
  const path = place()
  initKeyRing(path)
  const name = path.slice(folder.length + 1)
  const left = join(folder, `.${name}.0123456789ab.new`)
  writeFileSync(left, 'secret')
  writeFileSync(`${path}.lock`, `${(await import('node:os')).hostname()}\n999999999\n1\n`)
  rotateKeyRing(path)
  t.notOk(existsSync(left))
  t.notOk(existsSync(`${path}.lock`))
  const started = readFileSync(`/proc/1/stat`, 'latin1')
  writeFileSync(
    `${path}.lock`,
    `${(await import('node:os')).hostname()}\n1\n${started.slice(started.lastIndexOf(')') + 2).split(' ')[19]}\n`,
  )
  t.match(
    problemsOf(() => rotateKeyRing(path)),
    /is being changed by another command/,
  )
})

t.test('a ring that others may read is refused, and so is what is no ring', async (t) => {
  const path = place()
  initKeyRing(path)
  for (const mode of [0o640, 0o604, 0o660]) {
    chmodSync(path, mode)
    t.match(
      problemsOf(() => loadKeyRing(path)),
      /can be read by other users .* chmod 600/,
    )
  }
  chmodSync(path, 0o600)
  t.match(
    problemsOf(() => loadKeyRing(join(folder, 'none.json'))),
    /no such file; make it with `portcullis keys init`/,
  )
  const good = JSON.parse(readFileSync(path, 'utf8'))
  const [key] = good.keys
  const weak = (bytes: Buffer) => ({ ...key, id: idOf(bytes), material: { plain: bytes.toString('base64url') } })
  const other = Buffer.from(randomBytes(32))
  while (weaknessOf(other) !== null) randomBytes(32).copy(other)
  const cases: [unknown, RegExp][] = [
    [[], /is no key ring/],
    [{ ...good, portcullis: 'x' }, /is no key ring/],
    [{ ...good, version: 2 }, /version 2; this program reads version 1/],
    [{ ...good, more: 1 }, /unknown member "more"/],
    [{ ...good, keys: [] }, /"keys" of 1 to 64/],
    [{ ...good, keys: Array(65).fill(key) }, /"keys" of 1 to 64/],
    [{ ...good, keys: [key, key] }, /holds a key twice/],
    [{ ...good, primary: '00000000' }, /"primary" names none/],
    [{ ...good, keys: [{ ...key, id: '00000000' }] }, /damaged or exchanged/],
    [{ ...good, keys: [{ ...key, material: { plain: other.toString('base64url') } }] }, /damaged or exchanged/],
    [{ ...good, keys: [{ ...key, material: { plain: 'a b' } }] }, /not base64url/],
    [{ ...good, keys: [{ ...key, material: { wrapped: 'x' } }] }, /unknown member "wrapped"/],
    [{ ...good, keys: [{ ...key, created: 'yesterday' }] }, /not a time/],
    [{ ...good, keys: [weak(Buffer.alloc(32))] }, /weak: more than four equal hex digits/],
    [{ ...good, keys: [weak(randomBytes(16))] }, /weak: 256 bits are needed, it has 128/],
  ]
  for (const [value, says] of cases) {
    writeFileSync(path, JSON.stringify(value), { mode: 0o600 })
    const problem = problemsOf(() => loadKeyRing(path))
    t.match(problem, says)
    t.notOk(problem.includes(key.material.plain), 'no key in a message')
  }
  writeFileSync(path, `{ "keys": "${key.material.plain}`)
  t.equal(
    problemsOf(() => loadKeyRing(path)),
    `${path}: is not valid JSON`,
  )
})

t.test('weak keys', async (t) => {
  const strong = deriveKey(Buffer.from('a strong key for tests'), 'x', 32)
  t.equal(weaknessOf(strong), null)
  const run = Buffer.from(strong)
  run.write('aaaaa', 3, 'latin1')
  run.fill(0x77, 4, 7)
  t.match(weaknessOf(run), /four equal hex digits/)
  t.match(weaknessOf(Buffer.from(Array.from({ length: 32 }, (_, i) => i * 3 + 5))), /sequence/)
  t.match(weaknessOf(Buffer.from('correct horse battery staple 12!')), /few different|text/)
  t.match(weaknessOf(Buffer.from('abcdefghijklmnopqrstuvwyzABCDEF0')), /text/)
  t.match(weaknessOf(Buffer.concat([strong.subarray(0, 16), strong.subarray(0, 16)])), /few different|repeats/)
  t.equal(fingerprintOf(strong).toString('hex').slice(0, 8), idOf(strong))
})
