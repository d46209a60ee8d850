/** Which header fields pass, over HTTP/1.1 and HTTP/2: hop-by-hop, nominated, ambiguous and forged ones do not. */
import t from 'tap'
import { openSession, rawExchange, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      behind: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
      admin: { address: '127.0.0.1:0' },
    },
  }),
)
const place = { port: gateway.publicPort }
const host = `localhost:${place.port}`

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

const namesOf = (headers: readonly string[]): string[] =>
  headers.filter((_, i) => i % 2 === 0).map((each) => each.toLowerCase())
const valuesOf = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name)
const lastSeen = (): readonly string[] => upstream.received.at(-1)!.rawHeaders

/** Asks over HTTP/1.1 with exactly these lines. */
async function askRaw(...lines: string[]): Promise<number[]> {
  const text = [`GET /raw HTTP/1.1`, `Host: ${host}`, ...lines, 'Connection: close', '', ''].join('\r\n')
  return (await rawExchange(place, text)).statuses
}

const FORGED = [
  ...[
    'x-forwarded-for',
    'x-forwarded-host',
    'x-forwarded-proto',
    'x-forwarded-port',
    'x-forwarded-prefix',
    'x-forwarded-user',
    'x-forwarded-anything',
  ],
  ...[
    'forwarded',
    'x-real-ip',
    'x-client-ip',
    'client-ip',
    'true-client-ip',
    'cf-connecting-ip',
    'fastly-client-ip',
    'x-cluster-client-ip',
  ],
  ...[
    'x-original-url',
    'x-original-host',
    'x-rewrite-url',
    'x-http-method-override',
    'x-http-method',
    'x-method-override',
    'x-host',
  ],
  ...[
    'x-remote-user',
    'remote-user',
    'x-user',
    'x-auth-request-user',
    'x-webauth-user',
    'x-ssl-client-cert',
    'ssl-client-verify',
    'x-client-cert',
    'client-cert',
    'x-portcullis-user',
  ],
  ...['x-middleware-subrequest', 'proxy', 'x-envoy-internal', 'x-arr-ssl', 'x-request-id', 'traceparent'],
]

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())

    t.test('forged fields are removed, in any case and any number', async (t) => {
      const headers = FORGED.flatMap((name) => [name, 'FORGED-1', name.toUpperCase(), 'FORGED-2'])
      const reply = await client.ask({ path: '/x', headers: [...headers, 'x-own', 'kept'] })
      t.equal(reply.status, 200)
      t.notMatch(lastSeen().join('|'), /FORGED/)
      t.same(valuesOf(lastSeen(), 'x-own'), ['kept'])
      for (const name of ['x-forwarded-for', 'x-real-ip', 'forwarded', 'x-request-id', 'traceparent', 'host']) {
        t.equal(valuesOf(lastSeen(), name).length, 1, `${name} once`)
      }
    })

    t.test('names with underscores and dots are removed', async (t) => {
      for (const name of [
        'x_own',
        'x.own',
        'content_length',
        'transfer_encoding',
        'host_',
        'x-forwarded_for',
        '_',
        '.',
        'x-a.b_c',
      ]) {
        const reply = await client.ask({ path: '/x', headers: [name, 'FORGED'] })
        t.equal(reply.status, 200, name)
        t.notMatch(lastSeen().join('|'), /FORGED/, name)
      }
    })

    t.test('what belongs to one hop is not passed on', async (t) => {
      const headers = ['proxy-authorization', 'Basic SECRET', 'proxy-authenticate', 'SECRET']
      const reply = await client.ask({ path: '/x', headers })
      t.equal(reply.status, 200)
      t.notMatch(lastSeen().join('|'), /SECRET/)
    })

    t.test('a trusted proxy may name the client; forged identities stay out all the same', async (t) => {
      const other = transport.open({ port: gateway.port('listeners.behind.address') })
      t.teardown(() => other.close())
      await other.ask({
        path: '/x',
        headers: ['x-forwarded-for', '192.0.2.9', 'x-remote-user', 'FORGED', 'x_forwarded_for', 'FORGED'],
      })
      t.same(valuesOf(lastSeen(), 'x-real-ip'), ['192.0.2.9'])
      t.notMatch(lastSeen().join('|'), /FORGED/)
    })
  })
}

