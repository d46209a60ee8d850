/** The gateway connects to configured places only, whatever requests name: every attempt of the process is recorded. */
import t from 'tap'
import { attempts } from '../kit/attempts.ts'
import { rawExchange } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const [service, other] = [await startUpstream(), await startUpstream()]
const gateway = await startGatewayHere(
  testConfig(service.url, {
    services: {
      chat: {
        endpoints: [service.url],
        health: { path: '/health', interval: '100 ms', timeout: '1 s' },
        sticky: { by: 'socket.io' },
      },
    },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await service.close()
  await other.close()
})

t.test('no request, answer, redirect or mark leads anywhere else', async (t) => {
  service.on('/away', (_request, response) => {
    response.writeHead(302, { location: `${other.url}/secret`, 'alt-svc': `h2="127.0.0.1:${other.port}"` }).end()
  })
  service.on('/health', (_request, response) => {
    response.writeHead(302, { location: `${other.url}/secret` }).end()
  })
  const place = `127.0.0.1:${other.port}`
  const own = `localhost:${gateway.publicPort}`
  const heads = [
    `GET http://${place}/x HTTP/1.1\r\nHost: ${place}`,
    `GET http://${place}/x HTTP/1.1\r\nHost: ${own}`,
    `GET //${place}/x HTTP/1.1\r\nHost: ${own}`,
    `GET /away HTTP/1.1\r\nHost: ${own}`,
    `GET /x HTTP/1.1\r\nHost: ${place}`,
    `GET /x HTTP/1.1\r\nHost: ${own}\r\nX-Forwarded-Host: ${place}\r\nForwarded: host=${place}\r\nX-Original-URL: http://${place}/`,
    `CONNECT ${place} HTTP/1.1\r\nHost: ${place}`,
    `GET /socket.io/?EIO=4&transport=polling&sid=${place}.x HTTP/1.1\r\nHost: ${own}`,
    `GET /socket.io/?EIO=4&transport=polling&sid=127-0-0-1.x HTTP/1.1\r\nHost: ${own}`,
    `GET /x?url=http://${place}/ HTTP/1.1\r\nHost: ${own}\r\nCookie: __Host-node=${place}\r\nReferer: http://${place}/`,
  ]
  for (const head of heads) {
    const { text } = await rawExchange({ port: gateway.publicPort }, `${head}\r\nConnection: close\r\n\r\n`)
    t.match(text, /^HTTP\/1\.1 \d{3} /, head.slice(0, 60))
  }
  await until(() => service.received.filter(({ url }) => url === '/health').length > 2, 'some checks')
  const allowed = [`127.0.0.1:${service.port}`, `127.0.0.1:${gateway.publicPort}`]
  t.same(
    [...new Set(attempts)].filter((each) => !allowed.includes(each)),
    [],
  )
  t.ok(attempts.includes(allowed[0]!), 'attempts are seen at all')
  t.same([other.connections.length, other.received.length], [0, 0])
})
