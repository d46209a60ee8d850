/** Keys of limits: what counts together, that no two clients can be made one, and that no client writes into a key. */
import fc from 'fast-check'
import t from 'tap'
import { Key } from '../../src/limits/key.ts'
import { fakeExchange } from '../kit/fake-client.ts'

const FIXED = { seed: 20_261_122, numRuns: 300 }

function keyOf(parts: string[], options: Parameters<typeof fakeExchange>[0] = {}, event = ''): string | null {
  return new Key(parts, false, null).of(fakeExchange(options).x, event)
}

t.test('by address alone the key is the address', async (t) => {
  t.equal(keyOf(['address'], { address: '192.0.2.7' }), '192.0.2.7')
})

t.test('a limit may take other bits of IPv6 than the listener', async (t) => {
  const of = (address: string, prefix: number) => new Key(['address'], false, prefix).of(fakeExchange({ address }).x)
  t.equal(of('2001:db8:1:2:3::1', 48), '2001:db8:1::/48')
  t.equal(of('2001:0DB8:0001:ffff::9', 48), '2001:db8:1::/48', 'one spelling')
  t.equal(of('2001:db8:1:2:3::1', 128), '2001:db8:1:2:3::1/128')
  t.equal(of('::ffff:192.0.2.1', 48), '192.0.2.1', 'IPv4 in IPv6 is IPv4')
})

t.test('what a client sends is hashed, and told apart from what it did not send', async (t) => {
  const secret = 'Bearer abcdef'
  const key = keyOf(['header X-Api-Key'], { headers: ['x-api-key', secret] })!
  t.match(key, /^~[A-Za-z0-9_-]{22}$/)
  t.notMatch(key, /abcdef/)
  t.equal(keyOf(['header x-api-key'], { headers: ['x-api-key', secret] }), key, 'the case of the name does not matter')
  t.equal(keyOf(['header X-Api-Key']), '-')
  t.equal(keyOf(['header X-Api-Key'], { headers: ['x-api-key', ''] }), '-', 'an empty one is none')
  t.not(keyOf(['header X-Api-Key'], { headers: ['x-api-key', '-'] }), '-')
})

t.test('a missing part may skip the limit', async (t) => {
  const skips = new Key(['address', 'header X-Tenant'], true, null)
  t.equal(skips.of(fakeExchange().x), null)
  t.match(skips.of(fakeExchange({ headers: ['x-tenant', 'a'] }).x), /^192\.0\.2\.10\|~/)
  t.equal(keyOf(['address', 'header X-Tenant']), '192.0.2.10|-')
  t.equal(new Key(['user'], true, null).of(fakeExchange().x), null)
})

t.test('cookies', async (t) => {
  const sid = (line: string) => keyOf(['cookie sid'], { headers: ['cookie', line] })
  t.equal(sid('a=1; sid=x; b=2'), sid('sid=x'))
  t.not(sid('sid=x'), sid('sid=y'))
  t.equal(sid('xsid=1; sid2=1; sid'), '-')
  t.equal(keyOf(['cookie sid'], { headers: ['cookie', 'a=1', 'cookie', 'sid=x'] }), sid('sid=x'), 'HTTP/2 sends pieces')
})

t.test('method, event, everybody', async (t) => {
  t.equal(keyOf(['method'], { method: 'POST' }), 'POST')
  t.equal(keyOf(['event'], {}, 'message'), 'message')
  t.match(keyOf(['event'], {}, 'new message|x'), /^~/)
  t.equal(keyOf(['all']), 'all')
  t.equal(keyOf(['address', 'all'], { address: '::1' }), '::1|all')
})

t.test('no two lists of values make one key, and a key is short and plain', async (t) => {
  const parts = ['header A', 'header B', 'event', 'user']
  const value = fc.oneof(fc.string({ maxLength: 40 }), fc.constantFrom('', '-', '~', '|', 'a|b', '{x}', 'a', ':', '\0'))
  const values = fc.tuple(value, value, value, value)
  const make = ([a, b, event, user]: [string, string, string, string]): string =>
    keyOf(parts, { headers: ['a', a, 'b', b], user }, event)!
  fc.assert(
    fc.property(values, values, (one, two) => {
      const same = one.every((each, i) => each === two[i])
      return (make(one) === make(two)) === same && /^[A-Za-z0-9._~|-]{0,200}$/.test(make(one))
    }),
    FIXED,
  )
  t.ok(make(['x'.repeat(100_000), '', '', '']).length < 200)
})
