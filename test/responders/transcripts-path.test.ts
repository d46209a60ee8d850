import fc from 'fast-check'
import t from 'tap'
import { isFitSegment, parseTranscriptPath, pathOf } from '../../src/responders/transcripts-path.ts'

t.test('names of transcripts are read, decoded once', (t) => {
  const table: [string, string][] = [
    ['/a.json', 'a.json'],
    ['/2026/11/a-b_c~1.html', '2026/11/a-b_c~1.html'],
    ['/a%20b.txt', 'a b.txt'],
    ['/%C3%BCber.json', '\u00fcber.json'],
    ['/%E5%AE%A2.json', '\u5ba2.json'],
    ['/100%25.txt', '100%.txt'],
    ['/a+b.txt', 'a+b.txt'],
    ['/a.b.json', 'a.b.json'],
    ['/%252e%252e/x.json', '%2e%2e/x.json'],
  ]
  for (const [path, name] of table) t.equal(parseTranscriptPath(path)?.name, name, path)
  t.end()
})

const HOSTILE_PATHS = [
  '/',
  '//',
  '',
  'a.json',
  '*',
  '/..',
  '/../a.json',
  '/../../etc/passwd',
  '/../../etc/passwd.txt',
  '/x/../a.json',
  '/x/../../secret.txt',
  '/./a.json',
  '/.',
  '/x/.',
  '/x/..',
  '/%2e%2e/secret.txt',
  '/%2E%2E/secret.txt',
  '/.%2e/secret.txt',
  '/%2e./secret.txt',
  '/..%2fsecret.txt',
  '/..%2Fsecret.txt',
  '/..%5csecret.txt',
  '/..\\secret.txt',
  '/x%2fa.json',
  '/%2fetc%2fpasswd.txt',
  '/%5c%5cserver%5cshare.txt',
  '/a.json%00.txt',
  '/a%00.json',
  '/a.json\0.txt',
  '/a%0a.json',
  '/a%0d%0aset-cookie:x.json',
  '/a%7f.json',
  '/a%C2%85.json',
  '/%c0%ae%c0%ae/secret.txt',
  '/%c0%af.json',
  '/%e0%80%ae.json',
  '/%ff.json',
  '/%ED%A0%80.json',
  '/%',
  '/%2',
  '/%zz.json',
  '/a%.json',
  '/%u002e%u002e/secret.txt',
  '/.hidden.json',
  '/.json',
  '/.git/config.txt',
  '/x/.hidden/a.json',
  '/%2ehidden.json',
  '/a.json/',
  '/a.json/.',
  '/a//b.json',
  '/a.json.',
  '/a.json%20',
  '/%20a.json',
  '/x./a.json',
  '/x%20/a.json',
  '/a.json::$DATA',
  '/a.txt:stream.txt',
  '/c:/a.txt',
  '/a*.json',
  '/a%3F.json',
  '/a%22.json',
  '/a%7Cb.txt',
  '/a%3Cb%3E.html',
  '/a%E2%80%AEnosj.json',
  '/a%E2%80%8B.json',
  '/a%EF%BB%BF.json',
  '/a%E2%80%A8.json',
  '/a',
  '/a.JSON',
  '/a.js',
  '/a.json.gz',
  '/a.jsonx',
  '/a..json',
  '/a.xhtml',
  '/a.svg',
  '/passwd',
  '/a/b/c/d/e/f/g/h/i.json',
  `/${'a'.repeat(256)}.json`,
  `/${'%C3%BC'.repeat(126)}.json`,
  `/${'a/'.repeat(2000)}a.json`,
  `/${'%61'.repeat(5000)}.json`,
]

t.test('hostile paths are no names', (t) => {
  t.ok(HOSTILE_PATHS.length >= 60)
  for (const path of HOSTILE_PATHS) t.equal(parseTranscriptPath(path), null, JSON.stringify(path.slice(0, 60)))
  t.end()
})

t.test('whatever is let through is a plain relative name', (t) => {
  const piece = fc.oneof(
    fc.constantFrom(
      '..',
      '.',
      '/',
      '%2f',
      '%2e',
      '%5c',
      '%00',
      '\\',
      '.json',
      '.html',
      '%25',
      '~',
      ' ',
      '%20',
      '\u202e',
    ),
    fc.string({ unit: 'binary', maxLength: 4 }),
    fc.stringMatching(/^[a-z0-9%]{0,6}$/),
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), (pieces) => {
      const found = parseTranscriptPath(`/${pieces.join('')}`)
      if (found === null) return true
      const parts = found.name.split('/')
      return (
        parts.length === found.segments.length &&
        parts.every((part) => part !== '' && !part.startsWith('.')) &&
        !/[\\\0-\x1f\x7f]/.test(found.name) &&
        /\.(json|html|txt)$/.test(found.name)
      )
    }),
    { seed: 21, numRuns: 2000 },
  )
  t.end()
})

t.test('the path of a name leads back to the name', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 5 }),
      (parts) => {
        const segments = [...parts, 'x.json']
        if (!segments.every(isFitSegment)) return true
        const name = segments.join('/')
        return parseTranscriptPath(pathOf(name))?.name === name
      },
    ),
    { seed: 22, numRuns: 500 },
  )
  t.end()
})
