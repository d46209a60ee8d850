import fc from 'fast-check'
import t from 'tap'
import { normalisePath, parseTarget } from '../../src/http/target.ts'

const NORMAL: [string, string][] = [
  ['/', '/'],
  ['/api/messages', '/api/messages'],
  ['/api/messages/', '/api/messages/'],
  ['/%61pi', '/api'],
  ['/%7euser', '/~user'],
  ['/a%2bb', '/a%2Bb'],
  ['/a//b///c', '/a/b/c'],
  ['//', '/'],
  ['//evil.example/x', '/evil.example/x'],
  ['/a/./b', '/a/b'],
  ['/a/../b', '/b'],
  ['/a/b/..', '/a/'],
  ['/a/b/.', '/a/b/'],
  ['/a/..', '/'],
  ['/a/%2e%2E/b', '/b'],
  ['/a/.%2e/b', '/b'],
  ['/a//../b', '/b'],
  ['/.well-known/acme', '/.well-known/acme'],
  ['/a/...', '/a/...'],
  ['/a/..b', '/a/..b'],
  ['/%E2%82%ac', '/%E2%82%AC'],
  ['/%f0%9f%98%80', '/%F0%9F%98%80'],
  ['/a;v=1/b', '/a;v=1/b'],
  ['/a|b"c<d>[e]{f}^`', '/a%7Cb%22c%3Cd%3E%5Be%5D%7Bf%7D%5E%60'],
  ['/a%20b', '/a%20b'],
  ['/%252e%252e/x', '/%252e%252e/x'],
  ['/%25%32%65', '/%252e'],
  ['/a%2fb', '/a%2Fb'],
  ['/a%5cb', '/a%5Cb'],
]

const REFUSED = [
  '',
  'a',
  '*',
  '/..',
  '/../a',
  '/a/../../b',
  '/%2e%2e/a',
  '/a\\b',
  '/a b',
  '/a#b',
  '/a%',
  '/a%2',
  '/a%zz',
  '/a%u0041',
  '/a%00',
  '/a%0d%0aX:1',
  '/a%1f',
  '/a%7f',
  '/a\x00',
  '/a\x7f',
  '/a\tb',
  '/\u00e9',
  '/\u0100',
  '/%c0%ae%c0%ae/x',
  '/%c0%af',
  '/%e0%80%af',
  '/%ed%a0%80',
  '/%ff',
  '/%e2%82',
  '/%c2%85',
  '/%f4%90%80%80',
  '/..;/admin',
  '/a/..;x=1/admin',
  '/a/..%3b/admin',
  '/a/.;/admin',
  '/files/..%2fsecret',
  '/files/%2e%2e%2Fsecret',
  '/files/a%2f..',
  '/files/a%5c..%5cb',
  '/files/..%5c..;x',
]

t.test('a path has one normal form', (t) => {
  for (const [raw, normal] of NORMAL) t.equal(normalisePath(raw), normal, raw)
  t.end()
})

t.test('an ambiguous or broken path is refused', (t) => {
  for (const raw of REFUSED) t.equal(normalisePath(raw), null, JSON.stringify(raw))
  t.end()
})

t.test('an encoded slash is kept and reported', (t) => {
  t.equal(parseTarget('/a%2fb', 'GET')?.hasEncodedSlash, true)
  t.equal(parseTarget('/a%5cb', 'GET')?.hasEncodedSlash, true)
  t.equal(parseTarget('/a%252fb', 'GET')?.hasEncodedSlash, false)
  t.equal(parseTarget('/a?x=%2f', 'GET')?.hasEncodedSlash, false)
  t.end()
})

t.test('the query stays as it came', (t) => {
  const kept = ['', '?', '?a=1&b=%2f..%2F', '?q=a+b%20c', '?a=1?b=2', '?x={"a":[1|2]}', '?%0d%0a', '?a\\b']
  for (const query of kept) t.equal(parseTarget(`/x${query}`, 'GET')?.query, query, query)
  for (const query of ['?a b', '?a#b', '?%', '?%4', '?%zz', '?%00', '?\x01', '?\x7f', '?\u00e9']) {
    t.equal(parseTarget(`/x${query}`, 'GET'), null, JSON.stringify(query))
  }
  t.end()
})

