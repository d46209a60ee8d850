/** The gateway's own handshake with a service: which answers open a WebSocket, and what of them the client gets. */
import t from 'tap'
import {
  acceptsHandshake,
  answerHeaders,
  handshakeHeaders,
  makeHandshake,
} from '../../src/upstream/websocket-handshake.ts'
import { fakeExchange } from '../kit/fake-client.ts'

// RFC 6455, 1.3
const KEY = 'dGhlIHNhbXBsZSBub25jZQ=='
const ACCEPT = 's3pPLMBiTxaQ9kYGzzhZRbK+xOo='
const COMPLETE = ['upgrade', 'websocket', 'connection', 'Upgrade']

t.test('every handshake has a key of its own, never that of the client', async (t) => {
  const { x } = fakeExchange({ headers: ['sec-websocket-key', KEY] })
  const first = makeHandshake(x)
  t.not(first.key, KEY)
  t.not(first.key, makeHandshake(x).key)
  t.equal(Buffer.from(first.key, 'base64').length, 16)
  t.same(handshakeHeaders(first), ['sec-websocket-key', first.key, 'sec-websocket-version', '13'])
})

t.test('an answer that is wrong in one thing does not open it', async (t) => {
  const { x } = fakeExchange({
    headers: ['sec-websocket-protocol', 'chat, superchat', 'sec-websocket-protocol', 'third'],
  })
  const handshake = makeHandshake(x)
  const right = [...COMPLETE, 'sec-websocket-accept', handshake.expected]
  t.ok(acceptsHandshake(handshake, right))
  for (const protocol of ['chat', 'superchat', 'third'])
    t.ok(acceptsHandshake(handshake, [...right, 'sec-websocket-protocol', protocol]), protocol)
  t.notOk(acceptsHandshake(handshake, COMPLETE), 'no accept value')
  t.notOk(acceptsHandshake(handshake, [...COMPLETE, 'sec-websocket-accept', ACCEPT]), 'one for another key')
  t.notOk(acceptsHandshake(handshake, [...COMPLETE, 'sec-websocket-accept', handshake.expected.toLowerCase()]))
  t.notOk(acceptsHandshake(handshake, [...right, 'sec-websocket-extensions', 'permessage-deflate']), 'an extension')
  t.notOk(acceptsHandshake(handshake, [...right, 'sec-websocket-protocol', 'Chat']), 'another case')
  t.notOk(acceptsHandshake(handshake, [...right, 'sec-websocket-protocol', 'chat, superchat']), 'two in one')
  t.notOk(
    acceptsHandshake(handshake, [...right, 'sec-websocket-protocol', 'chat', 'sec-websocket-protocol', 'superchat']),
    'two fields',
  )
  const bare = makeHandshake(fakeExchange().x)
  t.notOk(
    acceptsHandshake(bare, [...COMPLETE, 'sec-websocket-accept', bare.expected, 'sec-websocket-protocol', 'chat']),
    'one that was not offered',
  )
})

t.test('the client is answered from its own key', async (t) => {
  const { x } = fakeExchange({ headers: ['sec-websocket-key', KEY] })
  const out = answerHeaders(x, ['sec-websocket-accept', 'that of the service', 'content-length', '0', 'x-a', '1'])
  t.same(out, ['x-a', '1', 'sec-websocket-accept', ACCEPT])
})
