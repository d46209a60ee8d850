import fc from 'fast-check'
import t from 'tap'
import { jsonMs } from '../../src/observe/json-line.ts'

t.test('milliseconds have three decimals at most, and no more digits than they need', async (t) => {
  for (const [value, text] of [
    [0, '0'],
    [0.0004, '0'],
    [0.0005, '0.001'],
    [1.5, '1.5'],
    [2.05, '2.05'],
    [3.123456, '3.123'],
    [999.9996, '1000'],
    [2 ** 30 + 0.4, String(2 ** 30)],
    [-1, 'null'],
    [Number.NaN, 'null'],
    [Number.POSITIVE_INFINITY, 'null'],
  ] as const) {
    t.equal(jsonMs(value), text)
  }
  fc.assert(
    fc.property(fc.double({ min: 0, max: 2 ** 30 - 1, noNaN: true }), (value) => {
      return jsonMs(value) === String(Math.round(value * 1000) / 1000) || value < 1e-3
    }),
    { seed: 1, numRuns: 2000 },
  )
})
