/** Fields of answers: the own origin becomes the public one, others stay, the inside does not leave. */
import fc from 'fast-check'
import t from 'tap'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { makeTranslation, type Translation } from '../../src/http/path-pattern.ts'
import { AnswerCare } from '../../src/upstream/answer-care.ts'

const x = { host: 'chat.example.com', authority: 'chat.example.com', scheme: 'https' } as unknown as Exchange
const counted: string[] = []
const care = (publicPath: Translation | null = null, mayCarry: string[] = []): AnswerCare =>
  new AnswerCare(
    {
      authorities: new Set(['10.2.0.11:3000', 'node1:3000']),
      ...{ names: ['node1', 'db.corp.example'], mayCarry: new Set(mayCarry), publicPath },
      cookies: { readable: [], sameSite: 'lax' },
    },
    { count: (_name, label) => void counted.push(label) },
  )
const strips = makeTranslation('/*', '/chat/*')
const replaces = makeTranslation('/v2/*', '/*')
const location = (value: string, publicPath: Translation | null = null): string =>
  care(publicPath).tidy(x, ['location', value])[1] ?? 'dropped'

t.test('Location of the service becomes public', (t) => {
  t.equal(location('http://10.2.0.11:3000/a?b#c'), 'https://chat.example.com/a?b#c')
  t.equal(location('//NODE1:3000/a'), 'https://chat.example.com/a')
  t.equal(location('http://10.2.0.11:3000'), 'https://chat.example.com/')
  t.equal(location('http://10.2.0.11:3000?x=1'), 'https://chat.example.com/?x=1')
  t.equal(location('http://chat.example.com/a'), 'https://chat.example.com/a', 'no way back to plain HTTP')
  t.equal(location('http://10.2.0.11:3000/a', strips), 'https://chat.example.com/chat/a')
  t.equal(location('/a?next=/b', strips), '/chat/a?next=/b')
  t.equal(location('/v2/a', replaces), '/a')
  t.equal(location('/login', replaces), '/login')
  t.end()
})

t.test('others stay as they are', (t) => {
  for (const value of [
    'https://login.example.com/a',
    'relative/path',
    '?x=1',
    'https://chat.example.com.evil.org/',
    'mailto:a@example.com',
  ]) {
    t.equal(location(value, strips), value)
  }
  t.end()
})

t.test('no rewriting makes a way to another host', (t) => {
  t.equal(location('/v2//evil.com', replaces), 'https://chat.example.com//evil.com')
  t.equal(location('/v2/\\evil.com', replaces), 'https://chat.example.com/\\evil.com')
  t.equal(location('/v2/\t/evil.com', replaces), 'https://chat.example.com/\t/evil.com')
  t.equal(location('http://10.2.0.11:3000@evil.com/', strips), 'dropped', 'credentials are no host')
  t.end()
})

t.test('what leads inside goes', (t) => {
  t.equal(location('http://10.9.9.9/secret'), 'dropped')
  t.equal(location('http://node1/'), 'dropped')
  t.equal(location('/x?via=192.168.0.1'), 'dropped')
  t.same(care().tidy(x, ['x-node', '10.1.2.3', 'x-ok', '1', 'x-db', 'db.corp.example']), ['x-ok', '1'])
  t.same(care(null, ['x-node']).tidy(x, ['x-node', '10.1.2.3']), ['x-node', '10.1.2.3'])
  const same = ['x-ok', '1']
  t.equal(care().tidy(x, same), same)
  t.end()
})

t.test('Content-Location, Refresh, Link', (t) => {
  t.same(care(strips).tidy(x, ['content-location', '/a']), ['content-location', '/chat/a'])
  t.same(care().tidy(x, ['refresh', '5; URL="http://node1:3000/a"']), [
    'refresh',
    '5; URL="https://chat.example.com/a"',
  ])
  t.same(care(strips).tidy(x, ['link', '</a.css>; rel=preload, <http://10.2.0.11:3000/b>; rel=next']), [
    'link',
    '</chat/a.css>; rel=preload, <https://chat.example.com/chat/b>; rel=next',
  ])
  t.same(care().tidy(x, ['refresh', '5']), ['refresh', '5'])
  t.end()
})

t.test('heads are neutral where no route could change them', (t) => {
  t.equal(care().isNeutral(['content-type', 'text/html', 'etag', '"1"']), true)
  for (const field of [
    ['set-cookie', 'a=b'],
    ['location', '/'],
    ['x-node', '10.0.0.1'],
  ]) {
    t.equal(care(null, ['x-node']).isNeutral(field), false)
  }
  t.end()
})

t.test('nothing of the inside survives, and no line is added', (t) => {
  const piece = fc.constantFrom(
    'http://',
    '//',
    '10.2.0.11',
    ':3000',
    'node1',
    '/',
    '?',
    '#',
    '@',
    'a',
    '<',
    '>',
    ' ',
    ';url=',
    '5',
    '=',
  )
  const name = fc.constantFrom('location', 'link', 'refresh', 'content-location', 'set-cookie', 'x-any')
  fc.assert(
    fc.property(name, fc.array(piece, { maxLength: 12 }), (field, pieces) => {
      const [, value = ''] = care(strips).tidy(x, [field, pieces.join('')])
      return !/(?<![\d.])10\.2\.0\.11(?!\d)/.test(value) && !/[\r\n]/.test(value)
    }),
    { seed: 5, numRuns: 3000 },
  )
  t.end()
})
