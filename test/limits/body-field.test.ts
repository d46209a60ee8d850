/** The field of a body that a limit counts by: two spellings are one name, and a name that stands twice is seen. */
import fc from 'fast-check'
import t from 'tap'
import { countMembers, readBodyField } from '../../src/limits/body-field.ts'
import { fakeExchange } from '../kit/fake-client.ts'

function read(body: string, type = 'application/json', more: string[] = []) {
  const { x } = fakeExchange({ headers: ['content-type', type, ...more], bodyLength: body.length })
  x.bodyBytes = Buffer.from(body)
  return readBodyField(x, 'user')
}

t.test('JSON and forms', async (t) => {
  t.same(read('{"user":"anna"}'), { value: 'anna' })
  t.same(read('{"user":" ANNA\\u0020","password":"x"}'), { value: 'anna' }, 'case and spaces around do not matter')
  t.same(read('{"user":"\uff21nna"}'), { value: 'anna' }, 'nor wide letters')
  t.same(read('{"user":7}', 'application/vnd.x+json; charset=utf-8'), { value: '7' })
  t.same(read('password=x&user=An+na', 'application/x-www-form-urlencoded'), { value: 'an na' })
  for (const none of [
    '{}',
    '[]',
    '{"user":{}}',
    '{"user":""}',
    '{"a":{"user":"anna"}}',
    '{"user":',
    '"user"',
    'null',
    '',
  ])
    t.equal(read(none), null, none)
  t.equal(read('{"user":"anna"}', 'text/plain'), null)
  t.equal(read('{"user":"anna"}', 'application/json', ['content-encoding', 'gzip']), null)
  t.equal(read('{"toString":1}'), null)
})

t.test('what stands twice is told, however it is written', async (t) => {
  t.equal(read('{"user":"a","user":"b"}'), 'repeated')
  t.equal(read('{"user":"a","x":{"user":[]},"\\u0075ser":"b"}'), 'repeated')
  t.equal(read('user=a&user=b', 'application/x-www-form-urlencoded'), 'repeated')
  t.equal(read('user=a&%75ser=b', 'application/x-www-form-urlencoded'), 'repeated')
  t.same(read('{"user":"a","x":{"user":"b"},"y":["user",{"user":1}],"z":"user"}'), { value: 'a' })
})

t.test('members are counted as they were written', async (t) => {
  const escaped = fc.string({ maxLength: 6, unit: fc.constantFrom('u', '"', '\\', '{', ',', ':', '[', '\n', 'é') })
  fc.assert(
    fc.property(fc.array(fc.tuple(escaped, fc.jsonValue()), { maxLength: 8 }), escaped, (members, name) => {
      const text = `{${members.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`).join(' , ')}}`
      return countMembers(text, name) === members.filter(([key]) => key === name).length
    }),
    { seed: 11, numRuns: 500 },
  )
  t.pass()
})

t.test('a long body of quotes costs no more than its length', async (t) => {
  const text = `{${Array.from({ length: 5000 }, (_, i) => `"a${i}":"\\\\\\""`).join(',')}}`
  t.equal(countMembers(text, 'user'), 0)
  t.equal(countMembers(JSON.stringify({ user: '"'.repeat(30_000) }), 'user'), 1)
})
