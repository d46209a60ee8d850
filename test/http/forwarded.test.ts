import fc from 'fast-check'
import t from 'tap'
import { makeCidrMatcher } from '../../src/http/address.ts'
import { clientFromForwardedFor, forwardedValue, isForgedName } from '../../src/http/forwarded.ts'

const isTrusted = makeCidrMatcher(['10.0.0.0/8', '2001:db8::/32'])

t.test('the client is the first address from the right that is not a trusted proxy', (t) => {
  const table: [string | null, string, string][] = [
    [null, '10.0.0.1', '10.0.0.1'],
    ['', '10.0.0.1', '10.0.0.1'],
    ['203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['1.1.1.1, 203.0.113.9, 10.0.0.2', '10.0.0.1', '203.0.113.9'],
    ['203.0.113.9', '198.51.100.1', '198.51.100.1'],
    ['10.0.0.3, 10.0.0.2', '10.0.0.1', '10.0.0.3'],
    ['203.0.113.9:4711', '10.0.0.1', '203.0.113.9'],
    ['[2001:DB9::1]:4711', '10.0.0.1', '2001:db9::1'],
    ['2001:db9::1', '2001:db8::1', '2001:db9::1'],
    ['::ffff:203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['203.0.113.9, unknown', '10.0.0.1', '10.0.0.1'],
    ['203.0.113.9, , 10.0.0.2', '10.0.0.1', '10.0.0.2'],
    ['203.0.113.9,', '10.0.0.1', '10.0.0.1'],
    [',203.0.113.9', '10.0.0.1', '203.0.113.9'],
    ['<script>', '10.0.0.1', '10.0.0.1'],
    [`1.1.1.1${', 10.0.0.2'.repeat(100)}`, '10.0.0.1', '10.0.0.2'],
  ]
  for (const [list, peer, client] of table) t.equal(clientFromForwardedFor(list, peer, isTrusted), client, `${list}`)
  t.end()
})

t.test('nothing that a client writes to the left changes what is read', (t) => {
  const addresses = fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), fc.string()), { maxLength: 6 })
  fc.assert(
    fc.property(addresses, (forged) => {
      const list = [...forged, '203.0.113.9', '10.0.0.2'].join(', ')
      return clientFromForwardedFor(list, '10.0.0.1', isTrusted) === '203.0.113.9'
    }),
    { seed: 1, numRuns: 2000 },
  )
  t.end()
})

t.test('Forwarded quotes what is not a token', (t) => {
  t.equal(forwardedValue('192.0.2.1', 'a.example', 'https'), 'for=192.0.2.1;host=a.example;proto=https')
  t.equal(
    forwardedValue('2001:db8::1', 'a.example:8443', 'https'),
    'for="[2001:db8::1]";host="a.example:8443";proto=https',
  )
  t.equal(forwardedValue('192.0.2.1', '[::1]', 'http'), 'for=192.0.2.1;host="[::1]";proto=http')
  t.equal(forwardedValue('', '', 'http'), 'for=unknown;proto=http')
  t.end()
})

t.test('names that upstreams believe are known', (t) => {
  const forged = [
    ...['x-forwarded-for', 'x-forwarded-anything', 'x-forwarded', 'forwarded', 'x-real-ip', 'x-client-ip', 'proxy'],
    ...['true-client-ip', 'cf-connecting-ip', 'x-original-url', 'x-rewrite-url', 'x-original-host', 'x-http-method'],
    ...['x-http-method-override', 'x-method-override', 'x-ssl-client-cert', 'x-client-cert', 'ssl-client-verify'],
    ...['x-request-id', 'x-remote-user', 'remote-user', 'x-auth-request-email', 'x-authenticated-user', 'a_b', 'a.b'],
    ...['x_forwarded_for', 'content_length', 'x-middleware-subrequest', 'client-cert'],
  ]
  for (const name of forged) {
    t.equal(isForgedName(name), true, name)
    t.equal(isForgedName(name), true, `${name} again`)
  }
  for (const name of [
    'accept',
    'cookie',
    'authorization',
    'x-requested-with',
    'x-csrf-token',
    'x-forward',
    'host',
    'origin',
  ]) {
    t.equal(isForgedName(name), false, name)
    t.equal(isForgedName(name), false, `${name} again`)
  }
  t.end()
})

t.test('a flood of names changes no answer', (t) => {
  for (let i = 0; i < 5000; i++) isForgedName(`x-${i}`)
  t.equal(isForgedName('x-after-the-flood'), false)
  t.equal(isForgedName('x-forwarded-after-the-flood'), true)
  t.end()
})
