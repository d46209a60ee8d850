/** Secrets by reference: what may be read, what is said where it may not, and that nothing said holds a secret. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { readRedisAccess } from '../../src/config/redis-access.ts'
import { lookUpSecret, problemOfRedisUrl, readSecret } from '../../src/config/secrets.ts'
import type { StoreConfig } from '../../src/config/shape.ts'
import { ConfigurationError } from '../../src/errors.ts'

const SECRET = 'hunter2-hunter2'

t.test('from the environment', async (t) => {
  t.equal(readSecret({ env: 'PASS' }, { PASS: SECRET }), SECRET)
  t.equal(readSecret({ env: 'PASS' }, { PASS: ` ${SECRET}\n` }), ` ${SECRET}\n`, 'as it is')
  for (const [env, sentence] of [
    [{}, /PASS is not set/],
    [{ PASS: '' }, /PASS is empty/],
    [{ PASS: 'x'.repeat(65_537) }, /PASS is larger than 64 KB/],
    [{ PASS: undefined }, /PASS is not set/],
  ] as const) {
    t.match(lookUpSecret({ env: 'PASS' }, env), { value: null, problem: sentence })
  }
  // A name of Object.prototype is no variable.
  for (const name of ['constructor', 'toString', '__proto__']) t.equal(lookUpSecret({ env: name }, {}).value, null)
})

t.test('from a file, less one line break', async (t) => {
  const folder = t.testdir({})
  const file = join(folder, 'secret')
  const write = (bytes: string | Buffer): void => writeFileSync(file, bytes, { mode: 0o600 })
  for (const [bytes, value] of [
    [SECRET, SECRET],
    [`${SECRET}\n`, SECRET],
    [`${SECRET}\r\n`, SECRET],
    [`${SECRET}\n\n`, `${SECRET}\n`],
    [` ${SECRET} `, ` ${SECRET} `],
    ['pässwörd\n', 'pässwörd'],
  ] as const) {
    write(bytes)
    t.equal(readSecret({ file }, {}), value)
  }
  for (const [bytes, sentence] of [
    ['', /is empty/],
    ['\n', /is empty/],
    [Buffer.from([0xff, 0xfe, 0x41]), /is not UTF-8 text/],
    ['x'.repeat(65_537), /is larger than 64 KB/],
  ] as const) {
    write(bytes)
    t.match(lookUpSecret({ file }, {}), { value: null, problem: sentence })
  }
  symlinkSync(file, join(folder, 'link'))
  write(SECRET)
  t.equal(readSecret({ file: join(folder, 'link') }, {}), SECRET)
})

t.test('what is no secret file is told in a sentence, and nothing waits for it', async (t) => {
  const folder = t.testdir({})
  mkdirSync(join(folder, 'folder'))
  symlinkSync('round', join(folder, 'round'))
  for (const [name, sentence] of [
    ['missing', /there is no such file/],
    ['folder', /is a folder/],
    ['round', /go in a circle/],
    ['missing/below', /there is no such file/],
  ] as const) {
    t.match(lookUpSecret({ file: join(folder, name) }, {}), { value: null, problem: sentence }, name)
  }
  t.match(lookUpSecret({ file: '/dev/zero' }, {}), { value: null, problem: /is not a regular file/ })
})

t.test('a secret that others may read is refused with the command that mends it', async (t) => {
  const file = join(t.testdir({ secret: SECRET }), 'secret')
  for (const mode of [0o604, 0o640, 0o644, 0o602, 0o620, 0o777, 0o601]) {
    chmodSync(file, mode)
    const { problem } = lookUpSecret({ file }, {})
    t.match(problem, `can be read by other users (mode 0${mode.toString(8)}); run: chmod 600 ${file}`)
  }
  for (const mode of [0o600, 0o400, 0o700]) {
    chmodSync(file, mode)
    t.equal(readSecret({ file }, {}), SECRET)
  }
})

t.test('no sentence holds a part of the secret', async (t) => {
  const file = join(t.testdir({}), 'secret')
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ minLength: 8, maxLength: 64 }), async (bytes) => {
      writeFileSync(file, bytes, { mode: 0o600 })
      const found = lookUpSecret({ file }, {})
      const text = Buffer.from(bytes).toString('latin1')
      return found.problem === null || !found.problem.includes(text)
    }),
    { seed: 7, numRuns: 200 },
  )
  const url = `redis:://user:${SECRET}@host`
  t.notMatch(String(problemOfRedisUrl(url)), SECRET)
  try {
    readRedisAccess({ redis: { url: { env: 'URL' } } } as StoreConfig, { URL: url })
    t.fail('no URL')
  } catch (error) {
    t.ok(error instanceof ConfigurationError)
    t.notMatch(String((error as Error).stack), SECRET)
  }
})

t.test('the Redis URL: none, written out, or by reference', async (t) => {
  const store = (redis?: object): StoreConfig => ({ redis }) as unknown as StoreConfig
  t.equal(readRedisAccess(store(), {}), null)
  t.equal(readRedisAccess(store({ url: 'redis://127.0.0.1:6379' }), {})?.url, 'redis://127.0.0.1:6379')
  const url = { env: 'REDIS_URL' }
  t.equal(
    readRedisAccess(store({ url }), { REDIS_URL: `rediss://u:${SECRET}@redis:6380/1` })?.url,
    `rediss://u:${SECRET}@redis:6380/1`,
  )
  for (const wrong of ['http://redis', 'redis', 'redis://a b', 'redis://[', '//redis']) {
    t.throws(() => readRedisAccess(store({ url }), { REDIS_URL: wrong }), {
      message: /^limits\.store\.redis\.url: what the reference leads to is not a redis/,
    })
  }
  t.throws(() => readRedisAccess(store({ url }), {}), { message: /REDIS_URL is not set/ })
})
