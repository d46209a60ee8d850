/** Max-Forwards and Via: how far a request may go, and whether it was here before. */
import t from 'tap'
import { hasPassed, readMaxForwards, viaHop } from '../../src/http/hops.ts'

t.test('Max-Forwards is a number, once', (t) => {
  for (const [headers, left] of [
    [[], null],
    [['max-forwards', '0'], 0],
    [['max-forwards', '007'], 7],
    [['max-forwards', '99999999999999999999999'], 255],
    [['max-forwards', '-1'], -1],
    [['max-forwards', '+1'], -1],
    [['max-forwards', '1.0'], -1],
    [['max-forwards', '1, 1'], -1],
    [['max-forwards', ''], -1],
    [['max-forwards', '1', 'max-forwards', '1'], -1],
  ] as const) {
    t.equal(readMaxForwards([...headers]), left, headers.join(': '))
  }
  t.end()
})

t.test('a hop is known by its second word', (t) => {
  for (const [via, passed] of [
    [null, false],
    ['', false],
    ['1.1 gate', true],
    ['1.0 fred, HTTP/1.1 GATE (portcullis)', true],
    ['2 gate,1.1 other', true],
    ['1.1\tgate', true],
    ['1.1 (a comment that never ends, 1.1 gate', true],
    ['1.1 gateway', false],
    ['1.1 gate:8443', false],
    ['gate 1.1', false],
    ['gate', false],
    ['1.1 fred (not the gate)', false],
  ] as const) {
    t.equal(hasPassed(via, 'gate'), passed, String(via))
  }
  t.same(
    (['http/1.0', 'http/1.1', 'h2'] as const).map((protocol) => viaHop(protocol, 'gate')),
    ['1.0 gate', '1.1 gate', '2 gate'],
  )
  t.end()
})
