/** What stands for a path in another pattern: there and back, never out of the pattern. */
import fc from 'fast-check'
import t from 'tap'
import { makeTranslation, PATH_PATTERN, samePaths } from '../../src/http/path-pattern.ts'
import { normalisePath } from '../../src/http/target.ts'

const translate = (from: string, to: string, path: string): string | null => makeTranslation(from, to)!(path)

t.test('names and the rest stand for what they stood for', (t) => {
  t.equal(translate('/chat/*', '/*', '/chat/a/b'), '/a/b')
  t.equal(translate('/chat/*', '/*', '/chat/'), '/')
  t.equal(translate('/chat/*', '/v2/chat/*', '/chat/a/'), '/v2/chat/a/')
  t.equal(translate('/chats/{id}/messages', '/rooms/{id}', '/chats/42/messages'), '/rooms/42')
  t.equal(translate('/{a}/{b}/*', '/x/{b}/{a}/*', '/1/2/3/4'), '/x/2/1/3/4')
  t.equal(translate('/old', '/new', '/old'), '/new')
  t.end()
})

t.test('what does not fit is not translated', (t) => {
  for (const path of ['/chats', '/chats/', '/chats//messages', '/other/1/messages', '/chats/1/messages/', '*']) {
    t.equal(translate('/chats/{id}/messages', '/rooms/{id}', path), null, path)
  }
  t.equal(makeTranslation('/a/{id}', '/b/{other}'), null)
  t.equal(makeTranslation('/a/{id}', '/b/*'), null)
  t.end()
})

t.test('segments are whole, named, and the rest is the last', (t) => {
  for (const path of ['/', '/a', '/a/', '/{a}', '/{a}/*', '/*', '/a.b/-']) t.ok(PATH_PATTERN.test(path), path)
  for (const path of ['', 'a', '/a*', '/*/a', '/a{b}', '/{}', '/{1}', '/{a b}', '/a?b', '/%41', '/a\\b', '/{a}{b}']) {
    t.notOk(PATH_PATTERN.test(path), path)
  }
  t.equal(samePaths('/a/{x}/{y}/*'), samePaths('/a/{y}/{z}/*'))
  t.end()
})

t.test('a normal path becomes a normal path, and comes back', (t) => {
  const segment = fc.stringMatching(/^[a-z0-9%~._-]{1,8}$/)
  const path = fc
    .array(segment, { minLength: 1, maxLength: 6 })
    .map((parts) => normalisePath(`/chat/${parts.join('/')}`))
    .filter((one): one is string => one?.startsWith('/chat/') === true)
  fc.assert(
    fc.property(path, fc.constantFrom('/*', '/v2/*', '/a/b/c/*'), (one, to) => {
      const there = translate('/chat/*', to, one)!
      return normalisePath(there) === there && translate(to, '/chat/*', there) === one
    }),
    { seed: 8, numRuns: 1000 },
  )
  t.end()
})
