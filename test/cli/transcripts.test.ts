/** `portcullis transcripts` as a person meets it, and what is left where it is killed. */
import { spawn } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import { initKeyRing, retireKey, rotateKeyRing } from '../../src/keys/ring-changes.ts'
import { loadKeyRing } from '../../src/keys/ring-file.ts'
import { keyIdOf } from '../../src/keys/sealed-stream.ts'
import { UrlTokens } from '../../src/keys/url-token.ts'

const BIN = fileURLToPath(new URL('../../bin/portcullis.js', import.meta.url))
const CARD = '4111111111111111'

interface Ended {
  readonly code: number | null
  readonly out: string
  readonly err: string
}

function place(t: Test, source: Record<string, unknown> = {}, more: Record<string, unknown> = {}) {
  const base = t.testdir({ in: {}, store: {} })
  const store = join(base, 'store')
  const ring = join(base, 'keys.json')
  initKeyRing(ring)
  const config = {
    listeners: {
      transcripts: {
        address: '127.0.0.1:9443',
        auth: 'none',
        hosts: ['localhost'],
        source: { folder: store, ...source },
      },
    },
    keys: { ring },
    services: {},
    routes: [],
    log: { audit: join(base, 'audit.log') },
    ...more,
  }
  writeFileSync(join(base, 'gateway.json'), JSON.stringify(config))
  const start = (words: readonly string[]) =>
    spawn(process.execPath, [BIN, 'transcripts', ...words, '--config', join(base, 'gateway.json')])
  const run = (...words: string[]): Promise<Ended> =>
    new Promise((resolve) => {
      const child = start(words)
      let out = ''
      let err = ''
      child.stdout.setEncoding('utf8').on('data', (chunk) => {
        out += chunk
      })
      child.stderr.on('data', (chunk) => {
        err += chunk
      })
      child.on('close', (code) => resolve({ code, out, err }))
    })
  const files = () =>
    readdirSync(store, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(store.length + 1))
      .toSorted()
  const lines = () =>
    readFileSync(join(base, 'audit.log'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
  return { base, from: join(base, 'in'), store, ring, run, start, files, lines }
}

t.test('import, open, and what is on the disk', async (t) => {
  const { base, from, store, run, files, lines } = place(t)
  mkdirSync(join(from, 'web'))
  writeFileSync(
    join(from, 'web', '2026-11-01.json'),
    JSON.stringify({ messages: [{ from: 'C', text: `my card is ${CARD}` }] }),
  )
  const long = Buffer.alloc(300_000, 'all that was said. ')
  writeFileSync(join(from, 'long.txt'), long)
  utimesSync(join(from, 'long.txt'), 1_700_000_000, 1_700_000_000)
  writeFileSync(join(from, 'notes.md'), 'not one')
  writeFileSync(join(base, 'outside.txt'), 'SECRET')
  symlinkSync(join(base, 'outside.txt'), join(from, 'link.txt'))
  const done = await run('import', '--from', from)
  t.equal(done.code, 0, done.err)
  t.same(done.out.trim().split('\n').toSorted(), ['imported long.txt', 'imported web/2026-11-01.json'])
  t.same(files(), ['long.txt.sealed', 'web/2026-11-01.json.sealed'])
  t.equal(statSync(join(store, 'long.txt.sealed')).mode & 0o777, 0o600)
  t.equal(Math.trunc(statSync(join(store, 'long.txt.sealed')).mtimeMs / 1000), 1_700_000_000, 'its date goes with it')
  for (const file of files()) t.notMatch(readFileSync(join(store, file), 'latin1'), /all that|my card|4111/)
  t.equal((await run('open', '--name', 'long.txt')).out, long.toString())
  const card = await run('open', '--name', 'web/2026-11-01.json')
  t.match(card.out, /my card is \*+1111/)
  t.notMatch(card.out, CARD)
  t.ok(existsSync(join(from, 'long.txt')), 'without --remove it stays')
  t.match(await run('import', '--from', from), { code: 1, err: /long\.txt: is there already; --replace replaces it/ })
  t.equal((await run('import', '--from', from, '--replace', '--remove')).code, 0)
  t.same(readdirSync(from).toSorted(), ['link.txt', 'notes.md', 'web'])
  t.equal((await run('import', '--from', join(base, 'outside.txt'), '--channel', 'phone')).code, 0)
  t.ok(files().includes('phone/outside.txt.sealed'))
  const events = lines().map(({ event, outcome, object }) => `${event} ${outcome} ${object}`)
  t.ok(events.includes('sensitive_create success web/2026-11-01.json'))
  t.ok(events.includes('sensitive_read success long.txt'))
})

t.test('what is not a transcript, and what does not open', async (t) => {
  const { base, store, from, run, lines } = place(t)
  writeFileSync(join(from, 'a.txt'), 'hello')
  for (const [words, says] of [
    [['import', '--from', join(base, 'none')], /no such file/],
    [['import', '--from', store], /lies in the folder of transcripts; use "transcripts seal"/],
    [['import', '--from', join(from, 'a.txt'), '--channel', '../..'], /is not the name of a transcript/],
    [['open', '--name', '../in/a.txt'], /no such transcript/],
    [['open', '--name', 'a.txt'], /no such transcript/],
    [['purge'], /keepDays: is not set/],
  ] as const) {
    const { code, err } = await run(...words)
    t.equal(code, 1, words.join(' '))
    t.match(err, says)
    t.notMatch(err, /\n\s+at /)
  }
  t.match(await run('import'), { code: 2, err: /--from is missing/ })
  t.match(await run('open'), { code: 2, err: /--name is missing/ })
  await run('import', '--from', from)
  const stored = readFileSync(join(store, 'a.txt.sealed'))
  writeFileSync(join(store, 'b.txt.sealed'), stored)
  t.match(await run('open', '--name', 'b.txt'), { code: 1, out: '', err: /does not open: damaged, exchanged/ })
  stored[60]! ^= 1
  writeFileSync(join(store, 'a.txt.sealed'), stored)
  t.match(await run('open', '--name', 'a.txt'), { code: 1, out: '' })
  t.match(lines().at(-1), { event: 'sensitive_read', outcome: 'failure', object: 'a.txt' })
})

t.test('seal takes what lies in the clear, and what is under an older key', async (t) => {
  const { store, ring, run, files } = place(t)
  writeFileSync(join(store, 'a.txt'), 'in the clear')
  t.match(await run('seal'), { code: 0, out: 'sealed a.txt\n' })
  t.same(files(), ['a.txt.sealed'])
  const before = loadKeyRing(ring).primary.id
  rotateKeyRing(ring)
  t.match(await run('seal'), { code: 0, out: 'sealed a.txt\n' })
  t.match(await run('seal'), { code: 0, out: '' }, 'nothing is left to do')
  t.equal(keyIdOf(readFileSync(join(store, 'a.txt.sealed'))), loadKeyRing(ring).primary.id)
  retireKey(ring, before)
  t.equal((await run('open', '--name', 'a.txt')).out, 'in the clear')
})

t.test('purge removes what is over its time, by the date in the name or of the file', async (t) => {
  const { store, run, files, lines } = place(t, { keepDays: 30 })
  const day = (ago: number) => new Date(Date.now() - ago * 86_400_000)
  const named = (ago: number) => `${day(ago).toISOString().slice(0, 10)}.txt`
  for (const name of [named(40), named(20), 'old.txt', 'new.txt', `${named(50)}.sealed`])
    writeFileSync(join(store, name), 'x')
  utimesSync(join(store, 'old.txt'), day(31), day(31))
  writeFileSync(join(store, '.portcullis-0123456789abcdef.tmp'), 'left by a crash')
  const dry = await run('purge', '--dry-run')
  t.same(
    dry.out.trim().split('\n').toSorted(),
    [`would remove ${named(40)}`, `would remove ${named(50)}`, 'would remove old.txt'].toSorted(),
  )
  t.equal(files().length, 6)
  t.equal((await run('purge')).code, 0)
  t.same(files(), [named(20), 'new.txt'].toSorted())
  t.same(
    lines()
      .map(({ event, outcome, object, reason }) => [event, outcome, object, reason])
      .toSorted(),
    [named(40), named(50), 'old.txt'].map((name) => ['sensitive_delete', 'success', name, 'retention']).toSorted(),
  )
})

t.test('killed in the middle of an import: whole sealed files, the sources, and nothing in the clear', async (t) => {
  const { store, from, run, start, files } = place(t)
  const texts = new Map<string, string>()
  for (let i = 0; i < 40; i++) {
    const text = `conversation ${i} `.repeat(20_000 + i)
    texts.set(`chat-${i}.txt`, text)
    writeFileSync(join(from, `chat-${i}.txt`), text)
  }
  let killed = 0
  for (let round = 0; round < 8 && readdirSync(from).length > 0; round++) {
    const child = start(['import', '--from', from, '--remove', '--replace'])
    // Somewhere in the work: after so many files.
    child.stdout.on('data', () => {
      if (round < 7) child.kill('SIGKILL')
    })
    await new Promise((resolve) => child.on('close', resolve))
    if (child.signalCode === 'SIGKILL') killed++
    for (const name of readdirSync(store)) {
      t.notMatch(readFileSync(join(store, name), 'latin1'), 'conversation', `${name} is sealed`)
    }
    const names = new Set([
      ...readdirSync(from).filter((name) => !name.startsWith('.')),
      ...files()
        .filter((name) => name.endsWith('.sealed'))
        .map((name) => name.slice(0, -7)),
    ])
    t.equal(names.size, 40, 'each is in one place or both')
  }
  t.ok(killed > 0)
  t.equal((await run('import', '--from', from, '--remove', '--replace')).code, 0)
  t.same(
    files().filter((name) => !name.endsWith('.sealed')),
    [],
    'no temporary file is left',
  )
  t.equal(files().length, 40)
  t.same(readdirSync(from), [], 'nor one in the clear where they came from')
  const some = ['chat-0.txt', 'chat-17.txt', 'chat-39.txt']
  for (const name of some) t.equal((await run('open', '--name', name)).out, texts.get(name))
})

t.test('killed in the middle of a purge: what is gone is recorded, what is left is whole', async (t) => {
  const { base, from, run, start, files, lines } = place(t, { keepDays: 1 })
  for (let i = 0; i < 60; i++) writeFileSync(join(from, `2026-01-01-${i}.txt`), `conversation ${i} `.repeat(3000))
  t.equal((await run('import', '--from', from)).code, 0)
  writeFileSync(join(base, 'audit.log'), '')
  const child = start(['purge'])
  const look = setInterval(() => {
    if (files().filter((name) => name.endsWith('.sealed')).length < 50) child.kill('SIGKILL')
  }, 1)
  await new Promise((resolve) => child.on('close', resolve))
  clearInterval(look)
  const left = files().filter((name) => name.endsWith('.sealed'))
  const recorded = new Set(lines().map(({ object }) => object))
  for (let i = 0; i < 60; i++) {
    const name = `2026-01-01-${i}.txt`
    if (!left.includes(`${name}.sealed`)) t.ok(recorded.has(name), `${name} is recorded`)
  }
  for (const file of left.slice(0, 2)) t.match((await run('open', '--name', file.slice(0, -7))).out, /^conversation/)
  t.equal((await run('purge')).code, 0)
  t.same(files(), [])
})

t.test('where names are hidden, the audit log has tokens that tell them to who may know', async (t) => {
  const { base, from, ring, run } = place(t, { sealedNames: 'name', keepDays: 30 }, { sealed: { name: {} } })
  writeFileSync(join(from, '2020-01-01-491701234567.txt'), 'x')
  t.equal((await run('import', '--from', from)).code, 0)
  t.equal((await run('open', '--name', '2020-01-01-491701234567.txt')).code, 0)
  t.equal((await run('purge')).code, 0)
  const audit = readFileSync(join(base, 'audit.log'), 'utf8')
  t.notMatch(audit, '1701234567')
  const tokens = new UrlTokens(loadKeyRing(ring))
  for (const line of audit.trim().split('\n')) {
    t.match(tokens.open('name', JSON.parse(line).object), { value: '2020-01-01-491701234567.txt' })
  }
})
