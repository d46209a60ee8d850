/** Services that send a field twice that may stand once: 502 over every protocol, for no client could say which one counts. */
import { writeFileSync } from 'node:fs'
import { createSecureServer, type Http2Session, type ServerHttp2Stream } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import t from 'tap'
import { SINGLETONS } from '../../src/http/singletons.ts'
import { makeCertificate } from '../kit/certificates.ts'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startRawUpstream } from '../kit/upstream.ts'

/** Two values that each could stand alone. */
const VALUES: Record<string, readonly [string, string]> = {
  'access-control-max-age': ['1', '2'],
  age: ['1', '2'],
  'content-length': ['2', '3'],
  'content-range': ['bytes 0-1/2', 'bytes 0-1/3'],
  'content-type': ['text/plain', 'text/html'],
  date: ['Sun, 06 Nov 1994 08:49:37 GMT', 'Sun, 06 Nov 1994 08:49:38 GMT'],
  location: ['/a', 'https://elsewhere.example/'],
  'retry-after': ['1', '2'],
}
const valuesOf = (name: string): readonly [string, string] => VALUES[name] ?? ['"a"', '"b"']

/** Fields for a path: `/twice/NAME`, `/same/NAME`, or a list that may be repeated. */
function fieldsFor(path: string): [string, string][] {
  const [, kind, name = ''] = path.split('/')
  const [first, second] = valuesOf(name)
  if (kind === 'twice')
    return [
      [name, first],
      [name, second],
    ]
  if (kind === 'same')
    return [
      [name, first],
      [name, first],
    ]
  return [
    ...[
      ['content-language', 'de'],
      ['content-language', 'en'],
      ['vary', 'accept'],
      ['vary', 'cookie'],
    ],
    ...[
      ['set-cookie', 'a=1'],
      ['set-cookie', 'b=2'],
      ['link', '</a>'],
      ['link', '</b>'],
    ],
  ] as [string, string][]
}

const service = await startRawUpstream(({ socket }) => {
  let seen = ''
  socket.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1')
    const head = /^\S+ (\S+) HTTP\/1\.1\r\n[\s\S]*?\r\n\r\n/.exec(seen)
    if (head === null) return
    seen = ''
    const fields = fieldsFor(head[1]!)
    if (!fields.some(([name]) => name === 'content-length')) fields.push(['content-length', '2'])
    const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join('')
    socket.write(`HTTP/1.1 200 OK\r\n${lines}\r\nok`, 'latin1')
  })
})

const certificate = await makeCertificate({ names: ['127.0.0.1'] })
const ca = join(t.testdir(), 'ca.pem')
writeFileSync(ca, certificate.cert)
const sessions = new Set<Http2Session>()
// With the check on, node itself does not send what a broken service would.
const server = createSecureServer({ ...certificate, strictSingleValueFields: false } as never)
server.on('session', (session) => sessions.add(session.on('error', () => {})))
server.on('stream', (stream: ServerHttp2Stream, headers) => {
  stream.on('error', () => {})
  stream.respond([':status', '200', ...fieldsFor(String(headers[':path']).slice(3)).flat()] as never)
  stream.end('ok')
})
await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

const route = (path: string, name: string) => ({ path, service: name, profiles: ['internet'], purpose: 'test' })
const gateway = await startGatewayHere(
  testConfig('', {
    services: {
      one: { endpoints: [service.url] },
      two: {
        endpoints: [`https://127.0.0.1:${(server.address() as AddressInfo).port}`],
        protocol: 'h2',
        tls: { ca },
      },
    },
    routes: [route('/*', 'one'), route('/h2/*', 'two')],
  }),
)
t.teardown(async () => {
  await gateway.close()
  for (const session of sessions) session.destroy()
  server.close()
  await service.close()
})

const valuesIn = (headers: readonly string[], name: string): string[] =>
  headers.filter((_, i) => i % 2 === 1 && headers[i - 1] === name)

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.publicPort })
    t.teardown(() => client.close())

    t.test('twice, with two values or with one', async (t) => {
      for (const name of SINGLETONS) {
        for (const kind of ['twice', 'same']) {
          const reply = await client.ask({ path: `/${kind}/${name}` })
          t.equal(reply.status, 502, `${kind} ${name}`)
          t.equal(reply.isComplete, true)
          // The length is read before everything else, by whoever reads the answer at all.
          const code = name === 'content-length' ? 'upstream-bad-answer' : 'upstream-repeated-field'
          t.match(reply.json(), { code }, `${kind} ${name}`)
        }
      }
    })

    t.test('from a service by HTTP/2, whose engine makes one line of them: one reaches a client', async (t) => {
      for (const name of SINGLETONS) {
        const reply = await client.ask({ path: `/h2/twice/${name}` })
        if (reply.status !== 200) {
          t.equal(name, 'content-length')
          t.equal(reply.status, 502, name)
          continue
        }
        t.equal(valuesIn(reply.headers, name).length, 1, name)
      }
    })

    for (const prefix of ['', '/h2'])
      t.test(`lists may be repeated${prefix}`, async (t) => {
        const reply = await client.ask({ path: `${prefix}/lists` })
        t.equal(reply.status, 200)
        t.equal(reply.text, 'ok')
        const all = (name: string): string[] =>
          reply.headers.filter((_, i) => i % 2 === 1 && reply.headers[i - 1] === name)
        // undici's HTTP/2 keeps the first of these.
        t.equal(all('content-language').join(', '), prefix === '' ? 'de, en' : 'de')
        t.equal(all('set-cookie').length, 2)
        t.equal(all('link').join(', '), '</a>, </b>')
        t.match(all('vary').join(', '), /accept, cookie/)
      })
  })
}
