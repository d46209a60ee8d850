/** Payment cards from outside: no service, no log and no reader of transcripts gets one to see. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { HandshakeRefused, socketTransports } from '../kit/socket-clients.ts'
import { startUpstream } from '../kit/upstream.ts'

const CARD = '4111 1111 1111 1111'
const MASKED = '**** **** **** 1111'
const PASSWORD = 'Correct-horse-7-battery'
const base = t.testdir()
const folder = join(base, 'transcripts')
const access = join(base, 'access.log')
const audit = join(base, 'audit.log')
const accounts = join(base, 'accounts.json')
mkdirSync(folder)
await writeAccounts(accounts, { ada: await hashPassword(PASSWORD) }, { roles: ['reader'] })
const message = (text: string) => ({ at: '2026-11-01T09:00:01Z', from: 'Customer', text })
const CHAT = JSON.stringify({ id: 'chat-1', messages: [message(`it is ${CARD}, cvv 123`), message('thanks')] })
/** Cards at every place relative to the pieces in which files are read. */
const LONG = Array.from({ length: 9000 }, (_, i) => `${'x'.repeat(i % 7)} ${CARD} line ${i}\n`).join('')
writeFileSync(join(folder, 'chat.json'), CHAT)
writeFileSync(join(folder, 'long.txt'), LONG)
writeFileSync(join(folder, 'page.html'), `<p>4111<b>1111</b>11111111</p>`)

const upstream = await startUpstream()
const route = { service: 'chat', profiles: ['internet'], purpose: 'test', methods: ['GET', 'POST'], webSocket: true }
const gateway = await startGatewayHere(
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      admin: { address: '127.0.0.1:0' },
      transcripts: {
        address: '127.0.0.1:0',
        hosts: ['localhost'],
        source: { folder },
        signIn: { accounts },
        roles: EVERYTHING,
      },
    },
    routes: [
      { ...route, path: '/say/*', messages: 'masked' },
      { ...route, path: '/strict/*', messages: 'refusing' },
      { ...route, path: '/free/*' },
    ],
    messages: { masked: { fields: ['$.text'] }, refusing: { fields: ['$.text'], cards: 'reject' } },
    log: { access, audit },
  }),
)
const place = { port: gateway.publicPort }
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})

const JSON_TYPE = ['content-type', 'application/json']
interface Echo {
  readonly body: string
}

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const client = transport.open(place)
    t.teardown(() => client.close())
    const post = (path: string, body: string, headers = JSON_TYPE) =>
      client.ask({ method: 'POST', path, body, headers })

    t.test('a card in a body arrives masked, or the body is refused', async (t) => {
      const { body } = (await post('/say/x', JSON.stringify({ text: CARD, id: 7 }))).json() as Echo
      t.equal(body, JSON.stringify({ text: MASKED, id: 7 }))
      const number = (await post('/say/x', '{"text":4111111111111111}')).json() as Echo
      t.equal(number.body, '{"text":"************1111"}')
      const plain = (await post('/say/x', `${CARD} cvv 123`, ['content-type', 'text/plain'])).json() as Echo
      t.equal(plain.body, `${MASKED} cvv ***`)
      t.equal((await post('/strict/x', JSON.stringify({ text: CARD }))).status, 422)
      t.equal((await post('/strict/x', JSON.stringify({ text: 'order 17' }))).status, 200)
    })

    t.test('a card in a URL is refused where messages are inspected', async (t) => {
      for (const path of [
        '/say/x?text=4111111111111111',
        '/say/x?text=4111+1111+1111+1111',
        '/say/4111-1111-1111-1111',
        '/strict/x?a=%34111111111111111',
      ]) {
        const before = upstream.received.length
        t.equal((await client.ask({ path })).status, 422, path)
        t.equal(upstream.received.length, before, 'nothing was forwarded')
      }
      t.equal((await client.ask({ path: '/say/x?order_id=4111111111111111&at=1763812345678' })).status, 200)
      t.equal((await client.ask({ path: '/free/4111111111111111?text=4111111111111111' })).status, 200)
    })

    t.test('a transcript is read without its cards, whole and by ranges', async (t) => {
      const reader = transport.open({ port: gateway.port('listeners.transcripts.address') })
      t.teardown(() => reader.close())
      const authorization = `Basic ${Buffer.from(`ada:${PASSWORD}`).toString('base64')}`
      const read = (path: string, ...more: string[]) =>
        reader.ask({ path, headers: ['authorization', authorization, ...more] })
      const expected = LONG.replaceAll(CARD, MASKED)
      const whole = await read('/long.txt')
      t.equal(whole.header('content-length'), String(LONG.length))
      t.ok(whole.text === expected, 'every card is masked')
      for (const [first, last] of [
        [0, 30],
        [5, 12],
        [17, 23],
        [65_530, 65_545],
        [131_000, 197_000],
        [LONG.length - 20, LONG.length - 1],
      ] as const) {
        const part = await read('/long.txt', 'range', `bytes=${first}-${last}`)
        t.equal(part.status, 206)
        t.equal(part.text, expected.slice(first, last + 1), `${first} to ${last}`)
      }
      const data = await read('/chat.json')
      t.equal(data.text, CHAT.replace(CARD, MASKED).replace('123', '***'))
      const page = await read('/chat.json', 'accept', 'text/html')
      t.match(page.text, `it is ${MASKED}, cvv ***`)
      t.notMatch(page.text, /1111 1111/)
      t.equal((await read('/page.html')).text, '<p>****<b>****</b>****1111</p>')
    })
  })
}

for (const transport of socketTransports) {
  t.test(`${transport.name}: a card in a message arrives masked, in the handshake it is refused`, async (t) => {
    const socket = await transport.open(place, { path: '/say/ws' })
    socket.send(JSON.stringify({ text: CARD }))
    t.equal((await socket.next()).text, JSON.stringify({ text: MASKED }))
    socket.send(`${CARD} cvv 123`)
    t.equal((await socket.next()).text, `${MASKED} cvv ***`)
    await socket.close()
    const refused = await transport.open(place, { path: '/say/ws?text=4111111111111111' }).catch((error) => error)
    t.ok(refused instanceof HandshakeRefused)
    t.equal(refused.status, 422)
  })
}

t.test('no log holds a card, and the metrics count them', async (t) => {
  const metrics = await (await fetch(`http://127.0.0.1:${gateway.adminPort}/metrics`)).text()
  t.match(metrics, /portcullis_message_cards_total\{kind="visa",rules="masked"\} \d/)
  t.match(metrics, /portcullis_message_cards_total\{kind="code",rules="masked"\} \d/)
  t.match(metrics, /portcullis_message_cards_total\{kind="visa",rules="refusing"\} \d/)
  await gateway.gateway.drain()
  const logs = readFileSync(access, 'utf8') + readFileSync(audit, 'utf8')
  t.match(logs, '/free/[card]')
  t.notMatch(logs, /4111\D{0,3}1111/)
})
