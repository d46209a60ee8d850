import { isIPv6 } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { clientKey, makeCidrMatcher, normaliseAddress } from '../../src/http/address.ts'

t.test('an address has one spelling', (t) => {
  const table: [string, string][] = [
    ['192.0.2.1', '192.0.2.1'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['::FFFF:c000:0201', '192.0.2.1'],
    ['0:0:0:0:0:ffff:192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:db8:0:1:0:0:0:1', '2001:db8:0:1::1'],
    ['2001:0:0:1:0:0:1:1', '2001::1:0:0:1:1'],
    ['1:0:2:3:4:5:6:7', '1:0:2:3:4:5:6:7'],
    ['::', '::'],
    ['::1', '::1'],
    ['1::', '1::'],
    ['fe80::1%eth0', 'fe80::1'],
    ['64:ff9b::192.0.2.1', '64:ff9b::c000:201'],
    ['', ''],
    ['localhost', ''],
    ['1.2.3', ''],
    ['01.2.3.4', ''],
    ['[::1]', ''],
    ['::1 ', ''],
  ]
  for (const [text, normal] of table) t.equal(normaliseAddress(text), normal, text)
  t.end()
})

t.test('an IPv6 client is its prefix', (t) => {
  t.equal(clientKey('192.0.2.1', 64), '192.0.2.1')
  t.equal(clientKey('::ffff:192.0.2.1', 64), '192.0.2.1')
  t.equal(clientKey('2001:db8:1:2:3:4:5:6', 64), '2001:db8:1:2::/64')
  t.equal(clientKey('2001:db8:1:2ff:3:4:5:6', 56), '2001:db8:1:200::/56')
  t.equal(clientKey('2001:db8:ffff::1', 33), '2001:db8:8000::/33')
  t.equal(clientKey('2001:db8::1', 128), '2001:db8::1/128')
  t.equal(clientKey('nonsense', 64), '')
  t.end()
})

t.test('blocks hold what they say', (t) => {
  const inside = makeCidrMatcher(['10.0.0.0/8', '192.0.2.7', '2001:db8::/33', '::1', '::ffff:172.16.0.0/108'])
  for (const address of ['10.1.2.3', '192.0.2.7', '2001:db8:7fff::1', '::1', '::ffff:10.0.0.1', '172.31.255.255']) {
    t.equal(inside(address), true, address)
  }
  for (const address of ['11.0.0.0', '192.0.2.8', '2001:db8:8000::', '::2', '172.32.0.1', '', 'x', '::a00:1']) {
    t.equal(inside(address), false, address)
    t.equal(inside(address), false, `${address} again`)
  }
  t.equal(makeCidrMatcher([])('127.0.0.1'), false)
  t.equal(makeCidrMatcher(['0.0.0.0/0'])('203.0.113.1'), true)
  t.equal(makeCidrMatcher(['0.0.0.0/0'])('::1'), false)
  t.equal(makeCidrMatcher(['::/0'])('2001:db8::1'), true)
  for (const bad of ['10.0.0.0/33', 'x/8', '10.0.0.0/', '10.0.0.0/-1', '::/129', '::ffff:0.0.0.0/90', '10/8']) {
    t.throws(() => makeCidrMatcher([bad]), RangeError, bad)
  }
  t.end()
})

t.test('the shortest form means the same address as URL gives it', (t) => {
  const group = fc.oneof(fc.constant(0), fc.constant(0), fc.nat(0xffff))
  fc.assert(
    fc.property(fc.array(group, { minLength: 8, maxLength: 8 }), fc.integer({ min: 0, max: 128 }), (groups, bits) => {
      const text = groups.map((each) => each.toString(16)).join(':')
      const normal = normaliseAddress(text)
      if (!normal.includes(':')) return
      const byUrl = new URL(`http://[${text}]/`).hostname.slice(1, -1)
      if (normal !== byUrl) throw new Error(`${text}: ${normal}, ${byUrl}`)
      const key = clientKey(text, bits)
      const network = key.slice(0, key.indexOf('/'))
      if (!isIPv6(network)) throw new Error(key)
      if (!makeCidrMatcher([`${normal}/${bits}`])(network) && normaliseAddress(network).includes(':'))
        throw new Error(key)
    }),
    { seed: 1, numRuns: 3000 },
  )
  t.end()
})

t.test('membership is that of the leading bits', (t) => {
  const bytes = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255))
  const number = (parts: readonly number[]) => parts.reduce((sum, part) => sum * 256 + part, 0)
  fc.assert(
    fc.property(bytes, fc.integer({ min: 0, max: 32 }), fc.nat(31), (block, bits, flip) => {
      const other = (number(block) ^ (1 << flip)) >>> 0
      const address = [24, 16, 8, 0].map((shift) => (other >>> shift) & 255).join('.')
      return makeCidrMatcher([`${block.join('.')}/${bits}`])(address) === 31 - flip >= bits
    }),
    { seed: 2, numRuns: 2000 },
  )
  t.end()
})
