import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readlinkSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { ConfigurationError, Failure } from '../../src/errors.ts'
import type { AuditEvent } from '../../src/exchange/contracts.ts'
import { makeTranscripts } from '../../src/responders/transcripts.ts'
import { dateInName, Lister } from '../../src/responders/transcripts-list.ts'
import { type FakeExchange, type FakeOptions, fakeExchange } from '../kit/fake-client.ts'

const CHAT = {
  id: 'chat-17',
  channel: 'web',
  startedAt: '2026-11-01T09:00:00Z',
  participants: [
    { name: 'Grace', role: 'agent' },
    { name: 'Customer', role: 'customer' },
  ],
  messages: [
    { at: '2026-11-01T09:00:01Z', from: 'Customer', text: 'a < b & "c" <script>alert(1)</script>\nsecond line' },
    { at: '2026-11-01T09:00:05Z', from: 'Grace', text: 'Hello \u202Eevil' },
  ],
}
const PAGE = { headers: ['accept', 'text/html,application/xhtml+xml,*/*;q=0.8'] }
const EVERYTHING = { mayRead: () => true, needsAttributes: () => false }
const BIG = Buffer.alloc(1_000_003, 'abcdefghij')

const base = t.testdir()
const root = join(base, 'transcripts')
mkdirSync(join(root, '2026', '11'), { recursive: true })
mkdirSync(join(root, '.private'))
mkdirSync(join(root, 'folder.json'))
mkdirSync(join(base, 'transcripts-other'))
writeFileSync(join(base, 'secret.txt'), 'SECRET')
writeFileSync(join(base, 'transcripts-other', 'secret.txt'), 'SECRET')
writeFileSync(join(root, '2026-11-01-chat.json'), JSON.stringify(CHAT))
writeFileSync(join(root, '2026', '11', 'sub.txt'), '0123456789')
writeFileSync(join(root, '2026-10-05 old.html'), '<h1 onclick="x()">Old</h1><script>alert(1)</script>')
writeFileSync(join(root, '\u00fcber 20261103.txt'), 'umlaut')
writeFileSync(join(root, 'empty.txt'), '')
writeFileSync(join(root, 'big.txt'), BIG)
writeFileSync(join(root, 'broken.json'), '{"messages":[')
writeFileSync(join(root, 'other.json'), '{"rows":[1]}')
writeFileSync(join(root, 'notes.md'), 'SECRET')
writeFileSync(join(root, '.hidden.json'), 'SECRET')
writeFileSync(join(root, '.private', 'a.json'), 'SECRET')
symlinkSync('../secret.txt', join(root, 'link.txt'))
symlinkSync(join(base, 'secret.txt'), join(root, 'absolute.txt'))
symlinkSync('/etc', join(root, 'etc'))
symlinkSync('../transcripts-other', join(root, 'outside'))
symlinkSync('.private', join(root, 'inside'))
symlinkSync('.hidden.json', join(root, 'shown.json'))
symlinkSync('loop.txt', join(root, 'loop.txt'))
symlinkSync('/dev/zero', join(root, 'zero.txt'))
execFileSync('mkfifo', [join(root, 'fifo.txt')])
utimesSync(join(root, 'empty.txt'), 1_700_000_000, 1_700_000_000)
for (const name of ['big.txt', 'broken.json', 'other.json']) utimesSync(join(root, name), 1_600_000_000, 1_600_000_000)
utimesSync(join(root, '2026', '11', 'sub.txt'), 1_690_000_000, 1_690_000_000)

function openFiles(): number {
  let found = 0
  for (const each of readdirSync('/proc/self/fd')) {
    try {
      if (readlinkSync(`/proc/self/fd/${each}`).startsWith(root)) found++
    } catch {
      // Closed meanwhile.
    }
  }
  return found
}

async function settled(): Promise<void> {
  for (let i = 0; i < 200 && openFiles() > 0; i++) await new Promise((resolve) => setTimeout(resolve, 5))
}

