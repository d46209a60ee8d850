/** Transcripts that a service serves: signed in, recorded, cards masked on the way, and a page where a person asks. */
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { initKeyRing } from '../../src/keys/ring-changes.ts'
import { loadKeyRing } from '../../src/keys/ring-file.ts'
import { UrlTokens } from '../../src/keys/url-token.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { type Reply, requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const CARD = '4111 1111 1111 1111'
const PASSWORD = 'Correct-horse-7-battery'
const accounts = join(t.testdir({}), 'accounts.json')
await writeAccounts(accounts, { ada: await hashPassword(PASSWORD) }, { roles: ['reader'] })
const authorization = `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`
const ring = join(t.testdirName, 'keys.json')
initKeyRing(ring)
const token = new UrlTokens(loadKeyRing(ring)).seal('phone', '+491701234567', 60_000)
const upstream = await startUpstream()
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      transcripts: {
        address: '127.0.0.1:0',
        hosts: ['localhost'],
        signIn: { accounts },
        roles: EVERYTHING,
        source: { service: 'chat', sealed: { kind: 'phone', path: '/of/{token}/*' } },
      },
      admin: { address: '127.0.0.1:0' },
    },
    routes: [],
    keys: { ring },
    sealed: { phone: {} },
  }),
)
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

const send =
  (type: string, body: string | Buffer, more: Record<string, string> = {}) =>
  (_request: unknown, response: ServerResponse) => {
    response.writeHead(200, { 'content-type': type, 'content-length': Buffer.byteLength(body), ...more })
    response.end(body)
  }
const chat = JSON.stringify({
  id: 'chat-9',
  channel: 'web',
  messages: [{ from: '<b>Eve</b>', text: `my card is ${CARD}` }],
})
const list = JSON.stringify({
  transcripts: [
    { name: 'chat-9.json', path: '/chat-9.json', channel: 'web', date: '2026-11-01T09:00:00Z' },
    { name: '<img src=x>', path: 'javascript:alert(1)' },
    { name: 'away', path: '//evil.example/x' },
  ],
  total: 3,
})
upstream.on('/chat-9.json', send('application/json', chat))
upstream.on('/list', send('application/json; charset=utf-8', list))
upstream.on('/note.txt', send('text/plain', `card ${CARD}, thanks`))
upstream.on('/logo.png', send('image/png', Buffer.from([1, 2, 3])))
upstream.on('/scan.pdf', send('application/pdf', CARD))
upstream.on('/drawing.svg', send('image/svg+xml', `<svg>${CARD}</svg>`))
upstream.on('/packed', send('text/plain', 'x', { 'content-encoding': 'gzip' }))
upstream.on('/untyped', (_request, response) => response.end(CARD))
/** A card that falls between two pieces, at every place of a long text. */
upstream.on('/pieces', async (_request, response) => {
  response.writeHead(200, { 'content-type': 'text/plain' })
  const text = `${'so it was said. '.repeat(4000)}${CARD}${' and more was said.'.repeat(4000)}`
  for (let at = 0; at < text.length; at += 1013) {
    response.write(text.slice(at, at + 1013))
    if (at % 7 === 0) await new Promise((wake) => setImmediate(wake))
  }
  response.end()
})

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open({ port: gateway.port('listeners.transcripts.address') })
    t.teardown(() => client.close())
    const read = async (path: string, ...more: string[]): Promise<Reply> => {
      const reply = await client.ask({ path, headers: ['authorization', authorization, ...more] })
      t.match(reply.header('cache-control'), /no-store/, path)
      t.notMatch(reply.text, /4111/, path)
      return reply
    }
    const BROWSER = ['accept', 'text/html'] as const

    t.test('cards are masked in text of every kind, and lengths stay', async (t) => {
      const note = await read('/note.txt')
      t.equal(note.text.length, `card ${CARD}, thanks`.length)
      t.match(note.text, /1111, thanks$/)
      t.match((await read('/untyped')).text, /1111$/)
      t.match((await read('/chat-9.json')).json(), { id: 'chat-9' })
      const pieces = await read('/pieces')
      t.equal(pieces.text.length, 4000 * 16 + CARD.length + 4000 * 19)
      t.ok(pieces.isComplete)
    })

    t.test('a person gets a page, a program the data', async (t) => {
      const page = await read('/chat-9.json', ...BROWSER)
      t.equal(page.header('content-type'), 'text/html; charset=utf-8')
      t.match(page.text, '&lt;b&gt;Eve&lt;/b&gt;')
      t.match(page.text, 'href="/chat-9.json?raw"')
      t.equal((await read('/chat-9.json?raw', ...BROWSER)).header('content-type'), 'application/json')
      t.equal((await read('/chat-9.json', 'accept', 'application/json')).header('content-type'), 'application/json')
      const shown = await read('/list', ...BROWSER)
      t.match(shown.text, 'href="/chat-9.json"')
      t.match(shown.text, '&lt;img src=x&gt;')
      t.notMatch(shown.text, /href="(?:javascript|\/\/)/)
      const policy = page.header('content-security-policy')!
      t.match(policy, /style-src 'self' 'sha256-/)
      t.notMatch(policy, /unsafe/)
    })

    t.test('the number of a customer stands in no path but that of the service', async (t) => {
      const before = upstream.received.length
      t.equal((await read(`/of/${token}/last`)).status, 200)
      t.equal(upstream.received.at(-1)!.url, '/of/%2B491701234567/last')
      t.equal((await read('/of/%2B491701234567/last')).status, 404)
      t.equal(upstream.received.length, before + 1)
    })

    t.test('what cannot be read is not passed; pictures of its pages are', async (t) => {
      t.same((await read('/logo.png')).body, Buffer.from([1, 2, 3]))
      for (const path of ['/scan.pdf', '/drawing.svg', '/packed']) t.equal((await read(path)).status, 502, path)
    })
  })
}

t.test('every look is recorded, with its outcome', async (t) => {
  await gateway.gateway.log.flush()
  const reads = gateway.auditLines().filter((line) => line.event === 'sensitive_read')
  t.match(
    reads.find(({ object }) => object === '/note.txt'),
    { outcome: 'success', user: 'ada' },
  )
  t.match(
    reads.find(({ object }) => object === '/scan.pdf'),
    { outcome: 'failure' },
  )
  t.match(
    reads.find(({ object }) => object === `/of/${token}/last`),
    { outcome: 'success' },
  )
  t.notOk(JSON.stringify([gateway.auditLines(), gateway.accessLines()]).includes('1701234567'))
  t.ok(upstream.received.every(({ rawHeaders }) => !rawHeaders.some((each) => each.toLowerCase() === 'authorization')))
})
