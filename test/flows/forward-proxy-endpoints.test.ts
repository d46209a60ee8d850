/**
 * Balancing, retries, ejection, the circuit and socket.io behind a real proxy (Tinyproxy), while endpoints are killed and while the
 * proxy itself is killed, hung, and comes back. What the proxy is to blame for takes no endpoint out.
 */
import { io } from 'socket.io-client'
import t from 'tap'
import { attempts } from '../kit/attempts.ts'
import { startChatNode } from '../kit/chat-nodes.ts'
import { openHttp1, openHttp2 } from '../kit/clients.ts'
import { type Json, startGatewayHere, type TestGateway, testConfig } from '../kit/gateway.ts'
import { startTinyproxy, TINYPROXY_MISSING } from '../kit/tinyproxy.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const skip = TINYPROXY_MISSING === '' ? false : TINYPROXY_MISSING

async function states(gateway: TestGateway, service: string): Promise<string[]> {
  const all = (await (await fetch(`http://127.0.0.1:${gateway.adminPort}/services`)).json()) as {
    services: { name: string; circuit: string; endpoints: { state: string }[] }[]
  }
  const found = all.services.find(({ name }) => name === service)!
  return [found.circuit, ...found.endpoints.map(({ state }) => state)]
}

const metrics = async (gateway: TestGateway): Promise<string> =>
  (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()

const route = (name: string, more: Json = {}) => ({
  ...{ path: `/${name}/*`, rewrite: '/*', service: name, profiles: ['internet'], purpose: 'test' },
  ...{ methods: ['GET', 'POST', 'PUT'], ...more },
})

t.test('an endpoint that dies behind the proxy', { skip }, async (t) => {
  const nodes = await Promise.all(['n1', 'n2', 'n3'].map((name) => startChatNode(name)))
  const proxy = await startTinyproxy()
  const through = { url: proxy.url }
  const endpoints = nodes.map(({ url }) => url)
  attempts.length = 0
  const gateway = await startGatewayHere(
    testConfig('', {
      services: {
        ejecting: {
          endpoints,
          proxy: through,
          ejection: { failures: 2, time: '1 s', longest: '1 s' },
          slowStart: '0 s',
        },
        chat: { endpoints, proxy: through, sticky: { by: 'socket.io' } },
      },
      routes: [
        route('ejecting'),
        { ...route('chat', { webSocket: true, socketIo: true }), path: '/socket.io/*', rewrite: '/socket.io/*' },
      ],
    }),
  )
  const clients = [openHttp1({ port: gateway.publicPort }), openHttp2({ port: gateway.publicPort })]
  t.teardown(async () => {
    for (const each of clients) await each.close()
    await gateway.close()
    await proxy.close()
    for (const each of nodes) await each.close()
  })

  await t.test('socket.io: long-polling that becomes a WebSocket', async (t) => {
    const socket = io(`https://127.0.0.1:${gateway.publicPort}`, { forceNew: true, rejectUnauthorized: false })
    t.teardown(() => socket.disconnect())
    await until(() => socket.connected && socket.io.engine.transport.name === 'websocket', 'the WebSocket')
    t.ok(proxy.connects().length > 0)
  })

  await t.test('is asked no more, and nobody notices; it comes back', async (t) => {
    const names = new Set<string>()
    for (let i = 0; i < 30; i++) names.add((await clients[i % 2]!.ask({ path: '/ejecting/get/x' })).text)
    t.same([...names].sort(), ['n1', 'n2', 'n3'])
    await nodes[0]!.kill()
    const bad: string[] = []
    for (let i = 0; i < 60; i++) {
      const method = i % 3 === 0 ? 'PUT' : i % 3 === 1 ? 'GET' : 'POST'
      const reply = await clients[i % 2]!.ask({ method, path: `/ejecting/${method.toLowerCase()}/${i}` })
      if (reply.status !== 200) bad.push(`${method} ${reply.status}`)
    }
    t.same(bad, [], 'of 60 requests none failed, POSTs among them: nothing had been sent')
    await until(async () => (await states(gateway, 'ejecting')).includes('ejected'), 'its ejection')
    const posts = nodes.flatMap((each) => each.posts())
    t.equal(new Set(posts).size, posts.length, 'no POST was acted on twice')
    t.match(
      await metrics(gateway),
      /portcullis_upstream_failures_total\{code="(?:proxy-failed|upstream-closed)"\} [1-9]/,
    )
    await nodes[0]!.restart()
    const back = async () => (await clients[0]!.ask({ path: '/ejecting/get/x' })).text === 'n1'
    await until(back, 'its return')
  })

  const direct = nodes.map(({ port }) => `127.0.0.1:${port}`)
  // The tests's own words to nodes go by another way.
  t.same(
    attempts.filter((each) => direct.includes(each)),
    [],
    'no endpoint was tried past the proxy',
  )
})

t.test('the proxy itself', { skip }, async (t) => {
  const services = [await startUpstream(), await startUpstream()]
  const proxy = await startTinyproxy()
  const endpoints = services.map(({ url }) => url)
  const through = { url: proxy.url }
  const ejection = { failures: 2, time: '1 minute', longest: '1 minute' }
  const retries = { budget: 100, least: 100 }
  attempts.length = 0
  const gateway = await startGatewayHere(
    testConfig('', {
      services: {
        plain: { endpoints, proxy: through, ejection, retries, timeouts: { connect: '1 s', firstByte: '1 s' } },
        resting: { endpoints, proxy: through, breaker: { least: 4, open: '300 ms', probes: 1 } },
      },
      routes: [route('plain'), route('resting')],
    }),
  )
  const client = openHttp1({ port: gateway.publicPort })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
    await proxy.close()
    for (const each of services) await each.close()
  })
  const code = async (path: string, method = 'GET'): Promise<string> => {
    const reply = await client.ask({ path, method, headers: ['accept', 'application/json'] })
    return reply.status === 200 ? '200' : `${reply.status} ${(reply.json() as { code: string }).code}`
  }

  await t.test('killed while a POST is under way: it is told, and not sent again', async (t) => {
    t.equal(await code('/plain/warm'), '200')
    const posted = client.ask({ path: '/plain/never', method: 'POST', body: 'once' })
    const seen = () => services.flatMap(({ received }) => received).filter(({ url }) => url === '/never')
    await until(() => seen().length === 1, 'the POST')
    await proxy.kill()
    t.match(await posted, { status: 502 })
    t.equal(seen().length, 1)
  })

  await t.test('gone: told so, no endpoint is blamed, the circuit opens', async (t) => {
    for (let i = 0; i < 10; i++) t.equal(await code('/plain/x'), '502 proxy-unreachable')
    t.same(await states(gateway, 'plain'), ['closed', 'in', 'in'], 'both endpoints are in')
    await until(async () => (await code('/resting/x')) === '503 upstream-resting', 'the circuit to open')
    t.match(await metrics(gateway), /endpoint_changes_total\{change="blocked",service="plain"\} 1/)
  })

  await t.test('back: at once, and the circuit closes', async (t) => {
    await proxy.restart()
    t.equal(await code('/plain/x'), '200')
    await until(async () => (await code('/resting/x')) === '200', 'the circuit to close')
    t.match(await metrics(gateway), /endpoint_changes_total\{change="cleared",service="plain"\} 1/)
  })

  await t.test('hung: within the time for a connection', async (t) => {
    await proxy.kill()
    await proxy.restart()
    proxy.hang()
    t.equal(await code('/plain/x'), '504 proxy-timeout')
    proxy.goOn()
    await until(async () => (await code('/plain/x')) === '200', 'it to go on')
  })

  const direct = services.map(({ port }) => `127.0.0.1:${port}`)
  t.same(
    attempts.filter((each) => direct.includes(each)),
    [],
    'no endpoint was tried past the proxy',
  )
})
