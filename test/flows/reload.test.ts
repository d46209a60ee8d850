/** A reload under load: all or nothing, and not one request, connection or WebSocket is lost by it. */
import { once } from 'node:events'
import { readFileSync, renameSync, writeFileSync } from 'node:fs'
import type { ClientHttp2Session } from 'node:http2'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { connect as connectTls, type TLSSocket } from 'node:tls'
import t from 'tap'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { openRaw, openSession, type Place, requestTransports, tlsOptions } from '../kit/clients.ts'
import { type Json, type ProcessGateway, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { failuresOf, startLoad } from '../kit/steady-load.ts'
import { freePort, startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const upstream = await startUpstream({ keepAliveMs: 120_000 })
t.teardown(() => upstream.close())

const route = (path: string, more: Json = {}): Json => ({
  path,
  service: 'chat',
  profiles: ['internet'],
  purpose: 'test',
  ...more,
})
const ECHO = route('/echo/*')
const SOCKETS = route('/ws/*', { webSocket: true })

function configWith(gateway: ProcessGateway | null, routes: readonly Json[], more: Json = {}): Json {
  const folder = gateway?.folder
  const log = folder === undefined ? {} : { log: { access: `${folder}/access.log`, audit: `${folder}/audit.log` } }
  return testConfig(upstream.url, {
    ...log,
    drain: { timeout: '5 seconds', webSocketWindow: '200 ms' },
    routes: [ECHO, SOCKETS, ...routes],
    ...more,
  })
}

const countIn = (text: string, part: string): number => text.split(part).length - 1

/** Sends the signal and waits for the line that tells of it. */
async function hangUp(gateway: ProcessGateway, outcome: 'Reloaded' | 'Not reloaded'): Promise<Json> {
  const seen = (): string[] =>
    gateway
      .log()
      .split('\n')
      .filter((line) => line.includes('"cause":"SIGHUP"') && line.endsWith('}'))
  const before = seen().length
  gateway.child.kill('SIGHUP')
  await until(() => seen().length > before, 'the reload')
  const line = JSON.parse(seen()[before]!) as Json
  if (!String(line.message).startsWith(outcome)) throw new Error(`expected "${outcome}": ${JSON.stringify(line)}`)
  return line
}

async function statusOf(place: Place, path: string): Promise<number> {
  const client = requestTransports[0]!.open(place)
  const reply = await client.ask({ path })
  await client.close()
  return reply.status
}

t.test('good, bad and half-written files under load: not one request and not one WebSocket is lost', async (t) => {
  const limits = (points: number): Json => ({ few: { rate: `${points} per hour` } })
  const limited = route('/limited', { limits: ['few'] })
  const gateway = await startGateway(configWith(null, [route('/old'), limited], { limits: limits(1000) }))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  const load = startLoad(t, place)
  const sockets = await Promise.all(socketTransports.map((each) => each.open(place, { path: '/ws/echo' })))
  const chat = async (text: string): Promise<void> => {
    for (const socket of sockets) {
      socket.send(text)
      t.equal((await socket.next()).text, text)
    }
  }
  const policy = async (): Promise<string | null> => {
    const client = requestTransports[1]!.open(place)
    const reply = await client.ask({ path: '/limited' })
    await client.close()
    return reply.header('ratelimit-policy')
  }
  await load.more(5)
  await chat('before')
  t.equal(await statusOf(place, '/old'), 200)
  t.equal(await statusOf(place, '/new'), 404)
  t.match(await policy(), /q=1000;/)

  const good = configWith(gateway, [route('/new'), limited], { limits: limits(2000) })
  gateway.writeConfig(good)
  await hangUp(gateway, 'Reloaded')
  await load.more(5)
  await chat('after the good one')
  t.equal(await statusOf(place, '/old'), 404, 'the route that was taken away')
  t.equal(await statusOf(place, '/new'), 200, 'the route that was added')
  t.match(await policy(), /q=2000;/)

  const bad = JSON.stringify(configWith(gateway, [route('/bad', { service: 'chta' })]), null, 2)
  gateway.writeConfig(bad)
  const refused = await hangUp(gateway, 'Not reloaded')
  const at = bad.split('\n').findIndex((line) => line.includes('"chta"')) + 1
  const problem = String((refused.problems as string[])[0])
  t.match(problem, `gateway.json:${at}:`, 'the line of the mistake')
  t.match(problem, /:\d+:\d+ routes\[2\]\.service: .*did you mean "chat"/)
  await load.more(5)
  await chat('after the bad one')
  t.equal(await statusOf(place, '/bad'), 404)
  t.equal(await statusOf(place, '/new'), 200)

  const whole = JSON.stringify(configWith(gateway, [route('/third')]), null, 2)
  gateway.writeConfig(whole.slice(0, whole.length / 2))
  const half = await hangUp(gateway, 'Not reloaded')
  t.match(String((half.problems as string[])[0]), /gateway\.json:\d+:\d+/)
  await load.more(5)
  gateway.writeConfig('')
  await hangUp(gateway, 'Not reloaded')
  await load.more(5)
  await chat('after the half one')
  t.equal(await statusOf(place, '/new'), 200)

  gateway.writeConfig(whole)
  await hangUp(gateway, 'Reloaded')
  await load.more(5)
  await chat('at the end')
  t.equal(await statusOf(place, '/third'), 200)

  const shots = await load.stop()
  t.same(failuresOf(shots), [])
  t.ok(shots.length > 100, `${shots.length} requests`)
  for (const socket of sockets) t.equal((await socket.close()).code, 1000)

  // The watch of the file reloads too, in its own time: the two counts are compared when they stand still.
  const counted = async (): Promise<number[]> => {
    const text = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
    return ['applied', 'refused'].map((each) =>
      Number(new RegExp(`reload_total\\{outcome="${each}"\\} (\\d+)`).exec(text)?.[1]),
    )
  }
  const reloads = (): Json[] => gateway.auditLines().filter((line) => line.event === 'sys_reload')
  const audited = (): number[] =>
    ['success', 'failure'].map((each) => reloads().filter((line) => line.outcome === each).length)
  await until(async () => String(await counted()) === String(audited()), 'as many audit lines as reloads')
  const [applied, refusedCount] = await counted()
  t.ok(applied! >= 2, 'applied reloads are counted')
  t.ok(refusedCount! >= 3, 'refused reloads are counted')
  const audit = reloads()
  t.ok(audit.every((line) => line.object === gateway.configPath))
})

t.test('a file that changes is picked up without a signal', async (t) => {
  const gateway = await startGateway(configWith(null, []))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  t.equal(await statusOf(place, '/new'), 404)
  gateway.writeConfig(configWith(gateway, [route('/new')]))
  await until(async () => (await statusOf(place, '/new')) === 200, 'the new route')
  t.match(gateway.log(), /"cause":"file change","message":"Reloaded"/)
})

for (const transport of requestTransports) {
  t.test(`a request that waits for its body meets a reload that changes its service: ${transport.name}`, async (t) => {
    const routes = [route('/messages', { methods: ['POST'], messages: 'clean' })]
    const messages = { clean: { fields: ['$.text'] } }
    const gateway = await startGateway(configWith(null, routes, { messages }))
    t.teardown(() => gateway.close())
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    let goOn: () => void = () => {}
    const waiting = new Promise<void>((resolve) => {
      goOn = resolve
    })
    let begun = false
    async function* body(): AsyncGenerator<Buffer> {
      yield Buffer.from('{"text":"a ')
      begun = true
      await waiting
      yield Buffer.from('<b>word</b>"}')
    }
    const answer = client.ask({
      method: 'POST',
      path: '/messages',
      headers: ['content-type', 'application/json'],
      body: body(),
    })
    await until(() => begun)
    const services = { chat: { endpoints: [upstream.url], maxWaiting: 77 } }
    gateway.writeConfig(configWith(gateway, routes, { messages, services }))
    await hangUp(gateway, 'Reloaded')
    goOn()
    const reply = await answer
    t.equal(reply.status, 200)
    t.equal((reply.json() as Json).body, '{"text":"a word"}')
  })
}

t.test('a service that did not change keeps its connections', async (t) => {
  const own = await startUpstream({ keepAliveMs: 120_000 })
  t.teardown(() => own.close())
  const services = { chat: { endpoints: [own.url], timeouts: { keepAlive: '100 seconds' } } }
  const gateway = await startGateway(configWith(null, [], { services }))
  t.teardown(() => gateway.close())
  const client = requestTransports[0]!.open({ port: gateway.publicPort })
  t.teardown(() => client.close())
  t.equal((await client.ask({ path: '/echo/1' })).status, 200)
  t.equal(own.connections.length, 1)
  gateway.writeConfig(configWith(gateway, [route('/new')], { services }))
  await hangUp(gateway, 'Reloaded')
  t.equal((await client.ask({ path: '/new' })).status, 200)
  t.equal(own.connections.length, 1)
})

const fingerprintOf = async (place: Place): Promise<string> => {
  const socket = connectTls({ ...tlsOptions(place), ALPNProtocols: ['http/1.1'] })
  await once(socket, 'secureConnect')
  const { fingerprint256 } = socket.getPeerCertificate()
  socket.destroy()
  return fingerprint256
}

/** One request on a connection that stays open. */
async function askOn(socket: TLSSocket): Promise<string> {
  socket.write('GET /echo/x HTTP/1.1\r\nhost: localhost\r\n\r\n')
  let text = ''
  while (!text.endsWith('}')) {
    const more = await Promise.race([once(socket, 'data'), once(socket, 'close')])
    if (socket.destroyed) return `cut after ${text.slice(0, 12)}`
    text += String(more[0])
  }
  return text.slice(0, 12)
}

async function askStream(session: ClientHttp2Session): Promise<number> {
  const stream = session.request({ ':path': '/echo/x', ':authority': 'localhost' })
  const [headers] = (await once(stream, 'response')) as [{ ':status': number }]
  stream.resume()
  await once(stream, 'close')
  return headers[':status']
}

t.test('certificates are exchanged 20 times under 200 connections: none drops, new ones get the new one', async (t) => {
  const folder = t.testdir({})
  const pairs = await Promise.all(Array.from({ length: 21 }, () => makeCertificate()))
  const pair = writePair(folder, 'chat', pairs[0]!)
  const listeners = {
    public: publicListener({
      tls: { certificates: [pair] },
      connections: { perAddress: 500, inFlightPerAddress: 500 },
      handshakes: { perAddress: 500, perAddressPerMinute: 5000 },
    }),
    admin: { address: '127.0.0.1:0' },
  }
  const gateway = await startGateway(configWith(null, [], { listeners }))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  const plain = Array.from({ length: 150 }, () => openRaw(place) as TLSSocket)
  const sessions = Array.from({ length: 50 }, () => openSession(place))
  t.teardown(() => {
    for (const each of [...plain, ...sessions]) each.destroy()
  })
  let closed = 0
  for (const each of [...plain, ...sessions]) each.on('close', () => closed++)
  const askAll = async (): Promise<void> => {
    t.same([...new Set(await Promise.all(plain.map(askOn)))], ['HTTP/1.1 200'])
    t.same([...new Set(await Promise.all(sessions.map(askStream)))], [200])
  }
  await askAll()
  for (const [at, next] of pairs.entries()) {
    if (at === 0) continue
    const before = await fingerprintOf(place)
    if (at === 10) {
      // A pair that does not fit together: the old one stays.
      writeFileSync(pair.cert, next.cert)
      await until(() => gateway.log().includes('is not the key of'), 'the refusal')
      t.equal(await fingerprintOf(place), before)
      await askAll()
      writeFileSync(pair.key, next.key)
    } else {
      // As certbot and Kubernetes do it: moved into place.
      const fresh = writePair(folder, 'fresh', next)
      renameSync(fresh.key, pair.key)
      renameSync(fresh.cert, pair.cert)
      if (at % 5 !== 0) gateway.child.kill('SIGHUP')
    }
    await until(async () => (await fingerprintOf(place)) !== before, `certificate ${at}`)
    t.equal(closed, 0)
  }
  await askAll()
  t.equal(closed, 0)
})

t.test('a listener that is added opens; one that is removed ends what runs and closes its WebSockets', async (t) => {
  const routes = [route('/trickle')]
  const gateway = await startGateway(configWith(null, routes))
  t.teardown(() => gateway.close())
  const port = await freePort()
  const both = {
    public: publicListener(),
    second: publicListener({ address: `127.0.0.1:${port}` }),
    admin: { address: '127.0.0.1:0' },
  }
  gateway.writeConfig(configWith(gateway, routes, { listeners: both }))
  await hangUp(gateway, 'Reloaded')
  t.match(gateway.log(), `"setting":"listeners.second.address","address":"127.0.0.1:${port}"`)
  const place = { port }
  t.equal(await statusOf({ port: gateway.publicPort }, '/echo/x'), 200, 'the other listener kept its port')

  const sockets = await Promise.all(socketTransports.map((each) => each.open(place, { path: '/ws/echo' })))
  const elsewhere = await socketTransports[0]!.open({ port: gateway.publicPort }, { path: '/ws/echo' })
  const clients = requestTransports.map((each) => each.open(place))
  t.teardown(() => Promise.all(clients.map((each) => each.close())))
  let begun = 0
  const long = clients.map((each) => each.ask({ path: '/trickle?count=40&ms=25', onHead: () => begun++ }))
  await until(() => begun === 2, 'both answers')
  gateway.writeConfig(configWith(gateway, routes))
  await hangUp(gateway, 'Reloaded')
  for (const each of long) {
    const reply = await each
    t.equal(reply.status, 200)
    t.equal(reply.isComplete, true)
    t.match(reply.text, /\n39\n$/)
  }
  for (const socket of sockets) t.equal((await socket.closed).code, 1001)
  const refused = await requestTransports[0]!.open(place).ask({ path: '/echo/x' })
  t.equal(refused.error, 'ECONNREFUSED')
  elsewhere.send('still here')
  t.equal((await elsewhere.next()).text, 'still here')
  await elsewhere.close()
})

t.test('SIGTERM after such a reload still waits for what the removed listener is answering', async (t) => {
  const routes = [route('/trickle')]
  const gateway = await startGateway(configWith(null, routes))
  t.teardown(() => gateway.close())
  const port = await freePort()
  const second = publicListener({ address: `127.0.0.1:${port}` })
  const listeners = { public: publicListener(), second, admin: { address: '127.0.0.1:0' } }
  gateway.writeConfig(configWith(gateway, routes, { listeners }))
  await hangUp(gateway, 'Reloaded')
  const client = requestTransports[0]!.open({ port })
  t.teardown(() => client.close())
  let begun = false
  const long = client.ask({
    path: '/trickle?count=40&ms=25',
    onHead: () => {
      begun = true
    },
  })
  await until(() => begun)
  gateway.writeConfig(configWith(gateway, routes))
  await hangUp(gateway, 'Reloaded')
  gateway.child.kill('SIGTERM')
  t.match(await long, { status: 200, isComplete: true })
  t.equal(await gateway.exited, 0)
})

t.test('an address that is taken refuses the reload as a whole, with its place in the file', async (t) => {
  const gateway = await startGateway(configWith(null, []))
  t.teardown(() => gateway.close())
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const taken = (other.address() as { port: number }).port
  const free = await freePort()
  const listeners = {
    public: publicListener(),
    free: publicListener({ address: `127.0.0.1:${free}` }),
    second: publicListener({ address: `127.0.0.1:${taken}` }),
    admin: { address: '127.0.0.1:0' },
  }
  const text = JSON.stringify(configWith(gateway, [route('/new')], { listeners }), null, 2)
  gateway.writeConfig(text)
  const refused = await hangUp(gateway, 'Not reloaded')
  const line = text.split('\n').findIndex((each) => each.includes(`127.0.0.1:${taken}`)) + 1
  const column = text.split('\n')[line - 1]!.indexOf('"127.') + 1
  t.same(refused.problems, [
    `${gateway.configPath}:${line}:${column} listeners.second.address: 127.0.0.1:${taken} is taken by another program; stop it or choose another port`,
  ])
  const place = { port: gateway.publicPort }
  t.equal(await statusOf(place, '/echo/x'), 200)
  t.equal(await statusOf(place, '/new'), 404)
  const closed = await requestTransports[0]!.open({ port: free }).ask({ path: '/echo/x' })
  t.equal(closed.error, 'ECONNREFUSED', 'what was bound for the refused file is let go')
})

t.test('a refused file leaves the store as it was, and the next one gets the store that it names', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  const limited = [route('/limited', { limits: ['few'] })]
  const inMemory = { few: { rate: '1000 per hour' } }
  const shared = { ...inMemory, store: { redis: { url: redis.url, timeout: '5 seconds' } } }
  const gateway = await startGateway(configWith(null, limited, { limits: inMemory }))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  const other = createServer().listen(0, '127.0.0.1')
  await once(other, 'listening')
  t.teardown(() => other.close())
  const taken = `127.0.0.1:${(other.address() as { port: number }).port}`
  const listeners = {
    public: publicListener(),
    second: publicListener({ address: taken }),
    admin: { address: '127.0.0.1:0' },
  }
  gateway.writeConfig(configWith(gateway, limited, { limits: shared, listeners }))
  await hangUp(gateway, 'Not reloaded')
  t.equal(await statusOf(place, '/limited'), 200)
  t.match(await redis.command('DBSIZE'), /^:0/)
  gateway.writeConfig(configWith(gateway, limited, { limits: shared }))
  await hangUp(gateway, 'Reloaded')
  await until(() => countIn(gateway.log(), 'Limits are shared through Redis') > 0, 'the connection to Redis')
  t.equal(await statusOf(place, '/limited'), 200)
  t.match(await redis.command('KEYS *few*'), /few:\{127\.0\.0\.1\}/)
})

t.test('SIGHUP opens the logs anew after a rotation', async (t) => {
  const gateway = await startGateway(configWith(null, []))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  t.equal(await statusOf(place, '/echo/before'), 200)
  renameSync(join(gateway.folder, 'access.log'), join(gateway.folder, 'access.log.1'))
  await hangUp(gateway, 'Reloaded')
  t.equal(await statusOf(place, '/echo/after'), 200)
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.exited, 0)
  const paths = (name: string): unknown[] =>
    readFileSync(join(gateway.folder, name), 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Json).path)
  t.same([...paths('access.log.1'), ...paths('access.log')], ['/echo/before', '/echo/after'])
  t.same(paths('access.log').at(-1), '/echo/after')
})

t.test('logs that are named anew are written anew', async (t) => {
  const gateway = await startGateway(configWith(null, []))
  t.teardown(() => gateway.close())
  const place = { port: gateway.publicPort }
  const access = join(gateway.folder, 'other.log')
  gateway.writeConfig(configWith(gateway, [], { log: { access, audit: `${gateway.folder}/audit.log`, level: 'warn' } }))
  gateway.child.kill('SIGHUP')
  const auditOf = (): Json[] => gateway.auditLines().filter((line) => line.event === 'sys_reload')
  await until(() => auditOf().length > 0, 'the reload')
  t.equal(await statusOf(place, '/echo/after'), 200)
  gateway.child.kill('SIGTERM')
  t.equal(await gateway.exited, 0)
  t.match(readFileSync(access, 'utf8'), /"path":"\/echo\/after"/)
  t.notMatch(JSON.stringify(gateway.accessLines()), /after/)
  t.notMatch(gateway.log(), /"message":"Draining"/, 'below the new level')
})
