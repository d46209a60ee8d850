/**
 * Services behind an explicit forward proxy, a real one (Tinyproxy), over TCP and over TLS: requests over HTTP/1.1 and HTTP/2, event
 * streams, uploads, WebSockets, active checks. Every connection that this process tries is recorded: past the proxy there is none.
 */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { attempts, lookups } from '../kit/attempts.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { startConnectProxy } from '../kit/connect-proxy.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startTinyproxy, startTlsBefore, TINYPROXY_MISSING } from '../kit/tinyproxy.ts'
import { startUpstream, type Upstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const USER = 'gateway'
const PASSWORD = 'gate-of-iron-42'
const skip = TINYPROXY_MISSING === '' ? false : TINYPROXY_MISSING

const route = (name: string) => ({
  ...{ path: `/${name}/*`, rewrite: '/*', service: name, profiles: ['internet'], purpose: 'test', webSocket: true },
  ...{ methods: ['GET', 'POST', 'PUT'], maxBody: '4 MB' },
})

t.test('everything works through a real proxy, and nothing goes past it', { skip }, async (t) => {
  const authority = await makeCertificate({ subject: 'CN=Services CA', authority: true })
  const certificate = await makeCertificate({ names: ['localhost', '127.0.0.1'], issuer: authority })
  const byName = await makeCertificate({ names: ['localhost'], issuer: authority })
  const front = await makeCertificate({ names: ['localhost'], subject: 'CN=proxy' })
  const file = (name: string, text: string): string => {
    const path = join(t.testdirName, name)
    writeFileSync(path, text)
    return path
  }
  t.testdir()
  const ca = file('ca.pem', authority.cert)
  const proxyCa = file('proxy.pem', front.cert)
  const plain = await startUpstream()
  const secure = await startUpstream({ tls: certificate })
  const named = await startUpstream({ tls: byName })
  const services: Upstream[] = [plain, secure, named]
  // A name that nobody but the proxy behind the proxy knows.
  const inner = await startConnectProxy(new Map([['chat.only-inside.test:80', plain.port]]))
  const proxy = await startTinyproxy({
    ...{ user: USER, password: PASSWORD },
    lines: [`Upstream http 127.0.0.1:${inner.port} "chat.only-inside.test"`],
  })
  const tls = await startTlsBefore(proxy.port, front)
  const auth = { user: USER, password: { env: 'PROXY_PASSWORD' } }
  const through = { url: proxy.url, auth }
  const overTls = { url: `https://localhost:${tls.port}`, auth, ca: proxyCa }
  const url = `https://localhost:${secure.port}`
  const gateway = await startGatewayHere(
    testConfig('', {
      services: {
        plain: { endpoints: [plain.url], proxy: through },
        secure: { endpoints: [url], tls: { ca }, proxy: through },
        address: { endpoints: [secure.url], tls: { ca }, proxy: through },
        h2: { endpoints: [url], tls: { ca }, protocol: 'h2', proxy: through },
        'tls-plain': { endpoints: [plain.url], proxy: overTls },
        'tls-secure': { endpoints: [url], tls: { ca }, proxy: overTls },
        'tls-h2': { endpoints: [url], tls: { ca }, protocol: 'h2', proxy: overTls },
        inside: { endpoints: ['http://chat.only-inside.test'], proxy: through },
        misnamed: { endpoints: [named.url], tls: { ca }, proxy: through },
        stranger: { endpoints: [url], proxy: through },
        'misnamed-h2': { endpoints: [named.url], tls: { ca }, protocol: 'h2', proxy: through },
      },
      routes: [
        ...['plain', 'secure', 'address', 'h2', 'tls-plain', 'tls-secure', 'tls-h2', 'inside'],
        ...['misnamed', 'stranger', 'misnamed-h2'],
      ].map(route),
    }),
    { PROXY_PASSWORD: PASSWORD },
  )
  const place = { port: gateway.publicPort }
  t.teardown(async () => {
    await gateway.close()
    await proxy.close()
    tls.close()
    await inner.close()
    for (const each of services) await each.close()
  })
  attempts.length = 0
  lookups.length = 0
  const good = ['plain', 'secure', 'address', 'h2', 'tls-plain', 'tls-secure', 'tls-h2', 'inside']

  for (const transport of requestTransports) {
    for (const name of good) {
      t.test(`${transport.name} to ${name}`, async (t) => {
        const client = transport.open(place)
        t.teardown(() => client.close())
        const headers = ['proxy-authorization', 'Basic Zm9vOmJhcg==']
        const reply = await client.ask({ path: `/${name}/a?b=c`, method: 'POST', body: 'hello', headers })
        t.equal(reply.status, 200)
        t.match(reply.json(), { url: '/a?b=c', body: 'hello' })
        t.notMatch(reply.text.toLowerCase(), 'proxy-authorization', 'what is for the proxy does not reach the service')
        const several = await Promise.all([1, 2, 3, 4].map((i) => client.ask({ path: `/${name}/${i}` })))
        t.ok(several.every(({ status }) => status === 200))
        const body = 'x'.repeat(1_000_000)
        const upload = await client.ask({ path: `/${name}/up`, method: 'PUT', body: [body, body] })
        t.equal((upload.json() as { body: string }).body.length, 2_000_000, 'a long upload')
        const huge = await client.ask({ path: `/${name}/huge?bytes=3000000` })
        t.equal(huge.body.length, 3_000_000, 'and a long download')
        const events = await client.ask({ path: `/${name}/events` })
        t.match(events.text, 'data: event 2')
        t.match(await client.ask({ path: `/${name}/die/before-head`, method: 'POST', body: 'x' }), { status: 502 })
      })
    }
    t.test(`${transport.name} to services that do not prove who they are`, async (t) => {
      const client = transport.open(place)
      t.teardown(() => client.close())
      for (const name of ['misnamed', 'stranger', 'misnamed-h2']) {
        const reply = await client.ask({ path: `/${name}/a` })
        t.match(reply.json(), { status: 502, code: 'upstream-untrusted' }, name)
      }
      t.same(named.received, [], 'not a byte of a request was sent there')
    })
  }

  for (const transport of socketTransports) {
    for (const name of good) {
      t.test(`${transport.name} to ${name}`, async (t) => {
        const client = await transport.open(place, { path: `/${name}/echo` })
        client.send('through the proxy')
        t.equal((await client.next()).text, 'through the proxy')
        client.send('x'.repeat(60_000))
        t.equal((await client.next()).text.length, 60_000)
        await client.close()
      })
    }
  }

  t.test('a tunnel is used again', async (t) => {
    const client = requestTransports[0]!.open(place)
    t.teardown(() => client.close())
    for (const name of ['plain', 'secure', 'h2', 'tls-secure', 'tls-h2']) {
      await client.ask({ path: `/${name}/warm` })
      const before = proxy.connects().length
      for (let i = 0; i < 10; i++) t.match(await client.ask({ path: `/${name}/${i}` }), { status: 200 })
      t.equal(proxy.connects().length, before, `${name}: ten requests, no further CONNECT`)
    }
  })

  t.test('no connection was tried past the proxy, and each went where it should', (t) => {
    const wanted = new Set([proxy.port, tls.port, place.port].map((port) => `127.0.0.1:${port}`))
    const direct = services.map(({ port }) => `127.0.0.1:${port}`)
    const byGateway = attempts.filter((each) => !inner.ownPorts.has(Number(each.split(':').at(-1))))
    t.ok(byGateway.includes(`127.0.0.1:${proxy.port}`) && byGateway.includes(`127.0.0.1:${tls.port}`))
    // The proxies of the test that run in this process have to reach somebody.
    const helpers = new Set([`127.0.0.1:${proxy.port}`, `127.0.0.1:${plain.port}`])
    const odd = byGateway.filter((each) => !wanted.has(each) && !helpers.has(each))
    t.same([...new Set(odd)], [])
    const late = attempts.filter((each) => direct.includes(each)).length
    t.equal(late, inner.ownPorts.size, 'the only ones to a service are those that the inner proxy made')
    t.same([...new Set(lookups)], ['localhost'], 'and no name was looked up but that of the proxy')
    const targets = new Set(proxy.connects())
    t.ok(targets.has(`127.0.0.1:${plain.port}`))
    t.ok(targets.has(`localhost:${secure.port}`), 'names go to the proxy as they are')
    t.ok(targets.has('chat.only-inside.test:80'))
    const seen = services.map((each) => each.bytes()).join('')
    t.notMatch(seen, PASSWORD)
    t.notMatch(seen, Buffer.from(`${USER}:${PASSWORD}`).toString('base64'), 'no service saw the password')
    t.end()
  })
})

t.test('active checks take the way of the requests', { skip }, async (t) => {
  const certificate = await makeCertificate({ names: ['127.0.0.1'] })
  t.testdir({ 'ca.pem': certificate.cert })
  const ca = join(t.testdirName, 'ca.pem')
  const plain = await startUpstream()
  const secure = await startUpstream({ tls: certificate })
  const proxy = await startTinyproxy({ user: USER, password: PASSWORD })
  const through = { url: proxy.url, auth: { user: USER, password: { env: 'PROXY_PASSWORD' } } }
  const health = { interval: '50 ms', timeout: '2 s', rise: 1, fall: 1 }
  const kinds = {
    http: { path: '/well', ...health },
    tcp: { kind: 'tcp', ...health },
    websocket: { kind: 'websocket', path: '/live', ...health },
  }
  const services = Object.fromEntries(
    Object.entries(kinds).flatMap(([kind, settings]) => [
      [`${kind}-plain`, { endpoints: [plain.url], proxy: through, health: settings }],
      [`${kind}-secure`, { endpoints: [secure.url], tls: { ca }, proxy: through, health: settings }],
    ]),
  )
  attempts.length = 0
  const gateway = await startGatewayHere(testConfig('', { services, routes: Object.keys(services).map(route) }), {
    PROXY_PASSWORD: PASSWORD,
  })
  t.teardown(async () => {
    await gateway.close()
    await proxy.close()
    await plain.close()
    await secure.close()
  })
  for (const each of [plain, secure]) {
    await until(() => each.received.filter(({ url }) => url === '/well').length > 2, 'HTTP checks')
    await until(() => each.received.filter(({ url }) => url === '/live').length > 2, 'WebSocket checks')
  }
  const connects = (port: number) => proxy.connects().filter((each) => each === `127.0.0.1:${port}`).length
  await until(() => connects(plain.port) > 12 && connects(secure.port) > 12, 'checks of all kinds')
  const state = async (): Promise<string[]> => {
    const all = (await (await fetch(`http://127.0.0.1:${gateway.adminPort}/services`)).json()) as {
      services: { name: string; endpoints: { state: string }[] }[]
    }
    return all.services.map(({ name, endpoints }) => `${name} ${endpoints[0]!.state}`)
  }
  t.same(
    (await state()).filter((each) => !/ (?:in|warming)$/.test(each)),
    [],
    'all are well',
  )
  await plain.close()
  await until(async () => (await state()).filter((each) => each.endsWith('plain down')).length === 3, 'them to be down')
  t.equal((await state()).filter((each) => /secure (?:in|warming)$/.test(each)).length, 3, 'the others are not')
  await proxy.kill()
  await until(async () => (await state()).every((each) => each.endsWith('down')), 'all to be down')
  await proxy.restart()
  await until(
    async () => (await state()).filter((each) => /secure (?:in|warming)$/.test(each)).length === 3,
    'a return',
  )
  const direct = [plain.port, secure.port].map((port) => `127.0.0.1:${port}`)
  t.same(
    attempts.filter((each) => direct.includes(each)),
    [],
    'no check ever went past the proxy',
  )
})
