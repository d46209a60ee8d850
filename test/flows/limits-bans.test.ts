/** Bans, given by the command line or by a limit: on every node and protocol, for open WebSockets too, and over again. */
import { spawn } from 'node:child_process'
import { connect } from 'node:net'
import { resolve } from 'node:path'
import t from 'tap'
import { type Place, requestTransports } from '../kit/clients.ts'
import { type Json, type ProcessGateway, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startMonitor } from '../kit/redis-monitor.ts'
import { type HandshakeRefused, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const BIN = resolve(import.meta.dirname, '../../bin/portcullis.js')
const redis = await startRedis()
const upstream = await startUpstream()
const config = (): Json =>
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', webSocket: true },
      { path: '/limited', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['one'] },
      { path: '/together', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['together'] },
    ],
    limits: {
      one: { rate: '1 per hour', ban: { after: 3, within: '1 hour', for: '1 hour' } },
      together: { rate: '1 per hour', ban: { after: 10, within: '1 hour', for: '1 hour' } },
      bans: { exempt: ['192.0.2.200'] },
      store: { redis: { url: redis.url, timeout: '5 seconds' } },
    },
  })
const nodes = await Promise.all([startGateway(config()), startGateway(config())])
t.teardown(async () => {
  await Promise.all(nodes.map((node) => node.close()))
  await redis.kill()
  await upstream.close()
})
const [one, two] = nodes as [ProcessGateway, ProcessGateway]
const placeOf = (node: ProcessGateway): Place => ({ port: node.publicPort })
const from = (address: string) => ['x-forwarded-for', address]

async function run(words: string[], node = one): Promise<{ code: number; out: string; err: string }> {
  const child = spawn(process.execPath, [BIN, ...words, '--admin', `http://127.0.0.1:${node.adminPort}`])
  let [out, err] = ['', '']
  child.stdout.on('data', (text) => {
    out += text
  })
  child.stderr.on('data', (text) => {
    err += text
  })
  const code = await new Promise<number>((done) => child.on('close', done))
  return { code, out, err }
}

/** The answer of a node to one request of an address, over both protocols. */
async function statuses(node: ProcessGateway, address: string, path = '/'): Promise<number[]> {
  const found: number[] = []
  for (const transport of requestTransports) {
    const client = transport.open(placeOf(node))
    found.push((await client.ask({ path, headers: from(address) })).status)
    await client.close()
  }
  return found
}

t.test('a ban from the command line holds on all nodes, and ends sockets that are open', async (t) => {
  const sockets = []
  for (const node of nodes)
    for (const transport of socketTransports) {
      sockets.push(await transport.open(placeOf(node), { path: '/', headers: from('192.0.2.1') }))
    }
  const spared = await socketTransports[0]!.open(placeOf(two), { path: '/', headers: from('192.0.3.1') })
  t.same(await statuses(two, '192.0.2.1'), [200, 200])

  const made = await run(['ban', '192.0.2.0/24', '--for', '1h', '--reason', 'scraping'])
  t.same([made.code, made.out, made.err], [0, 'banned\n', ''])
  for (const socket of sockets) {
    const { code, reason } = await within(socket.closed, 'the end of a socket')
    t.same([code, reason], [1008, 'banned'])
  }
  for (const node of nodes) {
    await until(async () => (await statuses(node, '192.0.2.1')).every((status) => status === 403), 'the ban')
    t.same(await statuses(node, '192.0.3.1'), [200, 200])
    t.same(await statuses(node, '192.0.2.200'), [200, 200], 'an exempt address')
    for (const transport of socketTransports) {
      const refused = await transport
        .open(placeOf(node), { path: '/', headers: from('192.0.2.9') })
        .catch((error) => error)
      t.equal((refused as HandshakeRefused).status, 403)
    }
  }
  spared.send('still here')
  await spared.close()

  const listed = await run(['bans'], two)
  t.match(listed.out, /^192\.0\.2\.0\/24 {2}until 2\d{3}-.*Z {2}scraping\n$/)
  t.match(JSON.parse((await run(['bans', '--json'], two)).out), [{ subject: '192.0.2.0/24', reason: 'scraping' }])
  const ended = await run(['unban', '192.0.2.0/24'], two)
  t.same([ended.code, ended.out], [0, 'unbanned\n'])
  for (const node of nodes)
    await until(async () => (await statuses(node, '192.0.2.1')).every((status) => status === 200), 'the end')
  t.equal((await run(['bans'])).out, 'nobody is banned\n')
  const audit = [...one.auditLines(), ...two.auditLines()].filter((line) => line.event === 'authz_change')
  t.match(audit, [
    { object: 'ban 192.0.2.0/24', user: 'operator', reason: 'scraping', outcome: 'success' },
    { object: 'unban 192.0.2.0/24', user: 'operator' },
  ])
})

