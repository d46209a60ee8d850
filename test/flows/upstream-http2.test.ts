/** HTTP/2 towards a service: the same answers, the same bounds; WebSockets beside it by HTTP/1.1. */

import { writeFileSync } from 'node:fs'
import { createSecureServer, type Http2SecureServer, type Http2Session } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { TLSSocket } from 'node:tls'
import t from 'tap'
import { makeCertificate } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { until } from '../kit/wait.ts'

const certificate = await makeCertificate({ names: ['127.0.0.1'] })
const ca = join(t.testdir(), 'ca.pem')
writeFileSync(ca, certificate.cert)

const versions: string[] = []
const sessions = new Set<Http2Session>()
const sockets = new Set<TLSSocket>()
let aborted = 0
const server: Http2SecureServer = createSecureServer({ ...certificate, allowHTTP1: true }, (request, response) => {
  versions.push(request.httpVersion)
  request.on('aborted', () => aborted++)
  if (request.url === '/never') return
  if (request.url === '/cut') {
    response.writeHead(200, { 'content-type': 'text/plain' })
    response.write('half')
    // The connection itself: what http2 offers for it would end the stream first.
    setTimeout(() => {
      for (const socket of sockets) socket.destroy()
    }, 50)
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    response.writeHead(200, { 'content-type': 'application/json', 'x-powered-by': 'h2' })
    response.end(JSON.stringify({ url: request.url, method: request.method, body: Buffer.concat(chunks).toString() }))
  })
})
server.on('secureConnection', (socket) => sockets.add(socket))
server.on('session', (session) => sessions.add(session))
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      chat: {
        endpoints: [`https://127.0.0.1:${(server.address() as AddressInfo).port}`],
        protocol: 'h2',
        tls: { ca },
        timeouts: { firstByte: '1 second' },
      },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  for (const session of sessions) session.destroy()
  server.close()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())

    t.test('requests and bodies of every kind travel by HTTP/2', async (t) => {
      versions.length = 0
      const get = await client.ask({ path: '/a?b=c' })
      t.match(get.json(), { method: 'GET', url: '/a?b=c' })
      t.equal(get.header('x-powered-by'), null)
      const whole = await client.ask({ method: 'POST', path: '/a', body: 'hello' })
      t.match(whole.json(), { method: 'POST', body: 'hello' })
      const pieces = await client.ask({ method: 'POST', path: '/a', body: ['one ', 'two'] })
      t.match(pieces.json(), { method: 'POST', body: 'one two' })
      const large = await client.ask({ method: 'PUT', path: '/a', body: Buffer.alloc(60_000, 'x') })
      t.equal((large.json() as { body: string }).body.length, 60_000)
      t.same(new Set(versions), new Set(['2.0']))
    })

    t.test('a service that does not answer is 504, one that cuts its answer gives a cut answer', async (t) => {
      t.equal((await client.ask({ path: '/never' })).status, 504)
      t.equal((await client.ask({ path: '/cut' })).isComplete, false)
      t.equal((await client.ask({ path: '/a' })).status, 200, 'and the next request is served')
    })

    t.test('a client that leaves is seen by the service', async (t) => {
      const before = aborted
      const stop = new AbortController()
      const asked = client.ask({ path: '/never', signal: stop.signal })
      await until(() => versions.length > 0)
      setTimeout(() => stop.abort(), 100)
      t.equal((await asked).isComplete, false)
      await until(() => aborted > before, 'the service to see it')
    })
  })
}
