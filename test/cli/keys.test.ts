/** `portcullis keys` and `portcullis url` as a person meets them. */
import { spawn } from 'node:child_process'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { loadKeyRing } from '../../src/keys/ring-file.ts'

const BIN = fileURLToPath(new URL('../../bin/portcullis.js', import.meta.url))
const PHONE = '+491701234567'

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function place(t: Test, more: Record<string, unknown> = {}) {
  const folder = t.testdir({})
  const config = {
    listeners: { public: { address: '127.0.0.1:8443' } },
    keys: { ring: join(folder, 'keys.json') },
    sealed: { phone: { expires: '7 days' }, brief: { expires: '1 second' } },
    services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
    routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'chat' }],
    log: { audit: join(folder, 'audit.log') },
    ...more,
  }
  writeFileSync(join(folder, 'gateway.json'), JSON.stringify(config))
  const start = (words: readonly string[]) =>
    spawn(process.execPath, [BIN, ...words, '--config', join(folder, 'gateway.json')])
  const run = (words: readonly string[], input = ''): Promise<Ended> =>
    new Promise((resolve) => {
      const child = start(words)
      let out = ''
      let err = ''
      child.stdout.on('data', (chunk) => {
        out += chunk
      })
      child.stderr.on('data', (chunk) => {
        err += chunk
      })
      child.stdin.on('error', () => undefined)
      child.stdin.end(input)
      child.on('close', (code) => resolve({ code, out, err }))
    })
  return {
    folder,
    run,
    start,
    ring: join(folder, 'keys.json'),
    audit: () => readFileSync(join(folder, 'audit.log'), 'utf8'),
  }
}

t.test('from the first key to the retirement of it', async (t) => {
  const { run, ring, audit } = place(t)
  t.match(
    (await run(['keys', 'list'])).err,
    /keys\.json: cannot be read: there is no such file; make it with `portcullis keys init`/,
  )
  const init = await run(['keys', 'init'])
  t.equal(init.code, 0, init.err)
  t.match(init.out, /primary +\d{4}-\d\d-\d\d +(?:[0-9a-f]{4} ){7}[0-9a-f]{4}/)
  t.match(await run(['keys', 'init']), { code: 1, err: /is there already/ })
  const old = loadKeyRing(ring).primary
  const token = (await run(['url', 'seal', '--kind', 'phone'], `${PHONE}\n`)).out.trim()
  t.equal((await run(['keys', 'rotate'])).code, 0)
  const list = await run(['keys', 'list'])
  t.equal(list.out.trim().split('\n').length, 2)
  t.match(list.out, new RegExp(`^${old.id}  opens only`, 'm'))
  t.same(await run(['url', 'open', '--kind', 'phone'], token), { code: 0, out: `${PHONE}\n`, err: '' })
  t.equal((await run(['keys', 'retire', '--id', old.id])).code, 0)
  t.match(await run(['url', 'open', '--kind', 'phone'], token), { code: 1, out: '', err: /no token of kind phone/ })
  const lines = audit()
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
  for (const each of lines) t.match(each, { user: /^os:/, address: '-', time: /Z$/ })
  const events = lines.map((each) => `${each.event} ${each.outcome}`)
  for (const event of [
    'sensitive_create success',
    'sensitive_create failure',
    'sensitive_update success',
    'sensitive_read success',
    'sensitive_delete success',
  ]) {
    t.ok(events.includes(event), event)
  }
  t.notMatch(audit(), /1701234567/)
  t.notOk(audit().includes(token) || audit().includes(old.key.toString('base64url')))
})

t.test('wrong use', async (t) => {
  const { run } = place(t)
  await run(['keys', 'init'])
  t.match(await run(['keys', 'retire']), { code: 2, err: /--id is missing/ })
  t.match(await run(['url', 'seal'], PHONE), { code: 2, err: /--kind is missing/ })
  t.match(await run(['url', 'seal', '--kind', 'phon'], PHONE), { code: 1, err: /did you mean "phone"/ })
  t.match(await run(['url', 'seal', '--kind', 'phone'], ''), { code: 1, err: /the value is empty/ })
  t.match(await run(['keys', 'lists']), { code: 2, err: /no command "keys lists"; did you mean "keys list"/ })
  t.match((await run(['help', 'keys', 'retire'])).err + (await run(['keys', 'retire', '--help'])).out, /overwritten/)
})

t.test('an expired token is told with its value', async (t) => {
  const { run } = place(t)
  await run(['keys', 'init'])
  const token = (await run(['url', 'seal', '--kind', 'brief'], PHONE)).out
  await new Promise((wake) => setTimeout(wake, 2100))
  t.match(await run(['url', 'open', '--kind', 'brief'], token), { code: 1, out: `${PHONE}\n`, err: /expired \d{4}-/ })
})

t.test('without an audit file its lines go to standard error; what cannot be recorded is not done', async (t) => {
  const { run } = place(t, { log: {} })
  const { code, out, err } = await run(['keys', 'init'])
  t.equal(code, 0)
  t.notMatch(out, '"event"')
  t.match(err, /"event":"sensitive_create"/)
  const full = place(t, { log: { audit: '/dev/full' } })
  t.match(await full.run(['keys', 'rotate']), {
    code: 1,
    err: /log\.audit: cannot be written; nothing is done unrecorded/,
  })
})

t.test(
  'killed at any moment of a rotation: the ring is the old one or the new one, and nothing lies beside it',
  async (t) => {
    const { run, start, ring, folder } = place(t)
    await run(['keys', 'init'])
    for (let i = 0; i < 12; i++) {
      const before = loadKeyRing(ring)
      const child = start(['keys', 'rotate'])
      const ended = new Promise((resolve) => child.on('close', resolve))
      // The work is short and somewhere in here: the moments are spread over the life of the process.
      setTimeout(() => child.kill('SIGKILL'), 60 + i * 25)
      await ended
      const after = loadKeyRing(ring)
      t.ok(after.keys.length === before.keys.length || after.keys.length === before.keys.length + 1)
      for (const { id } of before.keys) t.ok(after.keyFor('transcript', id), 'no key is lost')
      t.equal(statSync(ring).mode & 0o777, 0o600)
    }
    t.equal((await run(['keys', 'rotate'])).code, 0)
    t.same(readdirSync(folder).toSorted(), ['audit.log', 'gateway.json', 'keys.json'])
  },
)

t.test('many rotations at once: each is done or told to wait, and no key is lost', async (t) => {
  const { run, ring } = place(t)
  await run(['keys', 'init'])
  const ended = await Promise.all(Array.from({ length: 6 }, () => run(['keys', 'rotate'])))
  const done = ended.filter(({ code }) => code === 0)
  for (const { code, err } of ended) if (code !== 0) t.match(err, /is being changed by another command; try again/)
  t.equal(loadKeyRing(ring).keys.length, 1 + done.length)
  const ids = loadKeyRing(ring).keys.map(({ id }) => id)
  for (const { out } of done) t.ok(ids.includes(out.slice(0, 8)))
})