function world(folder: string = root) {
  const audited: AuditEvent[] = []
  const transcripts = makeTranscripts({
    permissions: EVERYTHING,
    folder,
    audit: { isUp: true, record: (event) => audited.push(event) },
  })
  const start = (path: string, options: FakeOptions = {}): FakeExchange => {
    const fake = fakeExchange({ user: 'ada', path, ...options })
    transcripts(fake.x)
    return fake
  }
  const get = async (path: string, options: FakeOptions = {}) => {
    const fake = start(path, options)
    await fake.finished
    return fake
  }
  return { audited, start, get }
}

t.test('a file is sent as it is, and the look is recorded', async (t) => {
  const { audited, get } = world()
  const { client } = await get('/2026/11/sub.txt')
  t.equal(client.status, 200)
  t.equal(client.text, '0123456789')
  t.equal(client.header('content-length'), '10')
  t.equal(client.header('content-type'), 'text/plain; charset=utf-8')
  t.equal(client.header('cache-control'), 'no-store')
  t.equal(client.header('accept-ranges'), 'bytes')
  t.same(audited, [
    {
      event: 'sensitive_read',
      outcome: 'success',
      user: 'ada',
      address: '192.0.2.10',
      requestId: 'request-1',
      object: '2026/11/sub.txt',
    },
  ])
})

t.test('names with spaces and letters of other scripts are found', async (t) => {
  const { get } = world()
  t.equal((await get('/%C3%BCber%2020261103.txt')).client.text, 'umlaut')
})

t.test('an empty file is an empty answer', async (t) => {
  const { get } = world()
  const { client } = await get('/empty.txt')
  t.equal(client.status, 200)
  t.equal(client.header('content-length'), '0')
  t.equal(client.text, '')
  t.ok(client.ended)
})

t.test('what a hostile path may aim at is not found, and is recorded without its bytes', async (t) => {
  const paths = ['/link.txt', '/absolute.txt', '/etc/hosts.txt', '/outside/secret.txt', '/inside/a.json', '/shown.json']
  paths.push('/loop.txt', '/zero.txt', '/fifo.txt', '/folder.json', '/notes.md', '/.hidden.json', '/.private/a.json')
  paths.push(
    '/../secret.txt',
    '/%2e%2e/secret.txt',
    '/..%2fsecret.txt',
    '/../transcripts-other/secret.txt',
    '/a%00.txt',
  )
  paths.push(
    '/%c0%ae%c0%ae/secret.txt',
    '/missing.json',
    '/2026',
    '/2026/',
    '/2026/11/sub.txt/',
    '/2026/11/sub.txt/x.json',
  )
  const { audited, get } = world()
  for (const path of paths) {
    const { client, x } = await get(path)
    t.equal(client.status, 404, path)
    t.equal(x.failure?.code, 'not-found', path)
    t.notMatch(client.text, /SECRET|root:/, path)
  }
  t.equal(audited.length, paths.length)
  for (const each of audited) {
    t.match(each, { event: 'sensitive_read', outcome: 'failure', user: 'ada' })
    t.notMatch(each.object, /[\0%]|\.\./)
  }
  await settled()
  t.equal(openFiles(), 0)
})

t.test('a socket in the folder is no file', async (t) => {
  const own = join(base, 's')
  mkdirSync(own)
  const server = createServer().listen(join(own, 'sock.txt'))
  await new Promise((resolve) => server.once('listening', resolve))
  const { get } = world(own)
  t.equal((await get('/sock.txt')).client.status, 404)
  server.close()
})

t.test('a folder reached by a symbolic link is served; links below it are not', async (t) => {
  symlinkSync(root, join(base, 'linked'))
  const { get } = world(join(base, 'linked'))
  t.equal((await get('/2026/11/sub.txt')).client.text, '0123456789')
  t.equal((await get('/link.txt')).client.status, 404)
})

