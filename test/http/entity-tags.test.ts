/** Entity tags, weak and strong, alone and in lists. */
import fc from 'fast-check'
import t from 'tap'
import { hasOnlyWeak, strongTags, weakTag } from '../../src/http/entity-tags.ts'

t.test('a tag has one weak form', (t) => {
  t.equal(weakTag('"a"'), 'W/"a"')
  t.equal(weakTag('W/"a"'), 'W/"a"')
  t.equal(weakTag('""'), 'W/""')
  for (const none of ['a', '"a', 'w/"a"', '"a" ', '"a"b"', 'W/a', '']) t.equal(weakTag(none), null, none)
  t.end()
})

t.test('lists', (t) => {
  t.equal(strongTags('W/"a", "b",W/"c,W/d"'), '"a", "b","c,W/d"')
  t.equal(strongTags('"aW/","b"'), '"aW/","b"', 'what stands in a tag is no mark')
  t.equal(strongTags('*'), '*')
  t.ok(hasOnlyWeak('"x", W/"a"', '"a"'))
  t.notOk(hasOnlyWeak('"a"', '"a"'))
  t.notOk(hasOnlyWeak('W/"a", "a"', '"a"'), 'who has the strong one has those bytes')
  t.notOk(hasOnlyWeak('W/"ab"', '"a"'))
  t.notOk(hasOnlyWeak('*', '"a"'))
  t.notOk(hasOnlyWeak('W/"a"', 'W/"a"'), 'a tag that is weak by its service')
  t.end()
})

t.test('properties', (t) => {
  const tag = fc.stringMatching(/^[\x21\x23-\x7e]{0,12}$/).map((text) => `"${text}"`)
  fc.assert(
    fc.property(fc.array(fc.tuple(tag, fc.boolean()), { minLength: 1, maxLength: 6 }), (list) => {
      const written = list.map(([each, isWeak]) => (isWeak ? `W/${each}` : each)).join(', ')
      t.equal(strongTags(written), list.map(([each]) => each).join(', '))
      for (const [each] of list) {
        const isStrongToo = list.some(([other, isWeak]) => other === each && !isWeak)
        t.equal(hasOnlyWeak(written, each), !isStrongToo)
      }
    }),
    { seed: 71, numRuns: 1000 },
  )
  t.end()
})