t.test('the asterisk is for OPTIONS only', (t) => {
  t.match(parseTarget('*', 'OPTIONS'), { path: '*', authority: null })
  t.equal(parseTarget('*', 'GET'), null)
  t.equal(parseTarget('**', 'OPTIONS'), null)
  t.end()
})

t.test('the absolute form tells its authority', (t) => {
  t.match(parseTarget('http://Chat.Example.com/a/../b?q', 'GET'), {
    path: '/b',
    query: '?q',
    authority: { host: 'chat.example.com', port: -1 },
  })
  t.match(parseTarget('HTTPS://h:8443', 'GET'), { path: '/', authority: { host: 'h', port: 8443 } })
  t.match(parseTarget('https://h?x', 'GET'), { path: '/', query: '?x' })
  t.match(parseTarget('https://h', 'OPTIONS'), { path: '*' })
  for (const bad of ['ftp://h/', 'http:///a', 'http://u@h/', 'http://h:99999/', 'http:/h', 'http://h\\@x/', 'h:443']) {
    t.equal(parseTarget(bad, 'GET'), null, bad)
  }
  t.end()
})

const piece = fc.constantFrom(
  ...[
    '/',
    '.',
    '..',
    'a',
    'B',
    '%',
    '%2e',
    '%2E',
    '%2f',
    '%5C',
    '%41',
    '%c3%a9',
    '%25',
    '2',
    'e',
    ';',
    '%3b',
    '\\',
    '?',
  ],
  ...['//', '%00', '|', '~', '%7e', '%c0', ':', '@'],
)
const somePath = fc.array(piece, { maxLength: 24 }).map((pieces) => `/${pieces.join('')}`)

t.test('normalising twice changes nothing more', (t) => {
  fc.assert(
    fc.property(
      fc.oneof(
        somePath,
        fc.string().map((text) => `/${text}`),
        fc.webPath(),
      ),
      (raw) => {
        const once = normalisePath(raw)
        return once === null || normalisePath(once) === once
      },
    ),
    { seed: 1, numRuns: 20_000 },
  )
  t.end()
})

t.test('a normal form holds nothing that an upstream could read otherwise', (t) => {
  fc.assert(
    fc.property(somePath, (raw) => {
      const path = normalisePath(raw)
      if (path === null) return
      if (!/^\/[!-~]*$/.test(path) || path.includes('//') || path.includes('\\')) throw new Error(path)
      // What the upstream sees after decoding has the same segments, and none of them climbs.
      for (const segment of decodeURIComponent(path).split(/[/\\]/)) {
        if (/^\.\.?(?:;|$)/.test(segment)) throw new Error(path)
      }
      if (/%(?![0-9A-F]{2})/.test(path.replaceAll(/%25[0-9a-f]{2}/g, ''))) throw new Error(path)
    }),
    { seed: 2, numRuns: 20_000 },
  )
  t.end()
})

t.test('every spelling of a path of unreserved characters reaches its normal form', (t) => {
  const plain = fc.array(fc.stringMatching(/^[A-Za-z0-9_~-]{1,8}$/), { minLength: 1, maxLength: 5 })
  fc.assert(
    fc.property(plain, fc.infiniteStream(fc.nat(5)), (segments, choices) => {
      const dice = () => choices.next().value as number
      let spelled = ''
      for (const segment of segments) {
        spelled += ['/', '//', '/./', '/%2e/', '/x/../', '/y/%2E./'][dice()]
        for (const letter of segment) {
          const hex = letter.charCodeAt(0).toString(16)
          spelled += dice() === 0 ? `%${hex}` : dice() === 1 ? `%${hex.toUpperCase()}` : letter
        }
      }
      return normalisePath(spelled) === `/${segments.join('/')}`
    }),
    { seed: 3, numRuns: 3000 },
  )
  t.end()
})

t.test('no bytes make it throw', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), fc.constantFrom('GET', 'OPTIONS'), (text, method) => {
      parseTarget(text, method)
      parseTarget(`/${text}`, method)
      parseTarget(`http://${text}`, method)
    }),
    { seed: 4, numRuns: 5000 },
  )
  t.end()
})
