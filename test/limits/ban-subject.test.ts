/** What may be banned, in which spelling, and that it is found whatever else is banned; bans over a change of the store. */
import { BlockList } from 'node:net'
import fc from 'fast-check'
import t from 'tap'
import { BanList } from '../../src/limits/ban-list.ts'
import { parseSubject } from '../../src/limits/ban-subject.ts'
import { Bans } from '../../src/limits/bans.ts'

const wish = (subject: string, forMs = 60_000) => ({ subject, forMs, reason: 'test' })

t.test('one spelling for one subject', async (t) => {
  for (const [text, subject] of [
    ['192.0.2.1', '192.0.2.1'],
    ['192.0.2.1/32', '192.0.2.1'],
    ['192.0.2.77/24', '192.0.2.0/24'],
    ['2001:0DB8:0:0::1', '2001:db8::1'],
    ['2001:db8::1/64', '2001:db8::/64'],
    ['::ffff:192.0.2.1', '192.0.2.1'],
    ['user:anna', 'user:anna'],
  ] as const)
    t.same(parseSubject(text), { subject }, text)
  for (const text of ['', 'x', '192.0.2', '192.0.2.1/33', '192.0.2.1/', '10.0.0.0/-1', '::1/129', 'user:', 'user:a\nb'])
    t.ok('problem' in parseSubject(text), text)
  t.match(parseSubject('0.0.0.0/0'), { problem: /too wide/ })
  t.match(parseSubject('::/0'), { problem: /too wide/ })
})

t.test('bans hold until their end, but not for exempt addresses', async (t) => {
  let nowMs = Date.now()
  let told = 0
  const bans = new Bans(
    () => told++,
    () => nowMs,
  )
  t.equal(bans.isAddressBanned('192.0.2.4'), false)
  t.match(await bans.add(wish('192.0.2.4')), { problem: /yet/ })
  bans.configure(new BanList(), ['192.0.2.5'])
  t.match(await bans.add(wish('192.0.2.0/24')), { subject: '192.0.2.0/24', reason: 'test' })
  t.match(await bans.add(wish('user:anna', 0)), { subject: 'user:anna' })
  t.equal(bans.isAddressBanned('192.0.2.4'), true)
  t.equal(bans.isAddressBanned('192.0.2.5'), false)
  t.equal(bans.isUserBanned('anna'), true)
  t.equal(bans.isUserBanned(''), false)
  t.match(await bans.add(wish('nobody')), { problem: /is not an address/ })
  const other = new BanList()
  bans.configure(other, [])
  t.equal(bans.isAddressBanned('192.0.2.5'), true, 'what held goes on in a new store')
  nowMs += 61_000
  t.equal(bans.isAddressBanned('192.0.2.4'), false, 'over')
  t.same(
    bans.all().map(({ subject }) => subject),
    ['user:anna'],
  )
  t.equal(await bans.remove('user:anna'), true)
  t.equal(await bans.remove('user:anna'), false)
  await new Promise((wake) => setTimeout(wake, 60))
  t.ok(told > 0)
})

t.test('a full list says so', async (t) => {
  const list = new BanList()
  const bans = new Bans(() => {})
  bans.configure(list, [])
  const until = Date.now() + 60_000
  const full = Array.from({ length: 10_000 }, (_, i) => `10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`)
  list.replace(new Map(full.map((subject) => [subject, { subject, until, reason: '' }])))
  t.match(await bans.add(wish('192.0.2.1')), { problem: /too many/ })
  t.match(await bans.add(wish('10.0.0.7', 99_000)), { subject: '10.0.0.7' })
})

t.test("it finds what Node's block list finds", async (t) => {
  const byte = fc.integer({ min: 0, max: 3 })
  const address = fc
    .tuple(fc.boolean(), byte, byte, byte)
    .map(([isIpv6, a, b, c]) => (isIpv6 ? `2001:db8:${a}:${b}::${c}` : `10.${a}.${b}.${c}`))
  const block = fc
    .tuple(address, fc.integer({ min: 0, max: 1000 }))
    .map(([host, n]) => `${host}/${host.includes(':') ? 20 + (n % 109) : 8 + (n % 25)}`)
  const familyOf = (host: string) => (host.includes(':') ? 'ipv6' : 'ipv4')
  await fc.assert(
    fc.asyncProperty(
      fc.array(block, { maxLength: 8 }),
      fc.array(address, { minLength: 5, maxLength: 5 }),
      async (blocks, hosts) => {
        const bans = new Bans(() => {})
        bans.configure(new BanList(), [])
        const other = new BlockList()
        for (const each of blocks) {
          await bans.add(wish(each))
          const [host, bits] = each.split('/') as [string, string]
          other.addSubnet(host, Number(bits), familyOf(host))
        }
        return hosts.every((host) => bans.isAddressBanned(host) === other.check(host, familyOf(host)))
      },
    ),
    { seed: 7, numRuns: 300 },
  )
  t.pass()
})