t.test('only reading, and only by someone', async (t) => {
  const { audited, get } = world()
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'PROPFIND']) {
    t.equal((await get('/2026/11/sub.txt', { method })).x.failure?.code, 'wrong-method', method)
  }
  for (const path of ['/', '/2026/11/sub.txt', '/missing.json']) {
    t.equal((await get(path, { user: '' })).client.status, 401, path)
  }
  t.same(audited, [])
  const open = makeTranscripts({
    permissions: EVERYTHING,
    folder: root,
    audit: { isUp: true, record() {} },
    allowAnonymous: true,
  })
  const fake = fakeExchange({ path: '/2026/11/sub.txt' })
  open(fake.x)
  await fake.finished
  t.equal(fake.client.status, 200)
})

t.test('HEAD says what GET would, without a byte of it', async (t) => {
  const { get } = world()
  for (const path of ['/big.txt', '/', '/2026-11-01-chat.json']) {
    const head = await get(path, { method: 'HEAD', ...PAGE })
    const whole = await get(path, PAGE)
    t.equal(head.client.status, 200, path)
    t.equal(head.client.body.length, 0, path)
    t.equal(head.client.header('content-length'), whole.client.header('content-length'), path)
    t.equal(head.client.header('content-type'), whole.client.header('content-type'), path)
  }
  const ranged = await get('/big.txt', { method: 'HEAD', headers: ['range', 'bytes=0-1'] })
  t.equal(ranged.client.status, 200)
  await settled()
  t.equal(openFiles(), 0)
})

t.test('ranges', async (t) => {
  const { audited, get } = world()
  const path = '/2026/11/sub.txt'
  const part = await get(path, { headers: ['range', 'bytes=2-4'] })
  t.equal(part.client.status, 206)
  t.equal(part.client.text, '234')
  t.equal(part.client.header('content-range'), 'bytes 2-4/10')
  t.equal(part.client.header('content-length'), '3')
  t.match(audited[0], { outcome: 'success', reason: 'bytes 2-4' })
  t.equal((await get(path, { headers: ['range', 'bytes=-2'] })).client.text, '89')
  t.equal((await get(path, { headers: ['range', 'bytes=8-'] })).client.text, '89')
  const beyond = await get(path, { headers: ['range', 'bytes=10-'] })
  t.equal(beyond.client.status, 416)
  t.equal(beyond.client.header('content-range'), 'bytes */10')
  const several = await get(path, { headers: ['range', 'bytes=0-1,3-4'] })
  t.equal(several.client.status, 200)
  t.equal(several.client.text, '0123456789')
  const middle = await get('/big.txt', { headers: ['range', 'bytes=65530-200000'] })
  t.ok(middle.client.body.equals(BIG.subarray(65530, 200001)))
  await settled()
  t.equal(openFiles(), 0)
})

t.test('a large file comes whole, in chunks, and waits for a slow reader', async (t) => {
  const { start } = world()
  const fake = start('/big.txt')
  fake.client.isSlow = true
  let mostSent = 0
  fake.client.onChunk = (chunk) => {
    mostSent = Math.max(mostSent, chunk.length)
  }
  for (let chunks = 1; !fake.x.finished; chunks++) {
    for (let i = 0; i < 400 && fake.client.chunks.length < chunks && !fake.x.finished; i++) {
      await new Promise((resolve) => setTimeout(resolve, 1))
    }
    if (fake.x.finished) break
    const before = fake.client.chunks.length
    await new Promise((resolve) => setTimeout(resolve, 3))
    t.equal(fake.client.chunks.length, before, 'nothing more until the client has read')
    fake.x.upstream?.onClientDrain()
    fake.x.upstream?.onClientDrain()
  }
  t.ok(fake.client.body.equals(BIG))
  t.ok(mostSent <= 65_536)
  t.equal(fake.finishCount(), 1)
  await settled()
  t.equal(openFiles(), 0)
})

t.test('a drain that comes within sendData asks for no chunk twice', async (t) => {
  const { start } = world()
  const fake = start('/big.txt')
  fake.client.onChunk = () => fake.x.upstream?.onClientDrain()
  await fake.finished
  t.ok(fake.client.body.equals(BIG))
})

