/** A length of 0 over HTTP/2 counts when the stream has ended: until then DATA may contradict it. */
import { once } from 'node:events'
import t from 'tap'
import { openSession } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { within } from '../kit/wait.ts'

const upstream = await startUpstream()
const gateway = await startGatewayHere(testConfig(upstream.url))
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const place = { port: gateway.publicPort }
const FIELDS = { ':authority': `localhost:${place.port}` }

/** Opens a request that says it has no body, and waits until the gateway has answered another one behind it. */
async function begin(t: { teardown(fn: () => unknown): void }, path: string) {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  const stream = session.request(
    { ...FIELDS, ':method': 'POST', ':path': path, 'content-length': '0' },
    { endStream: false },
  )
  let status = 0
  stream.on('response', (headers) => {
    status = headers[':status']!
  })
  stream.on('error', () => {})
  stream.resume()
  const other = session.request({ ...FIELDS, ':path': '/echo' })
  other.resume()
  await within(once(other, 'end'), 'the answer to the other request')
  return {
    stream,
    status: () => status,
    closed: within(
      once(stream, 'close').catch(() => {}),
      'the end of the stream',
    ),
  }
}
const arrived = (path: string): number => upstream.received.filter(({ url }) => url === path).length

t.test('DATA behind a length of 0 never reaches the service, and neither does its head', async (t) => {
  const { stream, status, closed } = await begin(t, '/echo?lies')
  t.equal(arrived('/echo?lies'), 0)
  stream.end('GET /admin HTTP/1.1\r\n\r\n')
  await closed
  t.ok(status() === 0 || status() === 400, `${status()}`)
  t.equal(arrived('/echo?lies'), 0)
})

t.test('a stream that ends without DATA, or with an empty one, is a request without a body', async (t) => {
  const { stream, status, closed } = await begin(t, '/echo?true')
  t.equal(arrived('/echo?true'), 0)
  stream.end()
  await closed
  t.equal(status(), 200)
  t.equal(arrived('/echo?true'), 1)
  t.same(upstream.received.find(({ url }) => url === '/echo?true')!.body.length, 0)
})

t.test('a client that leaves before it ends the stream was never there', async (t) => {
  const { stream, closed } = await begin(t, '/echo?gone')
  stream.destroy()
  await closed
  t.equal(arrived('/echo?gone'), 0)
})
