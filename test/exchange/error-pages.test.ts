/** Pages of the operator's own: the nearest one, filled in with what is safe to say. */
import t from 'tap'
import { Failure } from '../../src/errors.ts'
import { ErrorPages } from '../../src/exchange/error-pages.ts'
import { describeProblem } from '../../src/exchange/problem.ts'

const pages = new ErrorPages(
  new Map([
    ['404', '<p>nothing: {{status}} {{requestId}} {{host}}</p>'],
    ['5xx', 'broken'],
    ['maintenance', 'back soon'],
  ]),
)
const page = (code: ConstructorParameters<typeof Failure>[0]): string | null =>
  pages.page(new Failure(code, 'secret detail'), 'id-1')?.toString() ?? null

t.test('by code, status, class', (t) => {
  t.equal(page('no-route'), '<p>nothing: 404 id-1 {{host}}</p>', 'other places are no places')
  t.equal(page('upstream-timeout'), 'broken')
  t.equal(page('maintenance'), 'back soon')
  t.equal(page('wrong-method'), null)
  t.end()
})

t.test('for those who accept HTML; programs get JSON', (t) => {
  const told = (accept: string[]) => describeProblem(new Failure('no-route'), accept, 'id-1', pages)
  t.equal(told(['accept', 'text/html,*/*']).type, 'text/html; charset=utf-8')
  t.match(told(['accept', 'text/html,*/*']).body.toString(), /^<p>nothing/)
  t.equal(told(['accept', 'application/json']).type, 'application/problem+json')
  t.equal(told([]).type, 'application/problem+json')
  t.end()
})
