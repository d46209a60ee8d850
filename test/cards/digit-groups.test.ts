/** Groups of digits and the words about cards near them, against the plain way to say what they are. */
import fc from 'fast-check'
import t from 'tap'
import { digitGroups } from '../../src/cards/digit-groups.ts'
import { CardWords } from '../../src/cards/surroundings.ts'

const pieces = fc.array(
  fc.constantFrom(
    '1',
    '42',
    '4111',
    ' ',
    '-',
    '.',
    ',',
    '\n',
    '/',
    '\\',
    '_',
    '|',
    '~',
    '    ',
    'x',
    '٤',
    'card ',
    ' exp 12/27 ',
  ),
  { maxLength: 40 },
)

t.test('runs are groups with up to four separators between them', (t) => {
  fc.assert(
    fc.property(pieces, (parts) => {
      const text = parts.join('')
      const { groups, runs } = digitGroups(text)
      const found: string[][] = []
      for (let i = 0; i + 1 < runs.length; i++) {
        const run: string[] = []
        for (let j = runs[i]!; j < runs[i + 1]!; j += 2) run.push(text.slice(groups[j], groups[j + 1]))
        found.push(run)
      }
      const expected = [...text.matchAll(/\d+(?:[ \n._\-/\\|,~]{1,4}\d+)*/g)].map(([run]) => run.match(/\d+/g))
      t.strictSame(found, expected)
    }),
    { seed: 11, numRuns: 2000 },
  )
  t.end()
})

t.test('words about a card count near a number only, in whatever order one asks', (t) => {
  const far = 'z'.repeat(2000)
  const text = `card 4111 ${far} 5500 ${far} 6011 exp ${far} 3000visa ${far} 1234`
  const words = new CardWords(text)
  const at = (number: string): boolean => {
    const start = text.indexOf(number)
    return words.isNear(start, start + number.length)
  }
  for (const order of [
    ['4111', '5500', '6011', '3000', '1234'],
    ['1234', '3000', '6011', '5500', '4111'],
    ['5500', '4111', '1234', '5500', '6011', '3000'],
  ]) {
    for (const number of order) t.equal(at(number), ['4111', '6011', '3000'].includes(number), `${number} of ${order}`)
  }
  t.end()
})
