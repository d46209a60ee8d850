/** Transcripts that are sealed on the disk, with names that are sealed in URLs: what is served, refused, found and recorded. */
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { initKeyRing, rotateKeyRing } from '../../src/keys/ring-changes.ts'
import { loadKeyRing } from '../../src/keys/ring-file.ts'
import { StreamSealer } from '../../src/keys/sealed-stream.ts'
import { UrlTokens } from '../../src/keys/url-token.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { openHttp1, type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { until } from '../kit/wait.ts'

const PHONE = '491701234567'
const PASSWORD = 'Correct-horse-7-battery'
const base = t.testdir({ store: {} })
const folder = join(base, 'store')
const ring = join(base, 'keys.json')
const accounts = join(base, 'accounts.json')
initKeyRing(ring)
await writeAccounts(accounts, { ada: await hashPassword(PASSWORD) }, { roles: ['reader'] })
const authorization = `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`

function store(name: string, content: string | Buffer): void {
  const sealer = new StreamSealer(loadKeyRing(ring), name)
  const path = join(folder, `${name}.sealed`)
  mkdirSync(join(path, '..'), { recursive: true })
  writeFileSync(path, Buffer.concat([sealer.header, sealer.push(Buffer.from(content)), sealer.end()]), { mode: 0o600 })
}

const LONG = Buffer.alloc(400_001, 'what the customer said. ')
const CHAT = {
  id: 'chat-17',
  channel: 'web',
  messages: [{ at: '2026-11-01T09:00:01Z', from: 'C', text: 'card 4111111111111111' }],
}
store('web/2026-11-01-chat.json', JSON.stringify(CHAT))
store('web/2026-10-05.txt', 'october')
store(`phone/${PHONE}.txt`, 'by phone')
utimesSync(join(folder, `phone/${PHONE}.txt.sealed`), new Date('2026-09-01'), new Date('2026-09-01'))
store('long.txt', LONG)
store('empty.txt', '')
store('over.txt', 'sealed')
writeFileSync(join(folder, 'over.txt'), 'PLAIN')
writeFileSync(join(folder, 'plain.txt'), 'PLAIN')
writeFileSync(join(folder, 'fake.txt.sealed'), 'not sealed at all')
store('first.txt', 'x'.repeat(200_000))
const cut = readFileSync(join(folder, 'first.txt.sealed'))
cut[70_000]! ^= 1
writeFileSync(join(folder, 'middle.txt.sealed'), cut)
copyFileSync(join(folder, 'first.txt.sealed'), join(folder, 'renamed.txt.sealed'))
// Bound to its name, and damaged in its middle only.
writeFileSync(join(folder, 'first.txt.sealed'), cut)
writeFileSync(join(base, 'secret.txt.sealed'), 'SECRET')
symlinkSync('../secret.txt.sealed', join(folder, 'link.txt.sealed'))
symlinkSync('/dev/zero', join(folder, 'zero.txt.sealed'))
execFileSync('mkfifo', [join(folder, 'fifo.txt.sealed')])
mkdirSync(join(folder, 'folder.txt.sealed'))
writeFileSync(join(folder, '.portcullis-0123456789abcdef.tmp'), 'SECRET')

