/** Many uploads at once on one HTTP/2 connection: whatever the gateway does with their bytes, they are no flood. */
import { once } from 'node:events'
import t from 'tap'
import { authorityOf, openSession } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until, within } from '../kit/wait.ts'

const BYTES = 60_000
const upstream = await startUpstream()
let release = (): void => {}
const released = new Promise<void>((resolve) => {
  release = resolve
})
upstream.on('/upload/first', async (request, response) => {
  await released
  request.resume().once('end', () => response.end('ok'))
})
const gateway = await startGatewayHere(
  testConfig('', {
    services: { chat: { endpoints: [upstream.url], maxConnections: 1, maxWaiting: 100, maxWait: '1 minute' } },
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

async function upload(session: ReturnType<typeof openSession>, path: string): Promise<number> {
  const fields = { 'content-length': String(BYTES), ':authority': authorityOf(place) }
  const stream = session.request({ ':method': 'POST', ':path': path, ...fields }, { endStream: false })
  stream.end(Buffer.alloc(BYTES, 'u'))
  const [headers] = (await within(once(stream, 'response'), 'an answer', 60_000)) as [{ ':status': number }]
  stream.resume()
  return headers[':status']
}

t.test('uploads that wait for a connection to the service', async (t) => {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  const first = upload(session, '/upload/first')
  await until(() => upstream.received.length === 1, 'the first one')
  const others = Array.from({ length: 40 }, (_, i) => upload(session, `/upload/${i}`))
  // Long enough for all that has come to be counted.
  await new Promise((resolve) => setTimeout(resolve, 1500))
  t.equal(session.destroyed, false)
  release()
  t.same(await Promise.all([first, ...others]), Array(41).fill(200))
})

t.test('uploads that are over before anybody counts', async (t) => {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  for (let round = 0; round < 20; round++) {
    const statuses = await Promise.all(Array.from({ length: 10 }, (_, i) => upload(session, `/upload/${round}-${i}`)))
    t.same(statuses, Array(10).fill(200))
  }
})

t.test('uploads that are refused while they come', async (t) => {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  for (let i = 0; i < 60; i++) t.equal(await upload(session, '/upload/a/../..%2f'), 400)
  t.equal(await upload(session, '/upload/good'), 200)
})
