import fc from 'fast-check'
import t from 'tap'
import { readsLikeAttributes } from '../../src/messages/attributes.ts'

const ATTRIBUTES = [
  ' href=x',
  ' a="b c"',
  " a='b' c",
  '/src/onerror=x',
  ' hidden class=x',
  ' x = y',
  ' x\n=\t"y"',
  ' href=https://example.com/?a=1&b=2',
  ' a="x"b="y"',
  ' x=1 /',
  ' @click=x :y=z',
  ' data-x=1',
  ' x ONCLICK=y',
]
const WORDS = [
  '',
  ' ',
  '/',
  ' b',
  ' b and c',
  ' && c==d || e',
  ' and c=d then e',
  ' a="never closed',
  " a='",
  ' a=',
  ' a==b',
  ' a=>b',
  ' a=<b>',
  ' & href=x',
  ' a, b=c',
  ' 1=2',
  ' "a"=b',
]

t.test('attributes are told from words', (t) => {
  for (const text of ATTRIBUTES) t.equal(readsLikeAttributes(text), true, text)
  for (const text of WORDS) t.equal(readsLikeAttributes(text), false, text)
  t.end()
})

t.test('any text is read to an end', (t) => {
  const pieces = fc.constantFrom('a', '=', '"', "'", ' ', '/', '<', '&', '\n', 'on', '-', ':')
  const property = fc.property(fc.array(pieces, { maxLength: 30 }), (each) => {
    return typeof readsLikeAttributes(each.join('')) === 'boolean'
  })
  fc.assert(property, { numRuns: 3000, seed: 2 })
  for (const piece of [' a', ' a=b', ' a="b"', '/', ' ', '=', '"', ' a="']) readsLikeAttributes(piece.repeat(20_000))
  t.end()
})