function configOf(source: Json, more: Json = {}): Json {
  return testConfig('http://127.0.0.1:9', {
    keys: { ring },
    sealed: { name: { expires: '1 hour' } },
    listeners: {
      transcripts: {
        address: '127.0.0.1:0',
        hosts: ['localhost', '127.0.0.1'],
        signIn: { accounts },
        roles: EVERYTHING,
        source: { folder, ...source },
      },
      admin: { address: '127.0.0.1:0' },
    },
    services: {},
    routes: [],
    ...more,
  })
}
const gateway = await startGatewayHere(configOf({}))
const named = await startGatewayHere(configOf({ sealedNames: 'name' }))
t.teardown(async () => {
  await gateway.close()
  await named.close()
})
const portOf = (of: typeof gateway) => ({ port: of.port('listeners.transcripts.address') })

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(portOf(gateway))
    t.teardown(() => client.close())
    const read = async (path: string, ...more: string[]): Promise<Reply> => {
      const reply = await client.ask({ path, headers: ['authorization', authorization, ...more] })
      t.match(reply.header('cache-control'), /no-store/, path)
      t.notMatch(reply.text, /SECRET|PLAIN/)
      return reply
    }

    t.test('sealed files are read whole and in part, as if they were plain', async (t) => {
      const whole = await read('/long.txt')
      t.equal(whole.status, 200)
      t.ok(whole.body.equals(LONG))
      t.equal(whole.header('content-length'), '400001')
      for (const [range, from, to] of [
        ['bytes=0-0', 0, 1],
        ['bytes=65530-65545', 65_530, 65_546],
        ['bytes=100000-300000', 100_000, 300_001],
        ['bytes=-1', 400_000, 400_001],
        ['bytes=131072-', 131_072, 400_001],
      ] as const) {
        const part = await read('/long.txt', 'range', range)
        t.equal(part.status, 206)
        t.ok(part.body.equals(LONG.subarray(from, to)), range)
      }
      t.equal((await read('/long.txt', 'range', 'bytes=400001-')).status, 416)
      t.equal((await read('/empty.txt')).text, '')
      t.equal((await read('/over.txt')).text, 'sealed', 'a sealed file stands before a plain one')
      const page = await read('/web/2026-11-01-chat.json', 'accept', 'text/html')
      t.match(page.text, /card \*+1111/)
      t.match(page.header('content-type'), 'text/html')
    })

    t.test('a download bears its name', async (t) => {
      const reply = await read('/web/2026-10-05.txt?download')
      t.equal(
        reply.header('content-disposition'),
        `attachment; filename="2026-10-05.txt"; filename*=UTF-8''2026-10-05.txt`,
      )
      t.equal(
        (await read('/web/2026-11-01-chat.json?download', 'accept', 'text/html')).header('content-type'),
        'application/json',
      )
    })

    t.test('plain, false, exchanged and foreign files are not served', async (t) => {
      for (const path of [
        '/plain.txt',
        '/link.txt',
        '/zero.txt',
        '/fifo.txt',
        '/folder.txt',
        '/long.txt.sealed',
        '/.portcullis-0123456789abcdef.tmp',
        '/LONG.txt',
        '/long.TXT',
        `/${'a'.repeat(252)}.txt`,
        '/long.txt%00',
        '/web/..%2fplain.txt',
        '/%c0%ae%c0%ae/secret.txt',
        '/..;/secret.txt',
      ]) {
        const { status } = await read(path)
        t.ok(status === 404 || status === 400, `${path}: ${status}`)
      }
      for (const path of ['/fake.txt', '/renamed.txt']) t.equal((await read(path)).status, 500, path)
      const middle = await read('/first.txt')
      t.notOk(middle.isComplete, 'what is damaged in the middle ends in the middle')
      t.ok(middle.body.length < 131_072)
    })

    t.test('the list is searched by words, channel and days', async (t) => {
      const list = async (query: string): Promise<string[]> => {
        const reply = await read(`/${query}`, 'accept', 'application/json')
        return (reply.json() as { transcripts: { name: string }[] }).transcripts.map(({ name }) => name)
      }
      const all = await list('')
      t.notOk(all.includes('plain.txt'))
      t.equal(all.filter((name) => name === 'over.txt').length, 1)
      t.same(await list('?channel=web'), ['web/2026-11-01-chat.json', 'web/2026-10-05.txt'])
      t.same(await list('?channel=web&from=2026-10-06'), ['web/2026-11-01-chat.json'])
      t.same(await list('?channel=web&to=2026-10-05'), ['web/2026-10-05.txt'], 'the last day is included')
      t.same(await list('?from=2026-08-31&to=2026-09-01'), [`phone/${PHONE}.txt`])
      t.same(await list('?q=CHAT&channel=phone'), [])
      t.same(await list('?channel=nothing'), [])
      t.equal((await list('?from=2026-02-31')).length, all.length, 'what is no day is not asked for')
      const page = await read('/?channel=web&from=2026-10-06&q=%3Cb%3E', 'accept', 'text/html')
      t.match(page.text, '<option value="web" selected>web</option>')
      t.match(page.text, 'name="from" type="date" value="2026-10-06"')
      t.match(page.text, 'value="&lt;b&gt;"')
    })
  })
}