t.test(
  'a client that leaves: before the head, in the middle, while it reads slowly; every file is closed',
  async (t) => {
    const { start } = world()
    const gone = new Failure('client-gone')
    for (let i = 0; i < 50; i++) {
      const early = start('/big.txt')
      early.x.onClientGone(gone)
      const middle = start('/big.txt')
      middle.client.onChunk = () => middle.x.onClientGone(gone)
      const slow = start('/big.txt')
      slow.client.isSlow = true
      slow.client.onChunk = () => setImmediate(() => slow.x.onClientGone(gone))
      const inPage = start('/2026-11-01-chat.json', PAGE)
      inPage.x.onClientGone(gone)
      const inList = start('/', PAGE)
      inList.x.onClientGone(gone)
      await Promise.all([early, middle, slow, inPage, inList].map((each) => each.finished))
      for (const each of [early, middle, slow, inPage, inList]) {
        t.equal(each.finishCount(), 1)
        t.notOk(each.client.ended)
      }
    }
    await settled()
    t.equal(openFiles(), 0)
  },
)

t.test('a file that shrinks while it is read never looks whole', async (t) => {
  const own = join(base, 'shrinking')
  mkdirSync(own)
  writeFileSync(join(own, 'a.txt'), BIG)
  const { start } = world(own)
  const fake = start('/a.txt')
  fake.client.onChunk = () => truncateSync(join(own, 'a.txt'), 10)
  await fake.finished
  t.equal(fake.client.aborted?.code, 'internal')
  t.notOk(fake.client.ended)
  t.equal(fake.finishCount(), 1)
})

t.test('stored HTML is locked up: sandbox, no script, nothing loaded', async (t) => {
  const { get } = world()
  const { client } = await get('/2026-10-05%20old.html', PAGE)
  t.equal(client.header('content-type'), 'text/html; charset=utf-8')
  const [policy, ...more] = client.headerValues('content-security-policy')
  t.match(policy, /^sandbox; default-src 'none'; style-src 'unsafe-inline'/)
  t.notMatch(policy, /allow-|script-src|unsafe-eval/)
  t.same(more, [])
})

t.test('a JSON transcript is data for programs and a page for people', async (t) => {
  const { audited, get } = world()
  const path = '/2026-11-01-chat.json'
  for (const headers of [
    [],
    ['accept', '*/*'],
    ['accept', 'application/json'],
    ['accept', 'application/json, text/html;q=0.5'],
  ]) {
    const { client } = await get(path, { headers })
    t.equal(client.header('content-type'), 'application/json')
    t.same(JSON.parse(client.text), CHAT)
  }
  const page = await get(path, PAGE)
  t.equal(page.client.header('content-type'), 'text/html; charset=utf-8')
  t.equal(page.client.header('vary'), 'accept')
  t.match(page.client.text, /a &lt; b &amp; &quot;c&quot; &lt;script&gt;/)
  t.notMatch(page.client.text, /<script|alert\(1\)<\/script>/)
  t.match(page.client.text, /<li class="staff"><span class="who"><bdi>Grace/)
  t.match(page.client.text, /2026-11-01 09:00:01 UTC/)
  const raw = await get(path, { ...PAGE, query: '?raw' })
  t.same(JSON.parse(raw.client.text), CHAT)
  t.equal(audited.length, 6)
})

t.test('the policy of the pages allows exactly their own style', async (t) => {
  const { get } = world()
  const { createHash } = await import('node:crypto')
  for (const path of ['/', '/2026-11-01-chat.json']) {
    const { client } = await get(path, PAGE)
    const style = /<style>([\s\S]*?)<\/style>/.exec(client.text)?.[1] ?? ''
    const hash = createHash('sha256').update(style).digest('base64')
    t.equal(
      client.header('content-security-policy'),
      `default-src 'none'; style-src 'sha256-${hash}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'`,
    )
    t.notMatch(client.text, /<script| style=| on[a-z]+=/)
  }
})

t.test('JSON that is no transcript is served as data, also to people', async (t) => {
  const { get } = world()
  for (const path of ['/broken.json', '/other.json']) {
    const { client } = await get(path, PAGE)
    t.equal(client.status, 200)
    t.equal(client.header('content-type'), 'application/json', path)
  }
})

