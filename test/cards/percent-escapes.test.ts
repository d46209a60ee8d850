/** Cards in percent escapes, as a page that decodes them would show them, and the four digits on the front of a card. */
import fc from 'fast-check'
import t from 'tap'
import { holdsCard, maskCardData, replaceCardData } from '../../src/cards/mask.ts'
import { depthOf, unescapeAt } from '../../src/cards/percent-escapes.ts'

const mask = (text: string): string => maskCardData(text, 'last4', () => {})
const stars = (text: string): string => '*'.repeat(decodeURIComponent(text).length)

const decode = (text: string): string =>
  text.replace(/(?:%[0-9a-f]{2})+/gi, (escapes) => {
    try {
      return decodeURIComponent(escapes)
    } catch {
      return escapes
    }
  })

/** What came, and what goes on. */
const ESCAPED: [string, string][] = [
  ['%34%31%31%31%31%31%31%31%31%31%31%31%31%31%31%31', '************%31%31%31%31'],
  ['see http://x.example/?n=%34111111111111111', 'see http://x.example/?n=************1111'],
  ['4111%201111%201111%201111', '****%20****%20****%201111'],
  ['4111%2D1111%2d1111%2D1111', '****%2D****%2d****%2D1111'],
  ['4111%C2%A01111%C2%A01111%C2%A01111', '****%C2%A0****%C2%A0****%C2%A01111'],
  ['4111%E2%80%8B1111%E2%80%8B11111111', '****%E2%80%8B****%E2%80%8B****1111'],
  ['%EF%BC%94111111111111111', '************1111'],
  ['%D9%A4%D9%A1%D9%A1%D9%A1111111111111', '************1111'],
  ['%2534111111111111111', '************1111'],
  ['4111%25201111%25201111%25201111', '****%2520****%2520****%25201111'],
  ['%255500005555555559', '%25************5559'],
  ['card%3D4111111111111111%26x', 'card%3D************1111%26x'],
  ['4111111111111111%26cvv%3D123', '************1111%26cvv%3D***'],
  ['cvv%3A123', 'cvv%3A***'],
  // As they stand they are shown too: an escape behind a card does not hide it.
  ['4111111111111111%34', '************1111%34'],
  ['%34 4111111111111111', '%34 ************1111'],
  ...[
    '%25B4111111111111111%5EDOE%2FJOHN%5E27121010000000000000000%3F',
    '%3B4111111111111111%3D27121010000000000000%3F',
  ].map((track): [string, string] => [track, stars(track)]),
]

t.test('what a page would decode is masked, the rest stays as it was escaped', (t) => {
  for (const [text, masked] of ESCAPED) {
    t.equal(mask(text), masked, text)
    t.equal(mask(masked), masked, 'twice')
    if (!text.startsWith('cvv')) t.ok(holdsCard(text), text)
  }
  t.equal(replaceCardData('/pay/4111%201111%201111%201111/x', '[card]'), '/pay/[card]/x')
  t.end()
})

t.test('escapes that make no card stay', (t) => {
  for (const text of [
    '10%20%30%40%50%60%70%80%90%95%99%',
    'https://shop.example/?q=caf%C3%A9%20100%25%20arabica&page=12%2C13%2C14',
    'order%20number%204111111111111111',
    'order%3D4111111111111111',
    '%D0%B7%D0%B0%D0%BA%D0%B0%D0%B7%3A%204111111111111111',
    '550e8400%2De29b%2D41d4%2Da716%2D446655440000',
    '2027%2D12%2D31T23%3A59%3A59%2E123456789',
    '%F0%9F%98%80%F0%9F%98%80%201234%205678%209012',
    '+49%20151%20123%20456%2078',
    'DE89%203704%200044%200532%200130%2000',
    '%31%32%33%34%35%36%37%38%39%30%31%32%33%34%35%36',
    '%ff%fe%fd1234567890123456',
    '100% of 123, 50% of 456, 25% of 7890',
    '%25%25%25%25123456789012',
  ])
    t.equal(mask(text), text, text)
  t.end()
})

t.test('neither as it stands nor decoded once is a card left', (t) => {
  const piece = fc.constantFrom(
    ...['4111', '1111', '%34', '%31%31', '%20', '%2D', '%25', '%C2%A0', '%EF%BC%94', ' ', 'x'],
    ...['4111111111111111', '5500005555555559', '%2534', '%3B', '%3D', 'cvv', '%3A', '123', '12/27'],
  )
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 20 }), (pieces) => {
      const masked = mask(pieces.join(''))
      // What stands for a percent sign once more is another text's escape.
      const shown = decode(masked).replaceAll('%', '\u2030')
      return !holdsCard(masked) && !holdsCard(shown) && mask(masked) === masked
    }),
    { seed: 31, numRuns: 4000 },
  )
  t.end()
})

t.test('what is no UTF-8 stands for itself', (t) => {
  t.same(unescapeAt('%41', 0, 1), { code: 0x41, end: 3 })
  t.same(unescapeAt('%2541', 0, 1), { code: 37, end: 3 })
  t.same(unescapeAt('%2541', 0, 2), { code: 0x41, end: 5 })
  t.same(unescapeAt('%F0%9F%98%80', 0, 1), { code: 0x1f600, end: 12 })
  t.same(unescapeAt('%C0%B4', 0, 1), { code: 0x34, end: 6 }, 'a digit written too long is one for lax readers')
  for (const none of ['%', '%4', '%zz', '%80', '%C2', '%C2%41', '%E2%82', '%F8%88%80%80', '%F7%BF%BF%BF'])
    t.equal(unescapeAt(none, 0, 1), null, none)
  t.same(['', 'x%', '%zz', '%41', '%25', '%2541'].map(depthOf), [0, 0, 0, 1, 1, 2])
  t.end()
})

t.test('the four digits on the front of an American Express card', (t) => {
  for (const [text, masked] of [
    ['amex 378282246310005 1234 thanks', 'amex ***********0005 **** thanks'],
    ['3782 822463 10005, 1234 and hurry', '**** ****** *0005, **** and hurry'],
    ['378282246310005 and 1234 is the front code', '***********0005 and **** is the front code'],
    ['378282246310005, on the front: 1234', '***********0005, on the front: ****'],
    ['four-digit code 1234 for 378282246310005', 'four-digit code **** for ***********0005'],
    ['378282246310005 4DBC 1234', '***********0005 4DBC ****'],
    ['378282246310005 (1234 on the front)', '***********0005 (**** on the front)'],
    ['amex 378282246310005 1234', 'amex ***********0005 ****'],
    // Years, amounts, and what is no code of this brand.
    ['378282246310005 2027 was the year', '***********0005 2027 was the year'],
    ['378282246310005 1234 EUR', '***********0005 1234 EUR'],
    ['378282246310005 1234.50 was it', '***********0005 1234.50 was it'],
    ['4111111111111111 1234 thanks', '************1111 1234 thanks'],
    ['meet me on the front at 1234', 'meet me on the front at 1234'],
  ] as const)
    t.equal(mask(text), masked, text)
  t.end()
})
