/** Where a request came from and how far it goes: what trusted proxies tell, Via, Max-Forwards, and who may ask the admin listener. */
import { request } from 'node:http'
import t from 'tap'
import { rawExchange, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

interface Echo {
  method: string
  headers: string[]
}

const upstream = await startUpstream()
const trustedProxies = ['127.0.0.1', '10.0.0.0/8']
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      behind: publicListener({ trustedProxies }),
      standard: publicListener({ trustedProxies, forwardedBy: 'forwarded' }),
      named: publicListener({ via: 'Gate-1' }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'OPTIONS', 'POST'] },
      { path: '/get/*', service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET'] },
    ],
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const placeOf = (name: string) => ({ port: gateway.port(`listeners.${name}.address`) })
const valuesOf = (headers: string[], name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1]!.toLowerCase() === name)

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const ask = async (listener: string, headers: string[], method = 'GET', path = '/echo') => {
      const client = transport.open(placeOf(listener))
      try {
        return await client.ask({ method, path, headers })
      } finally {
        await client.close()
      }
    }
    const seen = async (listener: string, headers: string[], method = 'GET'): Promise<string[]> =>
      ((await ask(listener, headers, method)).json() as Echo).headers

    t.test('a listener reads the one field that it was told to read', async (t) => {
      const both = ['x-forwarded-for', '192.0.2.1', 'forwarded', 'for=192.0.2.2;proto=http']
      for (const [listener, client, scheme] of [
        ['public', '127.0.0.1', 'https'],
        ['behind', '192.0.2.1', 'https'],
        ['standard', '192.0.2.2', 'http'],
      ] as const) {
        const headers = await seen(listener, both)
        t.same(valuesOf(headers, 'x-real-ip'), [client], listener)
        t.same(valuesOf(headers, 'x-forwarded-proto'), [scheme], listener)
        t.match(valuesOf(headers, 'forwarded'), [new RegExp(`^for=${client};host=.*;proto=${scheme}$`)], listener)
      }
      t.same(valuesOf(await seen('standard', both), 'x-forwarded-for'), ['192.0.2.2, 127.0.0.1'])
      t.same(valuesOf(await seen('standard', ['x-forwarded-for', '192.0.2.1']), 'x-forwarded-for'), ['127.0.0.1'])
      t.same(valuesOf(await seen('behind', ['forwarded', 'for=192.0.2.1']), 'x-real-ip'), ['127.0.0.1'])
    })

    t.test('Forwarded is read from the right, over proxies that are trusted', async (t) => {
      const list = 'for=6.6.6.6, for="[2001:db8::7]:99";proto=http, for=10.1.1.1;proto=https'
      t.same(valuesOf(await seen('standard', ['forwarded', list]), 'x-real-ip'), ['2001:db8::7'])
      t.same(valuesOf(await seen('standard', ['forwarded', 'for=6.6.6.6, for=unknown, for=10.1.1.1']), 'x-real-ip'), [
        '10.1.1.1',
      ])
      t.same(valuesOf(await seen('standard', ['forwarded', 'for="6.6.6.6, for=192.0.2.3']), 'x-real-ip'), ['192.0.2.3'])
    })

    t.test('the scheme is told by trusted proxies only, and never two of them at once', async (t) => {
      for (const [listener, value, scheme] of [
        ['public', 'http', 'https'],
        ['behind', 'http', 'http'],
        ['behind', 'HTTPS', 'https'],
        ['behind', 'https, http', 'https'],
        ['behind', 'ftp', 'https'],
      ] as const) {
        const headers = await seen(listener, ['x-forwarded-proto', value, 'x-forwarded-for', '192.0.2.1'])
        t.same(valuesOf(headers, 'x-forwarded-proto'), [scheme], `${listener} ${value}`)
      }
      const own = (
        await ask(
          'behind',
          ['x-forwarded-proto', 'http', 'origin', `http://localhost:${placeOf('behind').port}`],
          'POST',
        )
      ).status
      t.equal(own, 403, 'what is the own origin is decided by the connection')
    })

    t.test('Via names the gateway where it has a name, and a request that comes back is refused', async (t) => {
      const version = transport.name === 'h2' ? '2' : '1.1'
      t.same(valuesOf(await seen('named', []), 'via'), [`${version} gate-1`])
      t.same(valuesOf(await seen('named', ['via', '1.0 fred']), 'via'), ['1.0 fred', `${version} gate-1`])
      t.same(valuesOf(await seen('public', []), 'via'), [])
      const before = upstream.received.length
      for (const via of ['1.1 gate-1', '1.0 fred, 2 GATE-1 (x), 1.1 other']) {
        const reply = await ask('named', ['via', via])
        t.equal(reply.status, 508)
        t.match(reply.text, /request-loop/)
      }
      t.equal(upstream.received.length, before)
      t.equal((await ask('public', ['via', '1.1 gate-1'])).status, 200)
    })

    t.test('an OPTIONS request goes as far as Max-Forwards lets it', async (t) => {
      t.same(valuesOf(await seen('public', ['max-forwards', '5'], 'OPTIONS'), 'max-forwards'), ['4'])
      t.same(valuesOf(await seen('public', ['max-forwards', '1'], 'OPTIONS'), 'max-forwards'), ['0'])
      t.same(valuesOf(await seen('public', ['max-forwards', '99999999999999999999'], 'OPTIONS'), 'max-forwards'), [
        '254',
      ])
      t.same(valuesOf(await seen('public', [], 'OPTIONS'), 'max-forwards'), [])
      t.same(
        valuesOf(await seen('public', ['max-forwards', '0'], 'GET'), 'max-forwards'),
        [],
        'others are not bound by it',
      )
      const before = upstream.received.length
      const last = await ask('public', ['max-forwards', '0'], 'OPTIONS')
      t.equal(last.status, 200)
      t.equal(last.header('allow'), 'GET, OPTIONS, POST, HEAD')
      t.equal(last.header('content-length'), '0')
      for (const bad of ['-1', 'x', '1, 2', ''])
        t.equal((await ask('public', ['max-forwards', bad], 'OPTIONS')).status, 400, bad)
      t.equal((await ask('public', ['max-forwards', '0'], 'OPTIONS', '/get/x')).status, 405)
      t.equal((await ask('public', ['max-forwards', '0'], 'TRACE')).status, 405)
      t.equal(upstream.received.length, before)
    })
  })
}

