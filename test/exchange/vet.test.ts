/** What vet settles of a request, and what it refuses, without a socket. The bytes themselves are the business of test/flows. */
import t from 'tap'
import type { Peer } from '../../src/exchange/connection.ts'
import { DONE, GO, type ListenerPlan } from '../../src/exchange/contracts.ts'
import { Exchange } from '../../src/exchange/exchange.ts'
import type { RequestHead } from '../../src/exchange/request-head.ts'
import { vet } from '../../src/exchange/vet.ts'
import { FakeClient, fakeExchange } from '../kit/fake-client.ts'

interface Vetted {
  readonly x: Exchange
  readonly client: FakeClient
  readonly went: boolean
  readonly closes: boolean
  readonly code: string
}

function run(head: Partial<RequestHead> = {}, plan: Partial<ListenerPlan> = {}, peer: Partial<Peer> = {}): Vetted {
  const base = fakeExchange({ plan })
  const client = new FakeClient()
  let closes = false
  const whole: RequestHead = { ...base.x.head, target: '/x', ...head }
  const x = new Exchange(
    whole,
    client,
    { ...base.x.peer, closeAfterAnswer: () => (closes = true), ...peer } as Peer,
    base.x.listener,
  )
  const step = vet(x)
  t.ok(step === GO || step === DONE)
  return { x, client, went: step === GO, closes, code: x.failure?.code ?? '' }
}

const HANDSHAKE = [
  ...['host', 'localhost', 'connection', 'Upgrade', 'upgrade', 'websocket'],
  ...['sec-websocket-version', '13', 'sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
]

t.test('a plain request is settled', async (t) => {
  const { x, went } = run({ target: '/a/../b?c', authority: 'LOCALHOST.:8443' })
  t.equal(went, true)
  t.match(x, { path: '/b', query: '?c', host: 'localhost', authority: 'localhost:8443', isWebSocket: false })
  t.match(x.id, /^[0-9a-f]{32}$/)
  t.match(x.traceparent, /^00-/)
})

t.test('refusals, and whether the connection may go on', async (t) => {
  const served = { isServed: (host: string) => host === 'localhost' }
  for (const [code, status, closes, vetted] of [
    ['bad-host', 400, true, run({ authority: null })],
    ['bad-host', 400, true, run({ authority: 'a@b' })],
    ['bad-host', 400, true, run({ target: 'https://evil.example/x' })],
    ['bad-target', 400, true, run({ target: '/a%00' })],
    ['bad-target', 400, true, run({ target: '*' })],
    ['target-too-long', 414, true, run({ target: `/${'a'.repeat(9000)}` })],
    ['unknown-host', 400, true, run({ authority: 'evil.example' }, served)],
    ['misdirected-host', 421, false, run({}, { isDirected: () => false })],
    ['address-denied', 403, false, run({}, { isAllowedAddress: () => false })],
    ['wrong-method', 405, true, run({ method: 'CONNECT', target: 'localhost:443' })],
    ['wrong-method', 405, true, run({ method: 'TRACE' })],
    ['bad-upgrade', 400, true, run({ headers: ['upgrade', 'websocket'] })],
    ['bad-expectation', 417, true, run({ headers: ['expect', 'x'] })],
    ['bad-expectation', 417, true, run({ headers: ['expect', '100-continue', 'expect', 'x'] })],
    ['bad-header', 400, true, run({ headers: ['content-type', 'a/b', 'content-type', 'c/d'] })],
    ['bad-header', 400, true, run({ headers: ['origin', 'a', 'x', 'y', 'origin', 'a'] })],
    ['bad-header', 400, true, run({ headers: ['authorization', 'a', 'authorization', 'b'] })],
  ] as const) {
    t.equal(vetted.went, false, code)
    t.equal(vetted.code, code)
    t.equal(vetted.client.status, status, code)
    t.equal(vetted.closes, closes, `${code}: the connection ${closes ? 'ends' : 'stays'}`)
  }
})

t.test('over HTTP/2 a refusal is of the stream alone', async (t) => {
  for (const head of [{ authority: 'a@b' }, { target: '/%00' }, { headers: ['expect', 'x'] }, { method: 'CONNECT' }]) {
    const vetted = run({ ...head, protocol: 'h2' })
    t.match(vetted, { went: false, closes: false })
  }
})

t.test('only a whole handshake is a WebSocket, and it is a GET for the routes', async (t) => {
  t.match(run({ headers: HANDSHAKE }), { went: true, x: { isWebSocket: true, method: 'GET' } })
  t.match(run({ headers: HANDSHAKE, protocol: 'http/1.0' }), { went: true, x: { isWebSocket: false } })
  const over2 = { protocol: 'h2', method: 'CONNECT', headers: ['sec-websocket-version', '13'] } as const
  t.match(run({ ...over2, headers: [...over2.headers], connectProtocol: 'websocket' }), {
    went: true,
    x: { isWebSocket: true, method: 'GET' },
  })
  t.match(run({ ...over2, headers: [...over2.headers], connectProtocol: 'connect-udp' }), { code: 'bad-upgrade' })
  t.match(run({ headers: ['connection', 'upgrade', 'upgrade', 'h2c'] }), { went: true, x: { isWebSocket: false } })
})

t.test('the client is who a trusted proxy says, else who connects', async (t) => {
  const headers = ['x-forwarded-for', '192.0.2.1, 198.51.100.7', 'x-request-id', 'from-the-edge']
  const trusted = run({ headers }, { isTrustedProxy: (address) => address === '192.0.2.10' })
  t.match(trusted.x, { clientAddress: '198.51.100.7', id: 'from-the-edge', isFromTrustedProxy: true })
  const stranger = run({ headers })
  t.match(stranger.x, { clientAddress: '192.0.2.10', isFromTrustedProxy: false })
  t.not(stranger.x.id, 'from-the-edge')
})

t.test('absolute form agrees with Host, the usual port left out or not', async (t) => {
  for (const [target, authority, went] of [
    ['https://localhost/x', 'localhost', true],
    ['https://localhost:443/x', 'localhost', true],
    ['https://LOCALHOST/x', 'localhost:443', true],
    ['https://localhost:8443/x', 'localhost:8443', true],
    ['https://localhost:8443/x', 'localhost', false],
    ['https://localhost/x', 'localhost:80', false],
    ['https://localhost.evil/x', 'localhost', false],
  ] as const) {
    t.equal(run({ target, authority }).went, went, `${target} with ${authority}`)
  }
})
