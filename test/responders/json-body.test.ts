/** What counts as the members of a body. */
import t from 'tap'
import { readMembers } from '../../src/responders/json-body.ts'

t.test('an object, and nothing else', async (t) => {
  t.same(readMembers('{"a":1,"b":["c"]}'), { a: 1, b: ['c'] })
  t.same(readMembers('{}'), {})
  for (const text of ['', '{', '[]', '[{"a":1}]', 'null', '"a"', '1', 'true', '{"a":1} x']) {
    t.equal(readMembers(text), null, text)
  }
})