t.test('bytes that cannot become a request are answered at once', async (t) => {
  // No deadline is waited for: the client keeps its side open and sends no more.
  for (const bytes of [
    'GET / HTTP/1.1\nHost: localhost\n',
    'GET / HTTP/1.1\r\nHost: localhost\n\n',
    'GET / HTTP/1.1\r\nHost: a\r\n b',
  ]) {
    const { statuses } = await rawExchange(placeOf('public'), bytes, { enough: (text) => text.includes('\r\n\r\n') })
    t.same(statuses, [400], JSON.stringify(bytes))
  }
})

t.test('the admin listener answers to the names of this machine only', async (t) => {
  const ask = (host: string): Promise<number> =>
    new Promise((resolve, reject) => {
      request(
        { host: '127.0.0.1', port: gateway.adminPort, path: '/metrics', headers: { host }, agent: false },
        (response) => {
          response.resume()
          resolve(response.statusCode!)
        },
      )
        .on('error', reject)
        .end()
    })
  const { adminPort } = gateway
  for (const host of [
    `127.0.0.1:${adminPort}`,
    'localhost',
    `LOCALHOST.:${adminPort}`,
    '127.9.9.9',
    '[::1]',
    '[0:0::1]:80',
  ]) {
    t.equal(await ask(host), 200, host)
  }
  for (const host of [
    'evil.example',
    'localhost.evil.example',
    '127.0.0.1.evil.example',
    '10.0.0.1',
    '[::2]',
    '0.0.0.0',
    'metrics',
  ]) {
    t.equal(await ask(host), 400, host)
  }
})
