import fc from 'fast-check'
import t from 'tap'
import { canonicalHost, matchHost, parseAuthority } from '../../src/http/host.ts'

t.test('a host has one spelling', (t) => {
  const table: [string, string, number][] = [
    ['Chat.Example.COM', 'chat.example.com', -1],
    ['chat.example.com:8443', 'chat.example.com', 8443],
    ['chat.example.com.', 'chat.example.com', -1],
    ['localhost', 'localhost', -1],
    ['xn--bcher-kva.example', 'xn--bcher-kva.example', -1],
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['[::1]', '[::1]', -1],
    ['[2001:DB8:0:0::1]:443', '[2001:db8::1]', 443],
    ['[::ffff:10.0.0.1]', '[::ffff:10.0.0.1]', -1],
    ['a-b.c1', 'a-b.c1', -1],
  ]
  for (const [text, host, port] of table) t.same(parseAuthority(text), { host, port }, text)
  t.end()
})

t.test('anything odd is no host', (t) => {
  const refused = [
    ...['', '.', '..', 'a..b', '.a', 'a.b..', '-a', 'a-', 'a_b', 'a b', ' a', 'a ', 'a\t', 'a/b', 'a?b', 'a#b', 'a\\b'],
    ...['u@h', 'u:p@h', '@h', 'a%2eb', 'a,b', 'a;b', "a'b", 'a*', '*.a', 'é.example', 'a\x00', 'a\r\nb', 'a:', 'a:0'],
    ...['a:080', 'a:65536', 'a:-1', 'a:+1', 'a:1:2', 'a:x', ':80', '127.1', '0x7f.1', '2130706433', '0x7f000001'],
    ...['256.1.1.1', '1.2.3.4.5', '1.2.3.4.', '01.2.3.4', 'a.1', '::1', '[::1', '::1]', '[]', '[g::1]', '[::1%25eth0]'],
    ...['[fe80::1%eth0]', '[::1]x', '[::1]:', '[1.2.3.4]', '[v1.x]', `${'a'.repeat(64)}.b`, `${'a.'.repeat(127)}bc`],
  ]
  for (const text of refused) t.equal(parseAuthority(text), null, JSON.stringify(text))
  t.end()
})

t.test('hosts of the configuration get the same spelling', (t) => {
  t.equal(canonicalHost('::1'), '[::1]')
  t.equal(canonicalHost('[::1]'), '[::1]')
  t.equal(canonicalHost('*.Example.com'), '*.example.com')
  t.equal(canonicalHost('a.example'), 'a.example')
  for (const text of ['a:80', '*.', '*', '*.*.a', '*.1.2.3.4', '*.[::1]', 'fe80::1%eth0'])
    t.equal(canonicalHost(text), null)
  t.end()
})

t.test('a wildcard stands for one or more labels, never for none', (t) => {
  const hosts = new Set(['chat.example.com', '*.agents.example.com'])
  t.equal(matchHost(hosts, 'chat.example.com'), true)
  t.equal(matchHost(hosts, 'a.agents.example.com'), true)
  t.equal(matchHost(hosts, 'a.b.agents.example.com'), true)
  for (const host of ['agents.example.com', 'xagents.example.com', 'example.com', 'chat.example.com.evil', '']) {
    t.equal(matchHost(hosts, host), false, host)
  }
  t.end()
})

t.test('what is read once reads the same again, and agrees with URL', (t) => {
  const part = fc.constantFrom(
    'a',
    'B',
    '.',
    '-',
    '1',
    '0x',
    '[',
    ']',
    ':',
    '::',
    '@',
    '%',
    '127',
    'example',
    ' ',
    '/',
    '_',
  )
  fc.assert(
    fc.property(fc.array(part, { maxLength: 12 }), (parts) => {
      const text = parts.join('')
      const found = parseAuthority(text)
      if (found === null) return
      const again = parseAuthority(found.port === -1 ? found.host : `${found.host}:${found.port}`)
      if (again?.host !== found.host || again.port !== found.port) throw new Error(text)
      const url = new URL(`http://${text.replace(/\.(?=:|$)/, '')}/`)
      if (url.hostname !== found.host && !found.host.startsWith('[::ffff:')) throw new Error(`${text} ${url.hostname}`)
    }),
    { seed: 1, numRuns: 20_000, examples: [[['xn--a']]].slice(1) as [string[]][] },
  )
  t.end()
})
