/** A service whose endpoints DNS finds, over the whole gateway: pods come and go, DNS dies and lies, requests do not notice. */
import t from 'tap'
import { openHttp1 } from '../kit/clients.ts'
import { startDnsServer } from '../kit/dns-server.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const dns = await startDnsServer()
const [one, two] = [await startUpstream(), await startUpstream()]
const NAME = '_chat._tcp.pods.test'
const pod = (host: string, { port }: { port: number }) =>
  ({ type: 'SRV', host, port, priority: 0, weight: 1, ttl: 1 }) as const
dns.set('pod.test', [{ type: 'A', address: '127.0.0.1', ttl: 1 }])
dns.set(NAME, [pod('pod.test', one)])
const settings = {
  ...{ records: 'srv', interval: '100 ms', timeout: '300 ms', leave: '1 second' },
  ...{ resolvers: [dns.address], networks: ['127.0.0.0/8'] },
}
const config = testConfig('', { services: { chat: { endpoints: [`http://${NAME}`], dns: settings } } })
const gateway = await startGateway(config)
const client = openHttp1({ port: gateway.publicPort })
t.teardown(async () => {
  await client.close()
  await gateway.close()
  await one.close()
  await two.close()
  await dns.close()
})

async function ask(times: number): Promise<void> {
  for (let i = 0; i < times; i++) t.equal((await client.ask({ path: '/x' })).status, 200)
}

t.test('the first request finds its way: the start waits for the first answer', () => ask(3))

t.test('one that comes is used, one that vanishes gets no new client, and its sockets stay', async (t) => {
  const socket = await socketTransports[0]!.open({ port: gateway.publicPort }, { path: '/echo' })
  dns.set(NAME, [pod('pod.test', one), pod('pod.test', two)])
  await until(async () => {
    await ask(1)
    return two.received.length > 0
  }, 'the new one')
  dns.set(NAME, [pod('pod.test', two)])
  await until(() => gateway.log().includes('An endpoint is gone'), 'that it vanishes')
  const before = one.received.length
  await ask(6)
  t.equal(one.received.length, before)
  const gauges = async (): Promise<string> =>
    await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  await until(async () => !(await gauges()).includes(`127.0.0.1:${one.port}`), 'that it has left')
  socket.send('still here')
  t.equal((await socket.next()).data.toString(), 'still here')
  socket.close(1000)
})

t.test('while DNS is silent, and when it lies, requests go where they went', async (t) => {
  dns.set(NAME, 'silence')
  await until(() => gateway.log().includes('"reason":"no DNS server answers"'), 'that it is said')
  await ask(5)
  dns.set('liar.test', [{ type: 'A', address: '169.254.169.254', ttl: 1 }])
  dns.set(NAME, [pod('liar.test', one)])
  const asked = dns.asked.filter((each) => each === 'A liar.test').length
  await until(() => dns.asked.filter((each) => each === 'A liar.test').length > asked + 2, 'the lies')
  await ask(5)
  t.equal(gateway.log().split('The name of endpoints is unresolved').length, 2, 'trouble is said once')
  dns.set(NAME, [pod('pod.test', one)])
  await until(() => gateway.log().includes('The name of endpoints is resolved'), 'the truth')
  t.match(await (await fetch(`http://127.0.0.1:${gateway.adminPort}/health/ready`)).text(), /ready/)
})

t.test('a reload while DNS is silent keeps the endpoints', async (t) => {
  dns.set(NAME, 'silence')
  const chat = { ...(config.services as { chat: object }).chat, maxConnections: 99 }
  gateway.writeConfig({ ...config, services: { chat }, log: { access: 'off', audit: `${gateway.folder}/audit.log` } })
  gateway.child.kill('SIGHUP')
  await until(() => gateway.log().includes('"Reloaded"'), 'the reload')
  await ask(5)
  t.notOk(gateway.log().includes('"level":"error"'))
})
