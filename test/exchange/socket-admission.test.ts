/** Who may open a WebSocket: subprotocols of the list, and no more sockets than an address may have. */
import t from 'tap'
import { AddressCaps } from '../../src/exchange/address-caps.ts'
import { DONE, GO } from '../../src/exchange/contracts.ts'
import { makeSocketAdmission } from '../../src/exchange/socket-admission.ts'
import type { SocketBounds } from '../../src/exchange/socket-bounds.ts'
import { TokenBucket } from '../../src/exchange/token-bucket.ts'
import { getHeader } from '../../src/http/headers.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const stageOf = (perAddress: AddressCaps, names: readonly string[] | null = null) =>
  makeSocketAdmission({ subprotocols: names === null ? null : new Set(names), perAddress } as SocketBounds)

function opening(...offers: string[]) {
  const { x } = fakeExchange()
  x.isWebSocket = true
  x.clientKey = '192.0.2.1'
  x.headers = ['x-other', '1', ...offers.flatMap((each) => ['sec-websocket-protocol', each])]
  return x
}

t.test('subprotocols', (t) => {
  const stage = stageOf(new AddressCaps(100), ['a', 'b'])
  for (const [offers, left] of [
    [['a'], 'a'],
    [['x, b , a'], 'b, a'],
    [['x', 'b'], 'b'],
    [[], null],
  ] as const) {
    const x = opening(...offers)
    t.equal(stage(x), GO)
    t.equal(getHeader(x.headers, 'sec-websocket-protocol'), left)
    t.equal(getHeader(x.headers, 'x-other'), '1')
  }
  for (const offer of ['x', 'A', '', 'ab', 'a b']) {
    const x = opening(offer)
    t.equal(stage(x), DONE, offer)
    t.equal(x.failure?.code, 'subprotocol-denied')
  }
  t.end()
})

t.test('sockets of an address: taken here, given back at the end, behind whoever holds something too', (t) => {
  const caps = new AddressCaps(1)
  const stage = stageOf(caps)
  const first = opening()
  let released = 0
  first.onRelease = () => {
    released++
  }
  t.equal(stage(first), GO)
  const second = opening()
  t.equal(stage(second), DONE)
  t.equal(second.failure?.code, 'too-many-sockets')
  const request = opening()
  request.isWebSocket = false
  t.equal(stage(request), GO, 'a request is no socket')
  first.onRelease!()
  t.equal(released, 1)
  t.equal(caps.held('192.0.2.1'), 0)
  t.equal(stage(opening()), GO)
  t.end()
})

t.test('a bucket gives its size at once, then what time brings, and what was owed is paid first', (t) => {
  const bucket = new TokenBucket(10, 1000, 0)
  for (let i = 0; i < 10; i++) {
    t.equal(bucket.hasAny(0), true)
    bucket.take(1)
  }
  t.equal(bucket.hasAny(0), false)
  t.equal(bucket.hasAny(99), false)
  t.equal(bucket.hasAny(100), true)
  bucket.take(21)
  t.equal(bucket.hasAny(2000), false, '20 owed and 19 come')
  t.equal(bucket.hasAny(2200), true)
  t.equal(bucket.hasAny(1_000_000), true)
  bucket.take(10)
  t.equal(bucket.hasAny(1_000_000), false, 'never more than its size')
  t.end()
})
