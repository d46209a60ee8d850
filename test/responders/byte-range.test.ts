import fc from 'fast-check'
import t from 'tap'
import { readRange } from '../../src/responders/byte-range.ts'

t.test('one range of bytes, as RFC 9110 counts', (t) => {
  const table: [string, number, ReturnType<typeof readRange>][] = [
    ['bytes=0-0', 10, { first: 0, last: 0 }],
    ['bytes=0-', 10, { first: 0, last: 9 }],
    ['bytes=3-5', 10, { first: 3, last: 5 }],
    ['bytes=9-', 10, { first: 9, last: 9 }],
    ['bytes=5-999', 10, { first: 5, last: 9 }],
    ['bytes=-3', 10, { first: 7, last: 9 }],
    ['bytes=-999', 10, { first: 0, last: 9 }],
    ['bytes=10-', 10, 'unsatisfiable'],
    ['bytes=999-1000', 10, 'unsatisfiable'],
    ['bytes=-0', 10, 'unsatisfiable'],
    ['bytes=0-', 0, 'unsatisfiable'],
    ['bytes=-5', 0, 'unsatisfiable'],
  ]
  for (const [value, size, expected] of table)
    t.same(readRange(['range', value], size), expected, `${value} of ${size}`)
  t.end()
})

t.test('anything else asks for the whole', (t) => {
  const values = [
    '',
    'bytes',
    'bytes=',
    'bytes=-',
    'bytes=5-3',
    'bytes=a-b',
    'bytes=0-1,3-4',
    'bytes=0-0,-1',
    'lines=0-1',
  ]
  values.push('bytes = 0-1', 'bytes=0 - 1', 'bytes=0-1 ', 'bytes=-1-2', 'bytes=1e3-', 'bytes=0x0-', 'Bytes=0-1;x')
  values.push(`bytes=${'9'.repeat(400)}-`, `bytes=${'0-1,'.repeat(1000)}0-1`)
  for (const value of values) t.equal(readRange(['range', value], 10), null, value.slice(0, 30))
  t.equal(readRange([], 10), null)
  t.equal(readRange(['range', 'bytes=0-1', 'range', 'bytes=2-3'], 10), null, 'two fields')
  t.equal(readRange(['range', 'bytes=0-1', 'if-range', '"x"'], 10), null, 'no validator was ever given')
  t.end()
})

t.test('a range lies in the file', (t) => {
  const number = fc.oneof(fc.nat(20), fc.constant(''))
  fc.assert(
    fc.property(number, number, fc.nat(15), (from, to, size) => {
      const range = readRange(['range', `bytes=${from}-${to}`], size)
      if (range === null || range === 'unsatisfiable') return true
      return range.first >= 0 && range.first <= range.last && range.last < size
    }),
    { seed: 5, numRuns: 1000 },
  )
  t.end()
})
