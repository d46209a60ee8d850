/** One check against real servers: what counts as well, and what does not. */
import { createServer, type RequestListener } from 'node:http'
import { createServer as createSecure } from 'node:https'
import { type AddressInfo, createServer as createNet, type Server } from 'node:net'
import t, { type Test } from 'tap'
import { WebSocketServer } from 'ws'
import { checkEndpoint } from '../../src/upstream/check.ts'
import { Endpoint, Totals } from '../../src/upstream/endpoint.ts'
import { EndpointState } from '../../src/upstream/endpoint-state.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { placeAt, serviceConfig } from '../kit/service-config.ts'
import { freePort } from '../kit/upstream.ts'
import { within } from '../kit/wait.ts'

async function listen(t: Test, server: Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    server.close()
    if ('closeAllConnections' in server) (server.closeAllConnections as () => void)()
  })
  return (server.address() as AddressInfo).port
}

const serve = (t: Test, listener: RequestListener): Promise<number> => listen(t, createServer(listener))

function check(url: string, health: unknown, tls: object = {}): Promise<string | null> {
  const config = serviceConfig({ endpoints: [url], health })
  const endpoint = new Endpoint(placeAt(url), '1', {
    state: new EndpointState(),
    totals: new Totals(),
    config,
    tls,
    proxy: null,
  })
  const result = new Promise<string | null>((resolve) => checkEndpoint(endpoint.target, config.health!, resolve))
  return within(result, 'the result')
}

t.test('http: status and words', async (t) => {
  const asked: string[] = []
  const port = await serve(t, (request, response) => {
    asked.push(`${request.method} ${request.url} ${request.headers.host}`)
    if (request.url === '/never') return
    response.statusCode = Number(request.url!.slice(1)) || 200
    response.write('all is ')
    setImmediate(() => response.end('well'))
  })
  const url = `http://127.0.0.1:${port}`
  t.equal(await check(url, '/'), null)
  t.equal(await check(url, { path: '/', body: 'is well' }), null)
  t.match(await check(url, { path: '/', body: 'is ill' }), /does not hold/)
  t.equal(await check(url, '/204'), null)
  t.match(await check(url, '/503'), /answered 503/)
  t.match(await check(url, '/302'), /answered 302/, 'a redirect is not followed')
  t.equal(await check(url, { path: '/302', status: [302], host: 'chat.example' }), null)
  t.match(await check(url, { path: '/never', timeout: '100 ms' }), /in time/)
  t.same(asked.slice(0, 1), [`GET / 127.0.0.1:${port}`])
  t.equal(asked.at(-2), 'GET /302 chat.example')
  t.equal(await check(`http://127.0.0.1:${await freePort()}`, '/'), 'ECONNREFUSED')
})

t.test('tcp: who accepts is well; over TLS, whose certificate is right', async (t) => {
  const port = await listen(
    t,
    createNet((socket) => socket.on('error', () => {})),
  )
  t.equal(await check(`http://127.0.0.1:${port}`, { kind: 'tcp' }), null)
  t.match(await check(`https://127.0.0.1:${port}`, { kind: 'tcp', timeout: '200 ms' }), /in time/)
  const certificate = await makeCertificate({ names: ['127.0.0.1'] })
  const secure = await listen(
    t,
    createSecure(certificate, (_request, response) => response.end()),
  )
  t.equal(await check(`https://127.0.0.1:${secure}`, { kind: 'tcp' }, { ca: certificate.cert }), null)
  t.equal(await check(`https://127.0.0.1:${secure}`, '/', { ca: certificate.cert }), null)
  t.match(await check(`https://127.0.0.1:${secure}`, { kind: 'tcp' }), /SELF_SIGNED|UNABLE/)
})

t.test('websocket: a handshake that is granted', async (t) => {
  const server = createServer((_request, response) => response.end())
  const sockets = new WebSocketServer({ server, path: '/ws' })
  t.teardown(() => sockets.close())
  const port = await listen(t, server)
  t.equal(await check(`http://127.0.0.1:${port}`, { kind: 'websocket', path: '/ws' }), null)
  t.match(await check(`http://127.0.0.1:${port}`, { kind: 'websocket', path: '/other' }), /answered 400/)
  const liar = await serve(t, () => {})
  t.match(await check(`http://127.0.0.1:${liar}`, { kind: 'websocket', timeout: '100 ms' }), /in time/)
  const false101 = await listen(
    t,
    createNet((socket) => {
      socket.on('error', () => {})
      socket.once('data', () =>
        socket.write(
          'HTTP/1.1 101 Yes\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: x\r\n\r\n',
        ),
      )
    }),
  )
  t.match(await check(`http://127.0.0.1:${false101}`, { kind: 'websocket' }), /another handshake/)
})