t.test('hostile content of every shape makes a page or data, never a script and never an error', async (t) => {
  const own = join(base, 'shapes')
  mkdirSync(own)
  const evil = '"><img src=x onerror=alert(1)>'
  const shapes: unknown[] = [
    { messages: [] },
    { messages: [{ text: evil, from: evil, at: evil }], id: evil, channel: evil, startedAt: evil },
    { messages: [{ text: evil }], participants: [{ name: evil, role: evil }, null, 7, []] },
    { messages: [{ text: 'x', from: 'toString' }], participants: 'many' },
    { messages: [{ text: 'x', from: { evil } }], id: { evil }, channel: [evil] },
    { messages: [{ text: 7 }] },
    { messages: [null] },
    { messages: 'no' },
    [{ messages: [] }],
    null,
    'text',
    JSON.parse('{"__proto__":{"messages":[]},"messages":[{"text":"\\ud800 lone"}]}'),
    { messages: [{ text: '\u0000\u0007\u001b[2J' }] },
    { messages: Array.from({ length: 6000 }, (_, i) => ({ text: `m${i}` })) },
  ]
  const { get } = world(own)
  for (const [i, shape] of shapes.entries()) {
    writeFileSync(join(own, `${i}.json`), JSON.stringify(shape))
    const { client } = await get(`/${i}.json`, PAGE)
    t.equal(client.status, 200, `shape ${i}`)
    if (client.header('content-type') === 'application/json') continue
    t.notMatch(client.text, /<img/, `shape ${i}`)
    t.notMatch(client.text, /[\0-\x08\x1b]/, `shape ${i}`)
  }
  writeFileSync(join(own, 'deep.json'), `{"messages":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)
  t.equal((await get('/deep.json', PAGE)).client.status, 200)
  writeFileSync(join(own, 'large.json'), JSON.stringify({ messages: [{ text: 'x'.repeat(1_100_000) }] }))
  t.equal((await get('/large.json', PAGE)).client.header('content-type'), 'application/json', 'too large for a page')
})

t.test('the list: newest first, only what may be seen', async (t) => {
  const { audited, get } = world()
  const { client } = await get('/')
  t.equal(client.header('content-type'), 'application/json')
  const list = JSON.parse(client.text)
  t.same(
    list.transcripts.map((each: { name: string }) => each.name),
    [
      '\u00fcber 20261103.txt',
      '2026-11-01-chat.json',
      '2026-10-05 old.html',
      'empty.txt',
      '2026/11/sub.txt',
      'other.json',
      'broken.json',
      'big.txt',
    ],
  )
  t.equal(list.total, 8)
  t.equal(list.isWhole, true)
  t.equal(list.transcripts[0].path, '/%C3%BCber%2020261103.txt')
  t.equal(list.transcripts[1].date, '2026-11-01T00:00:00.000Z')
  t.match(audited, [{ event: 'sensitive_read', object: '/', outcome: 'success', reason: '8 names' }])
})

t.test('every link of the list leads to its file', async (t) => {
  const { get } = world()
  const list = JSON.parse((await get('/')).client.text)
  for (const { path } of list.transcripts) t.equal((await get(path)).client.status, 200, path)
  const page = (await get('/', PAGE)).client.text
  t.equal(page.match(/<a href="\/[^"]+"/g)?.length, list.total)
})

t.test('the list is searched by name, and says back what was searched without harm', async (t) => {
  const { get } = world()
  const names = async (query: string) =>
    JSON.parse((await get('/', { query })).client.text).transcripts.map((each: { name: string }) => each.name)
  t.same(await names('?q=CHAT'), ['2026-11-01-chat.json'])
  t.same(await names('?q=%C3%9Cber'), ['\u00fcber 20261103.txt'])
  t.same(await names('?q=u%CC%88ber'), ['\u00fcber 20261103.txt'])
  t.same(await names('?q=2026%2F11'), ['2026/11/sub.txt'])
  t.same(await names('?q=.*'), [], 'it is no pattern')
  t.same(await names('?q=hidden'), [])
  t.equal((await names('?q=')).length, 8)
  t.equal((await names(`?q=${'%'.repeat(50)}`)).length, 0)
  const evil = (await get('/', { ...PAGE, query: '?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E%00' })).client.text
  t.notMatch(evil, /<script|\0/)
  t.match(evil, /value="&quot;&gt;&lt;script&gt;/)
  t.match(evil, /No transcript found/)
})

t.test('a long list is cut to the newest thousand, which is said', async (t) => {
  const own = join(base, 'many')
  mkdirSync(own)
  for (let i = 0; i < 1100; i++) writeFileSync(join(own, `20261101-${String(i).padStart(4, '0')}x.txt`), '')
  const { get } = world(own)
  const list = JSON.parse((await get('/')).client.text)
  t.equal(list.transcripts.length, 1000)
  t.equal(list.total, 1100)
  t.match((await get('/', PAGE)).client.text, /newest 1000 of 1100/)
  const some = await new Lister(own, 50, 0).list()
  t.equal(some.transcripts.length, 50)
  t.equal(some.isWhole, false)
})

t.test('many looks at once walk the folder once', async (t) => {
  const lister = new Lister(root)
  t.equal(lister.list(), lister.list())
  await lister.list()
  const fresh = new Lister(root, 1000, 0)
  const first = fresh.list()
  await first
  await new Promise((resolve) => setImmediate(resolve))
  t.not(fresh.list(), first, 'and forgets')
})

t.test('dates in names', (t) => {
  const table: [string, string | null][] = [
    ['2026-11-01.json', '2026-11-01T00:00:00.000Z'],
    ['chat-20261101-1430.json', '2026-11-01T14:30:00.000Z'],
    ['2026-11-01T14-30-59-ada.txt', '2026-11-01T14:30:59.000Z'],
    ['2026-11-01_1430.txt', '2026-11-01T14:30:00.000Z'],
    ['2026/2025-01-02.txt', '2025-01-02T00:00:00.000Z'],
    ['2026-11-01/chat.json', '2026-11-01T00:00:00.000Z'],
    ['2026-02-31.json', null],
    ['2026-13-01.json', null],
    ['120261101.json', null],
    ['order-9920261101123.json', null],
    ['chat.json', null],
  ]
  for (const [name, expected] of table) {
    const found = dateInName(name)
    t.equal(found === null ? null : new Date(found).toISOString(), expected, name)
  }
  t.end()
})

t.test('a folder that cannot be read is said at load; one that vanishes later is an empty list', async (t) => {
  for (const folder of [join(base, 'none'), join(base, 'secret.txt')]) {
    t.throws(() => world(folder), ConfigurationError)
  }
  const own = join(base, 'vanishing')
  mkdirSync(own)
  const { get } = world(own)
  const { rmSync } = await import('node:fs')
  rmSync(own, { recursive: true })
  t.same(JSON.parse((await get('/')).client.text).transcripts, [])
  t.equal((await get('/a.json')).client.status, 404)
})

t.test('nothing is read without its line in the audit log', async (t) => {
  const audit = {
    isUp: true,
    record() {
      throw new Error('disk full')
    },
  }
  const transcripts = makeTranscripts({ permissions: EVERYTHING, folder: root, audit })
  for (const path of ['/', '/2026/11/sub.txt', '/2026-11-01-chat.json', '/big.txt', '/missing.txt', '/..']) {
    const fake = fakeExchange({ user: 'ada', path, ...PAGE })
    transcripts(fake.x)
    await fake.finished
    t.equal(fake.client.status, 500, path)
    t.notMatch(fake.client.text, /0123456789|disk full/)
  }
  await settled()
  t.equal(openFiles(), 0)
})

t.test(
  'a file that may not be read is not found',
  { skip: process.getuid?.() === 0 ? 'root reads everything' : false },
  async (t) => {
    const own = join(base, 'unreadable')
    mkdirSync(own)
    writeFileSync(join(own, 'a.txt'), 'SECRET')
    chmodSync(join(own, 'a.txt'), 0)
    t.equal((await world(own).get('/a.txt')).client.status, 404)
  },
)
