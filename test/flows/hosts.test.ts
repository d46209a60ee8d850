/** Which hosts are served, on which connection: the allow-list, and 421 where the certificate that was shown does not cover it. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { rawExchange, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const folder = mkdtempSync(join(tmpdir(), 'hosts-'))
const certificates = [
  writePair(folder, 'chat', await makeCertificate({ names: ['chat.example.com', '*.tenant.example.com'] })),
  writePair(folder, 'other', await makeCertificate({ names: ['other.example.com'] })),
]
const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener({
        hosts: ['chat.example.com', 'other.example.com', '*.tenant.example.com', '127.0.0.1', '::1'],
        tls: { certificates },
      }),
      admin: { address: '127.0.0.1:0' },
    },
    routes: [
      { path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test' },
      { path: '/only', hosts: ['other.example.com'], service: 'chat', profiles: ['internet'], purpose: 'test' },
    ],
  }),
)
const port = gateway.publicPort

t.teardown(async () => {
  await gateway.close()
  await upstream.close()
  rmSync(folder, { recursive: true, force: true })
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const ask = async (serverName: string, host: string, path = '/x'): Promise<number> => {
      const client = transport.open({ port, host: serverName })
      const before = upstream.received.length
      const reply = await client.ask({ path, headers: ['host', host] })
      await client.close()
      t.equal(upstream.received.length - before, reply.status === 200 ? 1 : 0, `${host} by ${serverName}`)
      return reply.status
    }

    t.test('a host that is on the list is served under every spelling of it', async (t) => {
      for (const host of [
        'chat.example.com',
        'CHAT.Example.Com',
        'chat.example.com.',
        `chat.example.com:${port}`,
        'chat.example.com:443',
      ]) {
        t.equal(await ask('chat.example.com', host), 200, host)
      }
      for (const host of ['a.tenant.example.com', 'A.TENANT.example.com'])
        t.equal(await ask('a.tenant.example.com', host), 200, host)
    })

    t.test('a host that is not on the list is 400', async (t) => {
      for (const host of [
        'evil.example',
        'example.com',
        'xchat.example.com',
        'chat.example.com.evil.example',
        'tenant.example.com',
        'localhost',
        '127.0.0.2',
        '[::2]',
        '[::ffff:7f00:2]',
        'chat-example.com',
      ]) {
        t.equal(await ask('chat.example.com', host), 400, host)
      }
    })

    t.test('a host of another certificate is 421', async (t) => {
      t.equal(await ask('chat.example.com', 'other.example.com'), 421)
      t.equal(await ask('other.example.com', 'chat.example.com'), 421)
      t.equal(await ask('other.example.com', 'a.tenant.example.com'), 421)
      t.equal(await ask('chat.example.com', 'OTHER.example.com:443'), 421)
      t.equal(await ask('a.tenant.example.com', 'chat.example.com'), 200, 'one certificate covers both')
    })

    t.test('a route of one host is not reached by another', async (t) => {
      t.equal(await ask('other.example.com', 'other.example.com', '/only'), 200)
      t.equal(await ask('chat.example.com', 'other.example.com', '/only'), 421)
    })
  })
}

t.test('the upstream is told the canonical host', async (t) => {
  const client = requestTransports[0]!.open({ port, host: 'chat.example.com' })
  t.teardown(() => client.close())
  await client.ask({ path: '/x', headers: ['host', 'CHAT.example.COM.:443'] })
  const { rawHeaders } = upstream.received.at(-1)!
  t.equal(rawHeaders[rawHeaders.findIndex((each) => each.toLowerCase() === 'host') + 1], 'chat.example.com:443')
})

t.test('a refused host ends an HTTP/1.1 connection, a misdirected one does not', async (t) => {
  const good = 'GET /x HTTP/1.1\r\nHost: chat.example.com\r\nConnection: close\r\n\r\n'
  const place = { port, host: 'chat.example.com' }
  const evil = await rawExchange(place, `GET /x HTTP/1.1\r\nHost: evil.example\r\n\r\n${good}`)
  t.same(evil.statuses, [400])
  const misdirected = await rawExchange(place, `GET /x HTTP/1.1\r\nHost: other.example.com\r\n\r\n${good}`)
  t.same(misdirected.statuses, [421, 200])
  const line = await until(() => gateway.accessLines().find((each) => each.status === 421), 'the line')
  t.match(line, { failure: 'misdirected-host', host: 'other.example.com' })
})
