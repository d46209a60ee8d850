/** `portcullis start`: serves soon, or ends with 1 and sentences that say what to change. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join, resolve } from 'node:path'
import t from 'tap'
import { EVERYTHING } from '../kit/accounts.ts'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { type Json, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { freePort, startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const BIN = resolve(import.meta.dirname, '../../bin/portcullis.js')
/** What the project promises. */
const SERVES_WITHIN_MS = 10_000

const upstream = await startUpstream()
t.teardown(() => upstream.close())

interface Running {
  readonly stderr: () => string
  readonly exited: Promise<[code: number | null, signal: string | null]>
  kill(signal: NodeJS.Signals): void
}

function run(t: { teardown(fn: () => unknown): void }, folder: string, config: Json | string): Running {
  const path = join(folder, 'gateway.json')
  writeFileSync(path, typeof config === 'string' ? config : JSON.stringify(config, null, 2))
  const child = spawn(process.execPath, [BIN, 'start', '--config', 'gateway.json'], {
    cwd: folder,
    env: { PATH: process.env.PATH },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const exited = once(child, 'close') as Promise<[number | null, string | null]>
  t.teardown(async () => {
    child.kill('SIGKILL')
    await exited
  })
  return { stderr: () => text, exited, kill: (signal) => child.kill(signal) }
}

/** The lines on standard error of a start that fails. */
async function refusal(t: Tap, folder: string, config: Json | string): Promise<string[]> {
  const running = run(t, folder, config)
  const [code] = await within(running.exited, 'the end of the start')
  t.equal(code, 1)
  const lines = running
    .stderr()
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('{'))
  t.notMatch(running.stderr(), /\n {4}at |Error:/, 'no stack')
  return lines
}
type Tap = Pick<typeof t, 'equal' | 'notMatch' | 'teardown'>

const listeners = (more: Json = {}): Json => ({
  public: publicListener(),
  admin: { address: '127.0.0.1:0' },
  ...more,
})

t.test('serves soon, and says where', async (t) => {
  const before = performance.now()
  const gateway = await startGateway(testConfig(upstream.url))
  t.teardown(() => gateway.close())
  const client = requestTransports[1]!.open({ port: gateway.publicPort })
  t.teardown(() => client.close())
  t.equal((await client.ask({ path: '/x' })).status, 200)
  const ms = performance.now() - before
  t.comment(`serves after ${Math.round(ms)} ms`)
  t.ok(ms < SERVES_WITHIN_MS)
  t.match(gateway.log(), /"message":"Limits are counted in memory, per process: no Redis is configured"/)
})

t.test('a port that is taken is told with its setting and its place', async (t) => {
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const { port } = other.address() as { port: number }
  for (const [setting, more] of [
    ['listeners.public.address', { public: publicListener({ address: `127.0.0.1:${port}` }) }],
    [
      'listeners.public.redirectFrom',
      { public: publicListener({ redirectFrom: `127.0.0.1:${port}`, redirectPort: 443 }) },
    ],
    ['listeners.admin.address', { admin: { address: `127.0.0.1:${port}` } }],
  ] as const) {
    const config = testConfig(upstream.url, { listeners: listeners(more) })
    const line = JSON.stringify(config, null, 2)
      .split('\n')
      .findIndex((each) => each.includes(`:${port}"`))
    const lines = await refusal(t, t.testdir({}), config)
    t.equal(lines.length, 1)
    t.match(lines[0], new RegExp(`^gateway\\.json:${line + 1}:\\d+ ${setting}: 127\\.0\\.0\\.1:${port} is taken`))
  }
})

t.test('an address that this machine does not have is told', async (t) => {
  const config = testConfig(upstream.url, {
    listeners: listeners({ public: publicListener({ address: '192.0.2.1:8443', tls: { selfSigned: true } }) }),
  })
  const lines = await refusal(t, t.testdir({}), config)
  t.match(lines[0], /listeners\.public\.address: 192\.0\.2\.1:8443 is not an address of this machine/)
})

t.test('transcripts without accounts are refused', async (t) => {
  const folder = t.testdir({ transcripts: {}, 'accounts.json': '{ "accounts": {} }', 'empty.json': '' })
  chmodSync(join(folder, 'accounts.json'), 0o600)
  chmodSync(join(folder, 'empty.json'), 0o600)
  const source = { folder: 'transcripts' }
  const transcripts = { address: '127.0.0.1:0', source }
  const withListener = (more: Json): Json =>
    testConfig(upstream.url, { listeners: listeners({ transcripts: { ...transcripts, ...more } }) })
  const [none] = await refusal(t, folder, withListener({}))
  t.match(none, /gateway\.json:\d+:\d+ listeners\.transcripts: has no "signIn"/)
  for (const accounts of ['accounts.json', 'empty.json', 'missing.json']) {
    const [line] = await refusal(t, folder, withListener({ signIn: { accounts }, roles: EVERYTHING }))
    t.match(line, accounts)
  }
  const [open] = await refusal(
    t,
    folder,
    withListener({ address: '0.0.0.0:0', hosts: ['localhost'], tls: { selfSigned: true }, auth: 'none' }),
  )
  t.match(open, /listeners\.transcripts\.auth: may be "none" on loopback only/)
})

t.test('beyond loopback a certificate must be named, or the self-signed one be asked for', async (t) => {
  const at = (tls: Json): Json =>
    testConfig(upstream.url, { listeners: listeners({ public: publicListener({ address: '0.0.0.0:0', tls }) }) })
  const folder = t.testdir({})
  const [line] = await refusal(t, folder, at({}))
  t.match(
    line,
    /gateway\.json:\d+:\d+ listeners\.public.*: has no certificate; write "certificates", or "acme" to order one, or "selfSigned"/,
  )
  t.equal(existsSync(join(folder, 'certs')), false, 'nothing is made for a start that is refused')
  const gateway = await startGateway(at({ selfSigned: true }))
  t.teardown(() => gateway.close())
  t.match(gateway.log(), /self-signed certificate/)
})

t.test('the first start makes a self-signed certificate for its owner only, and says so', async (t) => {
  const gateway = await startGateway(testConfig(upstream.url))
  t.teardown(() => gateway.close())
  t.equal(statSync(join(gateway.folder, 'certs')).mode & 0o777, 0o700)
  t.equal(statSync(join(gateway.folder, 'certs/localhost.key')).mode & 0o777, 0o600)
  t.match(gateway.log(), /"message":"The self-signed certificate certs\/localhost\.pem /)
})

t.test('every mistake of a broken configuration is told at once', async (t) => {
  const config = testConfig('ftp://chat', {
    limits: { few: { rate: 'often' } },
    routes: [{ path: 'x', service: 'caht', purpose: 'test', maxBdoy: '1 KB' }],
  })
  const lines = await refusal(t, t.testdir({}), config)
  t.ok(lines.length >= 5, `${lines.length} lines`)
  for (const line of lines) t.match(line, /^gateway\.json:\d+:\d+ \S+: /)
  for (const setting of ['services.chat.endpoints[0]', 'routes[0].path', 'routes[0].service', 'limits.few.rate']) {
    t.ok(
      lines.some((line) => line.includes(` ${setting}: `)),
      setting,
    )
  }
  const half = await refusal(t, t.testdir({}), JSON.stringify(config, null, 2).slice(0, 100))
  t.match(half[0], /^gateway\.json:\d+:\d+/)
})

t.test(
  'no file, a folder, a key that others can read, a key that is missing: told, and no secret with it',
  async (t) => {
    const folder = t.testdir({})
    const made = await makeCertificate()
    const pair = writePair(folder, 'chat', made, 0o644)
    const withPair = (certificates: Json[]): Json =>
      testConfig(upstream.url, { listeners: listeners({ public: publicListener({ tls: { certificates } }) }) })
    const lines = await refusal(t, folder, withPair([pair]))
    t.match(lines[0], /gateway\.json:\d+:\d+ listeners\.public\.tls\.certificates\[0\]\.key: .*chmod 600/)
    const [missing] = await refusal(t, folder, withPair([{ ...pair, key: 'nowhere.key' }]))
    t.match(missing, /"nowhere\.key" cannot be read: there is no such file/)
    const [isFolder] = await refusal(t, folder, withPair([{ ...pair, key: folder }]))
    t.match(isFolder, /cannot be read: it is a folder/)
    chmodSync(pair.key, 0o600)
    writeFileSync(pair.key, (await makeCertificate()).key)
    const [other] = await refusal(t, folder, withPair([pair]))
    t.match(other, /^gateway\.json:\d+:\d+ listeners\.public\.tls\.certificates\[0\]: .*is not the key of/)
    t.notMatch([...lines, missing, isFolder, other].join('\n'), /PRIVATE KEY/)
  },
)

t.test('a log that cannot be written is told', async (t) => {
  const config = testConfig(upstream.url, { log: { access: 'gateway.json/access.log', audit: 'off' } })
  const lines = await refusal(t, t.testdir({}), config)
  t.match(lines[0], /^gateway\.json:\d+:\d+ log\.access: gateway\.json\/access\.log cannot be written/)
})

t.test('a configuration that is not there', async (t) => {
  const folder = t.testdir({})
  const child = spawn(process.execPath, [BIN, 'start', '--config', 'none.json'], {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let text = ''
  child.stderr.setEncoding('utf8').on('data', (piece: string) => {
    text += piece
  })
  const [code] = await once(child, 'close')
  t.equal(code, 1)
  t.match(text, /^none\.json: cannot be read: there is no such file\n$/)
})

t.test('signals that come before it serves: SIGHUP does not kill it, SIGTERM ends it with 0', async (t) => {
  // A Redis that answers nothing holds the start for a moment, with its sockets open.
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  redis.pause()
  t.teardown(() => redis.resume())
  const slow = (admin: number): Json =>
    testConfig(upstream.url, {
      listeners: listeners({ admin: { address: `127.0.0.1:${admin}` } }),
      limits: { store: { redis: { url: redis.url, timeout: '1 second' } } },
    })
  const bound = async (port: number): Promise<boolean> =>
    fetch(`http://127.0.0.1:${port}/health/live`).then(
      (answer) => answer.ok,
      () => false,
    )
  const one = await freePort()
  const first = run(t, t.testdir({ one: {} }), slow(one))
  await until(() => bound(one), 'the first')
  t.notMatch(first.stderr(), /"Listening"/, 'the start is not over')
  first.kill('SIGHUP')
  await until(() => first.stderr().includes('"cause":"SIGHUP","message":"Reloaded"'), 'the reload after the start')
  first.kill('SIGTERM')
  t.same(await within(first.exited, 'the end of the first'), [0, null])

  const two = await freePort()
  const second = run(t, t.testdir({ two: {} }), slow(two))
  await until(() => bound(two), 'the second')
  second.kill('SIGTERM')
  t.same(await within(second.exited, 'the end of the second'), [0, null])
})
