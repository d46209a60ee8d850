/** A crowd that asks for large answers and reads nothing: what waits for all of them together is bounded. */
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { block, END_HEADERS, END_STREAM, FRAME, frame, openFrames, setting } from '../kit/http2-frames.ts'
import { openSlowReader } from '../kit/slow-reader.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const BYTES = 32 * 2 ** 20
const CROWD = 30

const upstream = await startUpstream()
upstream.on('/large', (_request, response) => {
  response.writeHead(200, { 'content-length': String(BYTES) })
  response.end(Buffer.alloc(BYTES, 'x'))
})
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      // Long enough that no deadline does it.
      public: publicListener({ connections: { maxUnsent: '1 MB' }, timeouts: { send: '10 minutes' } }),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const place = { port: gateway.publicPort }

t.test('answers that are whole, and wait for a window that never opens, count too', async (t) => {
  const client = await openFrames(place)
  t.teardown(() => client.close())
  const head = block([
    [':method', 'GET'],
    [':scheme', 'https'],
    [':path', '/huge?bytes=12000'],
    [':authority', `localhost:${place.port}`],
  ])
  await client.send(frame(FRAME.settings, 0, 0, setting(4, 0)))
  for (let i = 0; i < 99; i++) await client.send(frame(FRAME.headers, END_HEADERS | END_STREAM, 2 * i + 1, head))
  await client.until(({ received }) => received.some(({ type }) => type === FRAME.reset))
  t.ok(client.received.some(({ type }) => type === FRAME.reset))
  t.ok(client.received.filter(({ type }) => type === FRAME.reset).length < 99, 'and no more than have to be')
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const path = `/large/${transport.name}`
    const crowd = await Promise.all(Array.from({ length: CROWD }, () => openSlowReader(transport.name, place, path)))
    t.teardown(() => {
      for (const reader of crowd) reader.destroy()
    })
    const cut = () => gateway.accessLines().filter((line) => line.failure === 'unread-answer' && line.path === path)
    await until(() => cut().length > 0, 'some are cut')
    const client = transport.open(place)
    const reply = await client.ask({ path: '/small' })
    t.equal(reply.status, 200, 'others are served')
    await client.close()
    t.ok(cut().length < CROWD, 'and no more than have to be')
    for (const reader of crowd) reader.destroy()
  })
}
