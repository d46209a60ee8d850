/** Accept-Encoding as RFC 9110, 12.5.3 reads it, and whatever else clients write there. */
import fc from 'fast-check'
import t from 'tap'
import { CONTENT_CODINGS, type ContentCoding, chooseCoding } from '../../src/http/accept-encoding.ts'

const ORDER = CONTENT_CODINGS

t.test('the examples of RFC 9110, and what browsers send', (t) => {
  const cases: readonly [field: string | null, chosen: ContentCoding | null][] = [
    [null, null],
    ['', null],
    ['compress, gzip', 'gzip'],
    ['*', 'zstd'],
    ['compress;q=0.5, gzip;q=1.0', 'gzip'],
    ['gzip;q=1.0, identity; q=0.5, *;q=0', 'gzip'],
    ['gzip, deflate, br, zstd', 'zstd'],
    ['gzip, deflate, br', 'br'],
    ['gzip, deflate', 'gzip'],
    ['deflate', null],
    ['identity', null],
    ['identity;q=0', null],
    ['identity;q=0, gzip', 'gzip'],
    ['*;q=0', null],
    ['gzip;q=0', null],
    ['gzip;q=0, *', 'zstd'],
    ['zstd;q=0, br;q=0, *', 'gzip'],
    ['gzip;q=0.9, br;q=0.8', 'gzip'],
    ['gzip;q=0.5, identity', null],
    ['gzip, identity', 'gzip'],
    ['gzip;q=0.5, *;q=0.1', 'gzip'],
    ['identity;q=0.5, *;q=0.4', null],
    ['GZip;Q=1', 'gzip'],
    ['x-gzip', 'gzip'],
    ['gzip;q=0, x-gzip', null],
    ['gzip ; q=0.001', 'gzip'],
    [',, ,gzip,', 'gzip'],
  ]
  for (const [field, chosen] of cases) t.equal(chooseCoding(field, ORDER), chosen, String(field))
  t.equal(chooseCoding('gzip, br, zstd', ['gzip', 'zstd']), 'gzip', 'the order is the setting')
  t.equal(chooseCoding('br', ['gzip', 'zstd']), null, 'what is not offered is not chosen')
  t.end()
})

t.test('what is no item of the list is as if it were not there', (t) => {
  const broken = [
    'gzip;q=2',
    'gzip;q=',
    'gzip;q=0.1234',
    'gzip;q=-1',
    'gzip;level=1',
    'gz ip',
    'gzip;q=1;q=0',
    'g\u00e9zip',
  ]
  for (const field of broken) t.equal(chooseCoding(field, ORDER), null, field)
  t.equal(chooseCoding('gzip;q=nan, br', ORDER), 'br')
  t.equal(chooseCoding(`${'x,'.repeat(40)}gzip`, ORDER), null, 'a list is read so far')
  t.end()
})

const weight = fc.integer({ min: 0, max: 1000 })
const name = fc.constantFrom('gzip', 'br', 'zstd', 'identity', '*', 'deflate', 'x')
const items = fc.uniqueArray(fc.tuple(name, weight), { selector: ([each]) => each, maxLength: 7 })

t.test('properties', (t) => {
  const text = (list: readonly (readonly [string, number])[]): string =>
    list.map(([each, q]) => (q === 1000 ? each : `${each};q=0.${String(q).padStart(3, '0')}`)).join(', ')
  fc.assert(
    fc.property(items, fc.shuffledSubarray([...ORDER], { minLength: 1 }), (list, order) => {
      const given = new Map<string, number>(list)
      const of = (coding: string): number => given.get(coding) ?? given.get('*') ?? 0
      const chosen = chooseCoding(text(list), order)
      if (chosen === null) return order.every((each) => of(each) === 0 || of(each) < of('identity'))
      const isBest = order.every(
        (each) => of(each) <= of(chosen) && (of(each) < of(chosen) || order.indexOf(each) >= order.indexOf(chosen)),
      )
      return of(chosen) > 0 && of(chosen) >= of('identity') && isBest
    }),
    { seed: 91, numRuns: 5000 },
  )
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary' }),
        fc
          .array(fc.constantFrom('gzip', ';', 'q', '=', '0', '.', ',', ' ', '*', '1', 'br'))
          .map((parts) => parts.join('')),
      ),
      (field) => {
        const chosen = chooseCoding(field, ORDER)
        // Never a coding that the client does not name, one way or the other.
        return chosen === null || field.includes('*') || field.toLowerCase().includes(chosen)
      },
    ),
    { seed: 92, numRuns: 5000 },
  )
  fc.assert(
    fc.property(items, fc.constantFrom(...ORDER), (list, refused) => {
      const rest = list.filter(([each]) => each !== refused)
      return chooseCoding(`${refused};q=0${rest.length > 0 ? ', ' : ''}${text(rest)}`, ORDER) !== refused
    }),
    { seed: 93, numRuns: 2000 },
  )
  t.end()
})