t.test('what cannot be banned is said', async (t) => {
  for (const [words, says, code] of [
    [['ban', '0.0.0.0/0'], /subject is too wide/, 1],
    [['ban', 'example.com'], /subject is not an address, a CIDR block or user:NAME/, 1],
    [['unban', '192.0.2.77'], /no such ban/, 1],
    [['ban', '192.0.2.1', '--for', 'soon'], /--for is not a time/, 2],
    [['ban'], /usage: portcullis ban SUBJECT/, 2],
  ] as const) {
    const done = await run([...words])
    t.match(done.err, says)
    t.equal(done.code, code)
  }
})

t.test('who goes on while a limit refuses it is banned everywhere', async (t) => {
  const client = requestTransports[0]!.open(placeOf(one))
  t.teardown(() => client.close())
  const ask = async () => (await client.ask({ path: '/limited', headers: from('203.0.113.5') })).status
  t.same([await ask(), await ask(), await ask(), await ask()], [200, 429, 429, 429])
  t.equal(await ask(), 403)
  await until(
    async () => (await statuses(two, '203.0.113.5')).every((status) => status === 403),
    'the ban on the other node',
  )
  const [ban] = JSON.parse((await run(['bans', '--json'], two)).out) as Json[]
  t.match(ban, { subject: '203.0.113.5', reason: '3 refusals by the limit one' })
  t.equal((await run(['unban', '203.0.113.5'])).code, 0)
})

t.test('refusals are counted over all nodes', async (t) => {
  const monitor = await startMonitor(redis)
  const clients = nodes.map((node) => requestTransports[0]!.open(placeOf(node)))
  t.teardown(async () => {
    monitor.close()
    await Promise.all(clients.map((client) => client.close()))
  })
  const found: number[] = []
  for (let i = 0; i < 7; i++) {
    for (const client of clients) {
      found.push((await client.ask({ path: '/together', headers: from('203.0.113.6') })).status)
    }
  }
  t.equal(found.filter((status) => status === 200).length, 1)
  // Fourteen requests, thirteen refusals at most: no node alone has seen ten.
  for (const node of nodes) {
    await until(
      async () => (await statuses(node, '203.0.113.6', '/other')).every((status) => status === 403),
      'the ban',
    )
  }
  await monitor.flushed()
  const telling = monitor.commands.filter(({ args }) => args.some((each) => each.includes('together.refusals')))
  t.comment(`${telling.length} calls for ${found.filter((status) => status === 429).length} refusals`)
  t.ok(telling.length > 0)
  const audit = [...one.auditLines(), ...two.auditLines()].filter((line) => line.object === 'ban 203.0.113.6')
  t.match(audit[0], { event: 'authz_change', user: 'limit together', reason: '10 refusals' })
  t.equal((await run(['unban', '203.0.113.6'])).code, 0)
})

t.test("no page in the operator's browser can ban or list", async (t) => {
  const ask = (head: string, body = ''): Promise<number> =>
    new Promise((done, fail) => {
      const socket = connect(one.adminPort, '127.0.0.1')
      socket.end(`${head}\r\nconnection: close\r\ncontent-length: ${body.length}\r\n\r\n${body}`)
      let text = ''
      socket.on('data', (piece) => {
        text += piece
      })
      socket.on('error', fail)
      socket.on('close', () => done(Number(text.slice(9, 12))))
    })
  const wish = '{"subject":"192.0.2.1"}'
  const host = `host: 127.0.0.1:${one.adminPort}`
  const json = 'content-type: application/json'
  t.equal(
    await ask(`POST /bans HTTP/1.1\r\n${host}\r\ncontent-type: text/plain`, wish),
    415,
    'a form needs no preflight',
  )
  t.equal(await ask(`POST /bans HTTP/1.1\r\n${host}`, wish), 415)
  t.equal(
    await ask(`POST /bans HTTP/1.1\r\nhost: evil.example\r\n${json}`, wish),
    400,
    'a name that resolves to loopback',
  )
  t.equal(await ask('GET /bans HTTP/1.1\r\nhost: evil.example'), 400)
  t.equal(await ask(`POST /bans HTTP/1.1\r\n${host}\r\n${json}\r\norigin: https://evil.example`, wish), 403)
  t.equal(await ask(`DELETE /bans?subject=192.0.2.1 HTTP/1.1\r\n${host}\r\norigin: null`), 403)
  t.equal(
    await ask(`OPTIONS /bans HTTP/1.1\r\n${host}\r\norigin: https://evil.example`),
    405,
    'no preflight is answered',
  )
  t.equal(await ask(`POST /bans HTTP/1.1\r\n${host}\r\n${json}`, `{"subject":"${'1'.repeat(5000)}"}`), 413)
  for (const bad of ['', '[]', '{"subject":1}', '{"subject":"::1","extra":1}', '{"subject":"::1","for":"0 s"}'])
    t.equal(await ask(`POST /bans HTTP/1.1\r\n${host}\r\n${json}`, bad), 400, bad)
  t.equal((await run(['bans'])).out, 'nobody is banned\n')
})
