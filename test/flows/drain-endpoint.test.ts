/** One endpoint is drained and comes back, by the command line: its sockets and sessions stay, new clients go elsewhere. */
import { spawn } from 'node:child_process'
import { resolve } from 'node:path'
import t from 'tap'
import { openHttp1 } from '../kit/clients.ts'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const BIN = resolve(import.meta.dirname, '../../bin/portcullis.js')
const [one, two] = [await startUpstream(), await startUpstream()]
const config = testConfig('', {
  services: { chat: { endpoints: [one.url, two.url], sticky: { by: 'cookie' } } },
})
const gateway = await startGateway(config)
t.teardown(async () => {
  await gateway.close()
  await one.close()
  await two.close()
})
const admin = `http://127.0.0.1:${gateway.adminPort}`
const client = openHttp1({ port: gateway.publicPort })
t.teardown(() => client.close())
const nameOf = ({ port }: { port: number }): string => `127.0.0.1:${port}`

async function run(...words: string[]): Promise<{ code: number; text: string }> {
  const child = spawn(process.execPath, [BIN, ...words, '--admin', admin])
  let text = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (piece) => {
      text += piece
    })
  }
  const code = await new Promise<number>((done) => child.on('close', done))
  return { code, text }
}

const asked = (upstream: typeof one): number => upstream.received.length
const ask = async (times: number, headers: string[] = []): Promise<void> => {
  for (let i = 0; i < times; i++) t.equal((await client.ask({ path: '/x', headers })).status, 200)
}

t.test('drain, with an open WebSocket and a client that belongs there; then undrain', async (t) => {
  const socket = await socketTransports[0]!.open({ port: gateway.publicPort }, { path: '/echo' })
  await until(() => one.sockets.length + two.sockets.length === 1, 'the socket')
  const [drained, other] = one.sockets.length === 1 ? [one, two] : [two, one]
  let cookie = ''
  await until(async () => {
    const before = asked(drained)
    cookie = (await client.ask({ path: '/x' })).header('set-cookie')!.split(';')[0]!
    return asked(drained) > before
  }, 'a cookie of the one')
  t.match(await run('services'), {
    code: 0,
    text: new RegExp(`${nameOf(drained)} +in +0 requests +1 sockets, weight 1`),
  })
  t.match(await run('drain', 'chat', nameOf(drained)), { code: 0, text: 'drained' })
  const [before, otherBefore] = [asked(drained), asked(other)]
  await ask(10)
  t.same([asked(drained) - before, asked(other) - otherBefore], [0, 10], 'new clients go elsewhere')
  await ask(5, ['cookie', cookie])
  t.equal(asked(drained) - before, 5, 'who belongs there stays')
  socket.send('still here')
  t.equal((await socket.next()).data.toString(), 'still here')
  t.match((await run('services', '--json')).text, new RegExp(`"name": "${nameOf(drained)}",\\s+"state": "drained"`))
  const page = await (await fetch(`${admin}/metrics`)).text()
  t.ok(page.includes(`portcullis_endpoint_in{service="chat",endpoint="${nameOf(drained)}"} 0`))
  t.ok(page.includes(`portcullis_endpoint_sockets{service="chat",endpoint="${nameOf(drained)}"} 1`))

  const services = { chat: { ...(config.services as { chat: object }).chat, maxConnections: 99 } }
  gateway.writeConfig({ ...config, services, log: { access: 'off', audit: `${gateway.folder}/audit.log` } })
  gateway.child.kill('SIGHUP')
  await until(() => gateway.log().includes('"Reloaded"'), 'the reload')
  const afterReload = asked(drained)
  await ask(6)
  t.equal(asked(drained), afterReload, 'it stays drained over a reload')

  t.match(await run('undrain', 'chat', nameOf(drained)), { code: 0, text: 'undrained' })
  await until(async () => {
    await ask(1)
    return asked(drained) > afterReload
  }, 'its return')
  const wanted = [`drain chat ${nameOf(drained)}`, `undrain chat ${nameOf(drained)}`]
  const changes = await until(() => {
    const lines = gateway.auditLines().filter(({ event }) => event === 'sys_change')
    return lines.length >= 2 && lines
  }, 'the audit lines')
  t.same(
    changes.map(({ object, outcome, user }) => ({ object, outcome, user })),
    wanted.map((object) => ({ object, outcome: 'success', user: 'operator' })),
  )
  socket.close(1000)
})

t.test('what does not exist is said, and no page of another origin may drain', async (t) => {
  t.match(await run('drain', 'chat', '127.0.0.1:1'), { code: 1, text: 'no such endpoint' })
  t.match(await run('drain', 'chatt', nameOf(one)), { code: 1, text: 'no such endpoint' })
  t.match(await run('drain', 'chat'), { code: 2, text: 'usage: portcullis drain SERVICE ENDPOINT' })
  const wish = JSON.stringify({ service: 'chat', endpoint: nameOf(one) })
  const post = (headers: Record<string, string>, body = wish) =>
    fetch(`${admin}/services/drain`, { method: 'POST', headers, body }).then(({ status }) => status)
  t.equal(await post({ 'content-type': 'text/plain' }), 415)
  t.equal(await post({ 'content-type': 'application/json', origin: 'https://evil.example' }), 403)
  for (const body of ['', '[]', '{}', '{"service":1,"endpoint":2}', `${wish.slice(0, -1)},"more":1}`]) {
    t.equal(await post({ 'content-type': 'application/json' }, body), 400, body)
  }
  t.equal((await fetch(`${admin}/services/drain`)).status, 405)
  t.equal((await fetch(`${admin}/services`, { method: 'DELETE' })).status, 405)
})

t.test('where every endpoint is drained, the service is not available', async (t) => {
  for (const each of [one, two]) await run('drain', 'chat', nameOf(each))
  const reply = await client.ask({ path: '/x' })
  t.match(reply, { status: 503 })
  t.match(reply.json(), { code: 'upstream-down' })
  t.equal(reply.header('retry-after'), '1')
})
