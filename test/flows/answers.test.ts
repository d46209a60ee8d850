/** Answers on routes that inspect them: JSON whole, event streams as they come, and whatever else there is not at all. */
import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { request } from 'node:https'
import type { AddressInfo } from 'node:net'
import { gzipSync } from 'node:zlib'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { until } from '../kit/wait.ts'

const JSON_TYPE = { 'content-type': 'application/json' }
const SECRET = '{"text":"<b>SECRET</b>"}'
let asked: IncomingMessage | null = null
let stream: ServerResponse | null = null

const ANSWERS: Record<string, (response: ServerResponse) => void> = {
  '/json': (r) =>
    r.writeHead(201, { ...JSON_TYPE, etag: '"x"', digest: 'x', 'x-own': 'y' }).end('{"text":"<b>x</b>","other":"<b>"}'),
  '/pieces': (r) => {
    r.writeHead(200, JSON_TYPE)
    for (const each of '{"text":"<b>é</b>"}') r.write(each)
    r.end()
  },
  '/same': (r) => r.writeHead(200, JSON_TYPE).end('{ "text": "a < b" }'),
  '/none': (r) => r.writeHead(204, { etag: '"x"' }).end(),
  '/empty': (r) => r.writeHead(302, { location: '/json', 'content-type': 'text/html' }).end(),
  '/unchanged': (r) => r.writeHead(304).end(),
  '/problem': (r) => r.writeHead(422, { 'content-type': 'application/problem+json' }).end(SECRET),
  '/html': (r) => r.writeHead(200, { 'content-type': 'text/html' }).end(SECRET),
  '/untyped': (r) => r.writeHead(200).end(SECRET),
  '/gzip': (r) => r.writeHead(200, { ...JSON_TYPE, 'content-encoding': 'gzip' }).end(gzipSync(SECRET)),
  '/gzip-events': (r) =>
    r
      .writeHead(200, { 'content-type': 'text/event-stream', 'content-encoding': 'gzip' })
      .end(gzipSync(`data: ${SECRET}\n\n`)),
  '/part': (r) => r.writeHead(206, { ...JSON_TYPE, 'content-range': 'bytes 0-9/20' }).end('"SECRET"'),
  '/broken': (r) => r.writeHead(200, JSON_TYPE).end(SECRET.slice(0, -1)),
  '/twice': (r) => r.writeHead(200, JSON_TYPE).end('{"text":"a","text":"<b>SECRET</b>"}'),
  '/latin': (r) => r.writeHead(200, JSON_TYPE).end(Buffer.from('{"text":"SECRET \xff"}', 'latin1')),
  '/large': (r) => r.writeHead(200, JSON_TYPE).end(JSON.stringify({ text: 'SECRET'.repeat(1000) })),
  '/trailers': (r) => {
    r.writeHead(200, { ...JSON_TYPE, trailer: 'digest' })
    r.addTrailers({ digest: 'SECRET' })
    r.end('{"text":"<b>x</b>"}')
  },
  '/events': (r) => {
    r.writeHead(200, { 'content-type': 'text/event-stream;charset=utf-8' }).flushHeaders()
    stream = r
  },
}
const service = createServer((req, res) => {
  asked = req
  ANSWERS[req.url!]!(res)
})
await new Promise<void>((resolve) => service.listen(0, '127.0.0.1', resolve))

const gateway = await startGatewayHere(
  testConfig(`http://127.0.0.1:${(service.address() as AddressInfo).port}`, {
    routes: [
      { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', answers: 'agent', maxAnswer: '4 KB' },
    ],
    messages: { agent: { fields: ['$.text'] } },
  }),
)
t.teardown(async () => {
  await gateway.close()
  service.closeAllConnections()
  service.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())
    const get = (path: string, headers: string[] = [], method = 'GET') => client.ask({ method, path, headers })

    t.test('JSON is cleaned, and nothing vouches for what the service wrote', async (t) => {
      const reply = await get('/json', ['accept-encoding', 'gzip', 'range', 'bytes=0-5', 'if-range', '"x"'])
      t.equal(reply.status, 201)
      t.equal(reply.text, '{"text":"x","other":"<b>"}')
      t.equal(reply.header('content-length'), String(reply.text.length))
      t.equal(reply.header('x-own'), 'y')
      for (const name of ['etag', 'digest', 'accept-ranges']) t.equal(reply.header(name), null, name)
      t.equal(asked!.headers['accept-encoding'], 'identity')
      t.equal(asked!.headers.range, undefined)
      t.equal(asked!.headers['if-range'], undefined)
      t.equal((await get('/pieces')).text, '{"text":"é"}')
      t.equal((await get('/same')).text, '{ "text": "a < b" }')
      const problem = await get('/problem')
      t.match(problem, { status: 422, text: '{"text":"SECRET"}' })
      const trailers = await get('/trailers')
      t.equal(trailers.text, '{"text":"x"}')
    })

    t.test('answers without a body', async (t) => {
      const head = await get('/json', [], 'HEAD')
      t.match(head, { status: 201, text: '' })
      t.equal(head.header('etag'), null)
      t.equal((await get('/none')).status, 204)
      t.equal((await get('/unchanged')).status, 304)
      const moved = await get('/empty')
      t.equal(moved.status, 302)
      t.equal(moved.text, '')
    })

    t.test('what cannot be inspected does not pass', async (t) => {
      for (const path of [
        '/html',
        '/untyped',
        '/gzip',
        '/gzip-events',
        '/part',
        '/broken',
        '/twice',
        '/latin',
        '/large',
      ]) {
        const reply = await get(path)
        t.equal(reply.status, 502, path)
        t.notMatch(reply.text, /SECRET/)
      }
      t.equal((await get('/same')).status, 200, 'and the connection lives')
    })
  })
}

t.test('events pass one by one, as they come', async (t) => {
  const asking = request({
    host: '127.0.0.1',
    port: gateway.publicPort,
    path: '/events',
    rejectUnauthorized: false,
    headers: { host: `localhost:${gateway.publicPort}` },
  })
  asking.end()
  const [response] = (await once(asking, 'response')) as [IncomingMessage]
  let heard = ''
  response.setEncoding('utf8').on('data', (text: string) => {
    heard += text
  })
  let isBroken = false
  response.on('error', () => {
    isBroken = true
  })
  t.equal(response.headers['content-type'], 'text/event-stream;charset=utf-8')
  stream!.write('data: {"text":"<b>one</b>"}\n\nda')
  await until(() => heard === 'data: {"text":"one"}\n\n', 'the first')
  stream!.write('ta: two <script>x</script>\n\n')
  await until(() => heard.endsWith('data: two \n\n'), 'the second')
  stream!.write('data: {"text":"a","text":"<b>SECRET</b>"}\n\ndata: three\n\n')
  await until(() => heard.endsWith('data: three\n\n'), 'the one behind a dropped one')
  stream!.write(`data: ${'SECRET'.repeat(1000)}`)
  await until(() => isBroken, 'the end')
  t.notMatch(heard, /SECRET/)
  await until(() => stream!.destroyed, 'the service hears of it')
})