t.test('fields that Connection nominates are removed, however it is written', async (t) => {
  for (const lines of [
    ['Connection: x-hop', 'X-Hop: SECRET'],
    ['Connection: keep-alive, X-HOP', 'x-hop: SECRET'],
    ['Connection: ,x-hop,', 'X-Hop: SECRET', 'X-Hop: SECRET'],
    ['X-Hop: SECRET', 'Connection: a', 'Connection: x-hop ,b'],
    ['Connection: x-hop\t', 'X-Hop: SECRET'],
    ['Connection: cookie', 'Cookie: SECRET'],
    ['Connection: authorization', 'Authorization: SECRET'],
  ]) {
    t.same(await askRaw(...lines), [200], lines.join(' | '))
    t.notMatch(lastSeen().join('|'), /SECRET/, lines.join(' | '))
  }
})

t.test('Connection cannot nominate away what the gateway itself says', async (t) => {
  t.same(
    await askRaw(
      'Connection: host, x-forwarded-for, x-real-ip, forwarded, x-request-id, x-forwarded-proto, content-length',
    ),
    [200],
  )
  for (const name of ['host', 'x-forwarded-for', 'x-real-ip', 'forwarded', 'x-request-id', 'x-forwarded-proto']) {
    t.equal(valuesOf(lastSeen(), name).length, 1, name)
  }
})

t.test('TE and Trailer are for one hop', async (t) => {
  t.same(await askRaw('TE: trailers', 'Trailer: x-sum'), [200])
  t.notOk(namesOf(lastSeen()).some((name) => name === 'te' || name === 'trailer'))
})

t.test('an upgrade that is no WebSocket does not reach the upstream', async (t) => {
  for (const value of ['h2c', 'foo', 'TLS/1.0', 'HTTP/2.0', 'web socket', 'xwebsocket', '']) {
    t.same(
      await askRaw('Connection: Upgrade, HTTP2-Settings', `Upgrade: ${value}`, 'HTTP2-Settings: AAMAAABkAAQAAP__'),
      [200],
      value,
    )
    t.notOk(
      namesOf(lastSeen()).some((name) => name === 'upgrade' || name === 'http2-settings'),
      value,
    )
  }
})

t.test('cookie crumbs of HTTP/2 are one field for the upstream', async (t) => {
  const session = openSession(place)
  t.teardown(() => session.destroy())
  const stream = session.request({ ':path': '/crumbs', ':authority': host, cookie: ['a=1', 'b=2', 'c=3'] })
  stream.resume()
  await new Promise((resolve) => stream.on('close', resolve))
  t.same(valuesOf(lastSeen(), 'cookie'), ['a=1; b=2; c=3'])
})

t.test(
  'fields that HTTP/2 cannot carry, in hints and trailers of the upstream, cost at most their own answer',
  async (t) => {
    const twice = 'etag: "a"\r\netag: "b"\r\ncontent-type: a/b\r\ncontent-type: c/d\r\n'
    const forbidden = 'http2-settings: x\r\nte: gzip\r\nhost: x\r\n'
    upstream.on('/odd-hints', (_request, response) => {
      response.socket!.end(
        `HTTP/1.1 103 Early Hints\r\n${twice}${forbidden}\r\nHTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok`,
      )
    })
    upstream.on('/odd-trailers', (_request, response) => {
      response.socket!.end(
        `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n2\r\nok\r\n0\r\n${twice}${forbidden}\r\n`,
      )
    })
    for (const transport of requestTransports) {
      const client = transport.open(place)
      t.teardown(() => client.close())
      for (const path of ['/odd-hints', '/odd-trailers']) {
        const reply = await client.ask({ path, headers: ['te', 'trailers'] })
        t.match(reply, { status: 200, text: 'ok' }, `${transport.name} ${path}`)
        t.equal((await client.ask({ path: '/good' })).status, 200, 'the gateway is still there')
      }
    }
  },
)
