import t from 'tap'
import { getHeader, hasToken } from '../../src/http/headers.ts'

t.test('a token is found in a list in any case', (t) => {
  t.equal(hasToken('keep-alive, Upgrade', 'upgrade'), true)
  t.equal(hasToken('upgraded', 'upgrade'), false)
  t.equal(hasToken(null, 'upgrade'), false)
  t.end()
})

t.test('the first value of a field is found', (t) => {
  t.equal(getHeader(['a', '1', 'a', '2'], 'a'), '1')
  t.equal(getHeader(['a', '1'], 'b'), null)
  t.end()
})
