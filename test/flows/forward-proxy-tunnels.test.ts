/**
 * No tunnel through a forward proxy outlives its use: after checks, idle times, refusals, failures, clients that leave, WebSockets
 * that end, over TCP and over TLS in the tunnel, and with HTTP/2. What a client does not read stays with the service.
 */
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { openHttp1, openHttp2, openRaw } from '../kit/clients.ts'
import { startConnectProxy } from '../kit/connect-proxy.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startTlsBefore } from '../kit/tinyproxy.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const certificate = await makeCertificate({ names: ['127.0.0.1', 'localhost'] })
const stranger = await makeCertificate({ names: ['127.0.0.1'] })
/** More than what the buffers of the system on the way can hold: 33 MB for each reader of a hop. */
const HUGE = 400_000_000
const folder = t.testdir()
const ca = join(folder, 'ca.pem')
writeFileSync(ca, certificate.cert)

async function open(t: Test, service: (plain: string, secure: string, odd: string) => Json) {
  const plain = await startUpstream()
  const secure = await startUpstream({ tls: certificate })
  const odd = await startUpstream({ tls: stranger })
  const proxy = await startConnectProxy()
  const front = await startTlsBefore(proxy.port, certificate)
  const timeouts = { keepAlive: '200 ms', connect: '2 s' }
  const ways = { tcp: { url: proxy.url }, tls: { url: `https://localhost:${front.port}`, ca } }
  const settings = service(plain.url, secure.url, odd.url)
  const names = Object.keys(ways)
  const services = Object.fromEntries(
    Object.entries(ways).map(([way, proxy]) => [way, { timeouts, proxy, ...settings }]),
  )
  const gateway = await startGatewayHere(
    testConfig('', {
      services,
      routes: names.map((name) => ({
        ...{
          path: `/${name}/*`,
          rewrite: '/*',
          service: name,
          profiles: ['internet'],
          purpose: 'test',
          webSocket: true,
        },
        ...{ methods: ['GET', 'POST'], timeout: '1 minute' },
      })),
    }),
  )
  t.teardown(async () => {
    await gateway.close()
    front.close()
    await proxy.close()
    for (const each of [plain, secure, odd]) await each.close()
  })
  const upstreams = [plain, secure, odd]
  const left = (): number => proxy.open() + upstreams.reduce((sum, each) => sum + each.openConnections(), 0)
  return { gateway, proxy, upstreams, names, place: { port: gateway.publicPort }, left }
}

const KINDS: Readonly<Record<string, (plain: string, secure: string) => Json>> = {
  plain: (plain) => ({ endpoints: [plain] }),
  secure: (_plain, secure) => ({ endpoints: [secure], tls: { ca } }),
  h2: (_plain, secure) => ({ endpoints: [secure], tls: { ca }, protocol: 'h2' }),
}

for (const [kind, service] of Object.entries(KINDS)) {
  t.test(`requests and WebSockets: ${kind}`, async (t) => {
    const { place, proxy, names, left } = await open(t, service)
    const clients = [openHttp1(place), openHttp2(place)]
    t.teardown(() => Promise.all(clients.map((each) => each.close())))
    for (const name of names) {
      for (const client of clients) {
        await Promise.all([1, 2, 3].map((i) => client.ask({ path: `/${name}/${i}` })))
        await client.ask({ path: `/${name}/die/in-body` })
        await client.ask({ path: `/${name}/die/before-head`, method: 'POST', body: 'x' })
        const leaving = new AbortController()
        const left = client.ask({ path: `/${name}/never`, signal: leaving.signal })
        setTimeout(() => leaving.abort(), 50)
        await left.catch(() => {})
      }
      for (const transport of socketTransports) {
        const socket = await transport.open(place, { path: `/${name}/live` })
        socket.send('x')
        await socket.next()
        await socket.close()
        const cut = await transport.open(place, { path: `/${name}/live` })
        cut.terminate()
        await transport.open(place, { path: `/${name}/ws/refuse` }).catch(() => {})
      }
    }
    t.ok(proxy.heads.length > 4)
    await until(() => left() === 0, `the end of ${proxy.heads.length} tunnels`)
  })
}

for (const [kind, service] of Object.entries(KINDS)) {
  t.test(`a client that stops reading stops the service: ${kind}`, async (t) => {
    const { place, names, upstreams } = await open(t, service)
    for (const name of names) {
      const client = openRaw(place)
      client.on('error', () => {})
      t.teardown(() => client.destroy())
      await once(client, 'secureConnect')
      client.pause()
      client.write(
        `GET /${name}/huge?bytes=${HUGE} HTTP/1.1\r\nhost: localhost:${place.port}\r\nconnection: close\r\n\r\n`,
      )
      const sent = (): number =>
        upstreams.flatMap(({ connections }) => connections).reduce((sum, { socket }) => sum + socket.bytesWritten, 0)
      const before = sent()
      let last = -1
      await until(async () => {
        const now = sent()
        const stands = now === last && now > before + 100_000
        last = now
        if (!stands) await sleep(300)
        return stands
      }, 'the service to wait')
      const waiting = last - before
      t.ok(waiting < HUGE / 2, `${name}: ${waiting} of ${HUGE} bytes are under way`)
      let read = 0
      client.on('data', (chunk: Buffer) => {
        read += chunk.length
      })
      client.resume()
      await until(() => read > 2 * waiting, 'more than what was under way')
      client.destroy()
    }
  })
}

t.test('active checks', async (t) => {
  for (const kind of ['http', 'tcp', 'websocket']) {
    for (const service of [KINDS.plain!, KINDS.secure!]) {
      const health = { kind, ...(kind === 'tcp' ? {} : { path: '/live' }), interval: '50 ms', timeout: '2 s' }
      const { proxy, left, gateway } = await open(t, (plain, secure) => ({ ...service(plain, secure), health }))
      await until(() => proxy.heads.length > 20, 'checks')
      await until(() => left() <= 1, 'a moment between two checks')
      await gateway.close()
      await until(() => left() === 0, 'their end')
    }
  }
})

t.test('services that are not who they should be, and proxies that refuse', async (t) => {
  for (const protocol of ['http/1.1', 'h2']) {
    const { place, proxy, names, left, upstreams } = await open(t, (_plain, _secure, odd) => ({
      ...{ endpoints: [odd], tls: { ca }, protocol },
    }))
    const client = openHttp1(place)
    t.teardown(() => client.close())
    for (const name of names) t.match(await client.ask({ path: `/${name}/x` }), { status: 502 })
    proxy.answer = (socket) => socket.write('HTTP/1.1 403 No\r\ncontent-length: 1000\r\n\r\n')
    for (const name of names) t.match(await client.ask({ path: `/${name}/x` }), { status: 502 })
    t.ok(proxy.heads.length >= 4)
    t.same(upstreams[2]!.received, [])
    await until(() => left() === 0, 'their end')
  }
})
