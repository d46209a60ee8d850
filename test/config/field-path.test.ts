import fc from 'fast-check'
import t from 'tap'
import { parseFieldPath } from '../../src/config/field-path.ts'

t.test('paths become segments', async (t) => {
  const key = (name: string) => ({ kind: 'key', name })
  t.same(parseFieldPath('$'), [])
  t.same(parseFieldPath('$.text'), [key('text')])
  t.same(parseFieldPath('$.parts[*].body'), [key('parts'), { kind: 'every' }, key('body')])
  t.same(parseFieldPath('$..caption'), [{ kind: 'deep', name: 'caption' }])
  t.same(parseFieldPath('$[0].text'), [{ kind: 'index', index: 0 }, key('text')])
  t.same(parseFieldPath('$.*["odd \\"name\\""]'), [{ kind: 'every' }, key('odd "name"')])
  t.same(parseFieldPath('$.größe.a-b._$'), [key('größe'), key('a-b'), key('_$')])
  t.same(parseFieldPath('$.a..b[12]'), [key('a'), { kind: 'deep', name: 'b' }, { kind: 'index', index: 12 }])
})

t.test('what is no path is told why', async (t) => {
  const wrong: [string, RegExp][] = [
    ['', /starts with "\$"/],
    ['text', /starts with "\$"/],
    ['$text', /"\." or "\[" is expected at character 2/],
    ['$.', /a name is expected at character 3/],
    ['$..*', /a name is expected at character 4/],
    ['$...a', /a name is expected at character 4/],
    ['$.a b', /"\." or "\[" is expected at character 4/],
    ['$[-1]', /is expected at character 2/],
    ['$[1', /is expected at character 2/],
    ['$[0001234]', /is expected at character 2/],
    ["$['a']", /is expected at character 2/],
    ['$["a]', /is expected at character 2/],
    [`$${'.a'.repeat(17)}`, /more than 16 steps/],
    ['$..a..b..c', /more than 2 "\.\."/],
    [`$.${'a'.repeat(300)}`, /more than 256 characters/],
  ]
  for (const [text, says] of wrong) t.match(parseFieldPath(text), says, text)
})

t.test('any text gives segments or a sentence, and segments are bounded', async () => {
  const piece = fc.oneof(fc.constantFrom('$', '.', '..', '[', ']', '[*]', '*', '"', '\\', 'a', '0'), fc.string())
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      const read = parseFieldPath(`$${pieces.join('')}`)
      return typeof read === 'string' ? read.startsWith('is ') : read.length <= 16
    }),
    { numRuns: 2000, seed: 20_261_101 },
  )
})