t.test('names that stand in URLs as tokens only', async (t) => {
  const client = openHttp1(portOf(named))
  t.teardown(() => client.close())
  const read = (path: string, ...more: string[]) =>
    client.ask({ path, headers: ['authorization', authorization, ...more] })
  const list = (await read('/?channel=phone', 'accept', 'application/json')).json() as {
    transcripts: { name: string; path: string }[]
  }
  const { name, path } = list.transcripts[0]!
  t.equal(name, `phone/${PHONE}.txt`)
  t.match(path, /^\/[\w-]{104}$/)
  t.equal((await read(path)).text, 'by phone')
  t.notMatch((await read(`${path}?download`)).header('content-disposition'), PHONE)
  const page = await read('/', 'accept', 'text/html')
  t.notMatch(page.text, `href="/phone/`)
  rotateKeyRing(ring)
  t.equal(await named.gateway.reload('test'), true)
  t.equal((await read(path)).text, 'by phone', 'a rotation breaks no link')
  const tokens = new UrlTokens(loadKeyRing(ring))
  const seal = (value: string, lifeMs = 60_000) => `/${tokens.seal('name', value, lifeMs)}`
  for (const bad of [
    `/phone/${PHONE}.txt`,
    '/long.txt',
    seal('../secret.txt'),
    seal('/etc/passwd'),
    seal('web/../../secret.txt'),
    seal('plain.txt'),
    `/${tokens.seal('other', 'long.txt', 60_000)}`,
    `${path}x`,
  ]) {
    t.equal((await read(bad)).status, 404, bad)
  }
  t.equal((await read(seal('long.txt', -2000))).status, 410)
  await named.gateway.log.flush()
  for (const file of ['access.log', 'audit.log']) t.notMatch(readFileSync(join(named.folder, file), 'utf8'), PHONE)
  const reads = named.auditLines().filter((line) => line.event === 'sensitive_read')
  t.match(
    reads.find((line) => line.object === path.slice(1)),
    { outcome: 'success', user: 'ada', address: '127.0.0.1' },
  )
  t.ok(reads.some((line) => line.outcome === 'failure' && line.object === '-'))
  t.ok(reads.some((line) => line.outcome === 'failure' && line.reason === 'expired'))
})

t.test('what is over its time goes at the start, recorded, with what a crash left behind', async (t) => {
  const own = t.testdir({
    '2020-01-01.txt': 'old',
    'new.txt': 'new',
    '.portcullis-0123456789abcdef.tmp': 'left',
    'undated.md': 'not one',
  })
  const purging = await startGatewayHere(configOf({ folder: own, keepDays: 365 }))
  t.teardown(() => purging.close())
  await until(() => !existsSync(join(own, '2020-01-01.txt')), 'the purge')
  await until(() => !existsSync(join(own, '.portcullis.lock')), 'the end of the purge')
  t.notOk(existsSync(join(own, '.portcullis-0123456789abcdef.tmp')))
  t.ok(existsSync(join(own, 'new.txt')) && existsSync(join(own, 'undated.md')))
  t.match(
    purging.auditLines().find((line) => line.event === 'sensitive_delete'),
    { outcome: 'success', object: '2020-01-01.txt', reason: 'retention', user: '-' },
  )
})

t.test('without a time to keep, what a crash left behind goes all the same, and nothing else', async (t) => {
  const own = t.testdir({ '2020-01-01.txt': 'old', '.portcullis-0123456789abcdef.tmp': 'left' })
  const other = await startGatewayHere(configOf({ folder: own }))
  t.teardown(() => other.close())
  await until(() => !existsSync(join(own, '.portcullis-0123456789abcdef.tmp')), 'the start')
  t.ok(existsSync(join(own, '2020-01-01.txt')))
})

t.test('nothing is removed that cannot be recorded', async (t) => {
  const own = t.testdir({ '2020-01-01.txt': 'old' })
  const purging = await startGatewayHere(
    configOf({ folder: own, keepDays: 365 }, { log: { access: 'off', audit: '/dev/full' } }),
  )
  t.teardown(() => purging.close())
  await until(
    () => !purging.gateway.log.audit.isUp && !existsSync(join(own, '.portcullis.lock')),
    'the end of the purge',
  )
  t.ok(existsSync(join(own, '2020-01-01.txt')))
})

t.test('a ring that is exposed or gone stops the start, and changes nothing at a reload', async (t) => {
  chmodSync(ring, 0o644)
  await t.rejects(startGatewayHere(configOf({})), /can be read by other users/)
  t.equal(await gateway.gateway.reload('test'), false)
  chmodSync(ring, 0o600)
  const client = openHttp1(portOf(gateway))
  t.teardown(() => client.close())
  t.equal((await client.ask({ path: '/over.txt', headers: ['authorization', authorization] })).text, 'sealed')
})
