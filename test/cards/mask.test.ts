import fc from 'fast-check'
import t from 'tap'
import { holdsCard, maskCardData, replaceCardData } from '../../src/cards/mask.ts'
import { FALSE_ALARMS, NEGATIVES } from './card-negatives.ts'
import { POSITIVES, readPositive, withCheckDigit } from './card-positives.ts'

const nobody = (): void => {}
const mask = (text: string): string => maskCardData(text, 'last4', nobody)
const RUNS = { seed: 20_261_122, numRuns: 400 }

t.test('no card is missed, and nothing but its digits changes', (t) => {
  t.ok(POSITIVES.length >= 300, `${POSITIVES.length} texts`)
  for (const row of POSITIVES) {
    const { text, masked } = readPositive(row)
    t.equal(mask(text), masked, JSON.stringify(row))
  }
  t.end()
})

t.test('of what is no card, at most one text in a hundred changes', (t) => {
  const all = [...NEGATIVES, ...FALSE_ALARMS]
  t.ok(all.length >= 300, `${all.length} texts`)
  const changed = all.filter((text) => mask(text) !== text)
  t.strictSame(changed, FALSE_ALARMS, 'these and no others')
  t.ok(changed.length / all.length <= 0.01)
  t.end()
})

t.test('masking twice changes nothing more', (t) => {
  for (const row of [...POSITIVES, ...NEGATIVES]) {
    for (const shown of ['last4', 'first6last4'] as const) {
      const once = maskCardData(readPositive(row).text, shown, nobody)
      t.equal(maskCardData(once, shown, nobody), once)
    }
  }
  const piece = fc.constantFrom(
    '4111',
    '1111',
    ' ',
    '-',
    '4',
    '12/27',
    'cvv',
    '123',
    '*',
    '\n',
    '5500005555555559',
    '.',
    '٤',
    'x',
    '&#52;',
    '<b>',
    ';',
    '=',
    '^',
    '%B',
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 24 }), (pieces) => {
      const once = mask(pieces.join(''))
      return mask(once) === once
    }),
    RUNS,
  )
  t.end()
})

t.test('first six and last four, where so much is asked for and enough is left', (t) => {
  const most = (text: string): string => maskCardData(text, 'first6last4', nobody)
  t.equal(most('4111 1111 1111 1111'), '4111 11** **** 1111')
  t.equal(most('378282246310005'), '378282*****0005')
  t.equal(most('30569309025904'), '**********5904')
  t.equal(
    most(withCheckDigit('676123456789012345')),
    `676123*********${withCheckDigit('676123456789012345').slice(-4)}`,
  )
  t.end()
})

t.test('whatever stands around a card, its middle never passes', (t) => {
  const number = fc
    .tuple(
      fc.constantFrom('4', '51', '55', '2221', '6011', '65', '3530'),
      fc.string({ unit: fc.constantFrom(...'0123456789'), minLength: 15, maxLength: 15 }),
    )
    .map(([start, rest]) => withCheckDigit((start + rest).slice(0, 15)))
    .filter((digits) => new Set(digits).size > 1)
  const words = fc.constantFrom(
    '',
    'hello ',
    'my card: ',
    '(',
    'привет ',
    '你好',
    '\n',
    'pay with ',
    '" ',
    '🙂',
    'ok, ',
    '!? ',
  )
  const gap = fc.constantFrom('', ' ', '-', '\u00a0', '\u2009', '\u200b', '.', '_', '\n', '\u2013')
  fc.assert(
    fc.property(words, number, gap, words, (before, digits, between, behind) => {
      const written = digits.match(/.{4}/g)!.join(between)
      const masked = mask(`${before}${written}${behind}`)
      return (
        masked === `${before}${'****'.repeat(3).match(/.{4}/g)!.join(between)}${between}${digits.slice(12)}${behind}`
      )
    }),
    { ...RUNS, numRuns: 1500 },
  )
  t.end()
})

t.test('any text at all can be masked, and a text of few digits is the very same', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (text) => {
      const masked = mask(text)
      return maskCardData(text, 'last4', nobody, 'bytes').length >= masked.length
    }),
    RUNS,
  )
  fc.assert(
    fc.property(
      fc.array(
        fc.constantFrom(
          '4111111111111111',
          '٤١١١١١١١١١١١١١١١',
          '𝟒𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏𝟏',
          'ü',
          'cvv 123',
          '&#52;111111111111111',
          ' ',
        ),
        { maxLength: 8 },
      ),
      (pieces) => {
        const text = pieces.join(' ')
        const same = maskCardData(text, 'last4', nobody, 'bytes')
        return Buffer.byteLength(same) === Buffer.byteLength(text)
      },
    ),
    RUNS,
  )
  t.end()
})

t.test('every card is told once, by its scheme', (t) => {
  const found: string[] = []
  maskCardData('4111111111111111 and 378282246310005, cvv 123 ;5555555555554444=271210100?', 'last4', (what) =>
    found.push(what),
  )
  t.strictSame(found.sort(), ['amex', 'code', 'mastercard', 'track', 'visa'])
  t.end()
})

t.test('long texts of one kind come to an end', (t) => {
  const kinds = [
    '4',
    '4 ',
    '4111 ',
    '4111111111111111 ',
    'cvv 1',
    '٤',
    '&',
    '<a ',
    '%B411111111111^',
    '&#52;',
    '4111-',
    '12345678 ',
    'AA12',
    ';4111111111111111=',
    '4111111111111111 DE89 ',
    'code 1',
    '4111,',
    '4111\n',
    '-',
    '1.',
  ]
  for (const kind of kinds) {
    const text = kind.repeat(Math.floor(65_536 / kind.length))
    t.equal(mask(mask(text)), mask(text), kind)
  }
  t.end()
})

t.test('in logs nothing of a number is left, whatever label it has', (t) => {
  t.equal(replaceCardData('/orders/4111111111111111/x', '[card]'), '/orders/[card]/x')
  t.equal(replaceCardData('/a/4111-1111-1111-1111/378282246310005', '[card]'), '/a/[card]/[card]')
  t.equal(replaceCardData('/a/%B4111111111111111^DOE^27121010000?', '[card]'), '/a/[card]')
  t.equal(replaceCardData('/a/1763812345678', '[card]'), '/a/1763812345678')
  t.equal(holdsCard('id=4111111111111111'), false, 'labelled')
  t.equal(holdsCard('text=4111111111111111'), true)
  t.end()
})
