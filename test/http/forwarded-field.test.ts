/** The Forwarded field from right to left: what a trusted proxy wrote counts, what stood before it cannot change its meaning. */
import fc from 'fast-check'
import t from 'tap'
import { clientFromForwarded } from '../../src/http/forwarded-field.ts'

const isTrusted = (address: string): boolean => address.startsWith('10.') || address === '2001:db8::1'
const read = (list: string | null, peer = '10.0.0.1') => clientFromForwarded(list, peer, isTrusted)

t.test('the client is the first from the right that is not a trusted proxy', (t) => {
  for (const [list, address, scheme] of [
    [null, '10.0.0.1', ''],
    ['', '10.0.0.1', ''],
    ['for=192.0.2.43', '192.0.2.43', ''],
    ['For="[2001:db8:cafe::17]:4711"', '2001:db8:cafe::17', ''],
    ['for=192.0.2.60;proto=http;by=203.0.113.43', '192.0.2.60', 'http'],
    ['for=192.0.2.60; proto=HTTPS; by=203.0.113.43', '192.0.2.60', 'https'],
    ['proto=https;for="192.0.2.43:47011";host="a.example:8443"', '192.0.2.43', 'https'],
    ['for="192.0.2.43:_abc"', '192.0.2.43', ''],
    ['for="[::ffff:192.0.2.43]"', '192.0.2.43', ''],
    ['for="192.\\0.2.43"', '192.0.2.43', ''],
    ['for=198.51.100.1;proto=http, for=192.0.2.43;proto=https', '192.0.2.43', 'https'],
    ['for=198.51.100.1;proto=http, for=192.0.2.43;proto=https, for=10.0.0.2;proto=http', '192.0.2.43', 'https'],
    ['for=10.0.0.3,for="[2001:db8::1]"', '10.0.0.3', ''],
    ['for=192.0.2.43;proto=gopher', '192.0.2.43', ''],
    ['for=192.0.2.43;ext="a,b;for=1.1.1.1"', '192.0.2.43', ''],
    ['for=192.0.2.43;ext="a\\",for=1.1.1.1"', '192.0.2.43', ''],
    ['for=192.0.2.43;ext="a\\\\"', '192.0.2.43', ''],
  ] as const) {
    t.same(read(list), { address, scheme }, String(list))
  }
  t.same(read('for=192.0.2.43', '192.0.2.1'), { address: '192.0.2.1', scheme: '' }, 'a peer that nobody trusts')
  t.end()
})

t.test('what names nobody, or is malformed, ends the reading', (t) => {
  for (const last of [
    'for=unknown',
    'for=_hidden',
    'for="_SEVKISEK"',
    'proto=https',
    'for=192.0.2.1;for=192.0.2.2',
    'for=192.0.2.1;proto=http;proto=https',
    'for=2001:db8::2',
    'for="2001:db8::2"',
    'for=[2001:db8::2]',
    'for="[192.0.2.1]"',
    'for="[2001:db8::2"',
    'for=192.0.2.1:80',
    'for=192.0.2.256',
    'for=192.0.2.1:x',
    'for = 192.0.2.1',
    'for=',
    'for',
    'for=""',
    '192.0.2.1',
    'for=192.0.2.1 by=x',
    'for="192.0.2.1',
    'for=192.0.2.1"',
    'for="192.0.2.1\\"',
    `for=192.0.2.1;x=${'y'.repeat(2000)}`,
    '',
  ]) {
    t.same(read(`for=203.0.113.66, ${last}`), { address: '10.0.0.1', scheme: '' }, last)
    t.same(
      read(`for=203.0.113.66, ${last}, for=10.0.0.9;proto=https`),
      { address: '10.0.0.9', scheme: 'https' },
      `${last}, then a proxy`,
    )
  }
  t.end()
})

t.test('nothing that a client wrote can reach into what its proxy wrote', (t) => {
  const nasty = fc.array(fc.constantFrom('"', '\\', ',', ';', '=', 'for', '10.0.0.2', '1.1.1.1', ' ', 'x'), {
    maxLength: 12,
  })
  fc.assert(
    fc.property(nasty, (parts) => {
      const { address, scheme } = read(`${parts.join('')}, for=192.0.2.43;proto=https;host="a,\\"b"`)
      return address === '192.0.2.43' && scheme === 'https'
    }),
    { numRuns: 3000, seed: 21 },
  )
  t.pass()
  t.end()
})

t.test('the chain is followed for a bounded number of hops', (t) => {
  t.equal(read(`for=192.0.2.43, ${'for=10.0.0.2, '.repeat(100)}for=10.0.0.3`).address, '10.0.0.2')
  t.end()
})
