/** The arithmetic of renewals: never late, never a storm, never before the authority wants it. */
import { X509Certificate } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { pauseAfter, renewalTime, windowOf } from '../../src/acme/renewal-time.ts'
import { makeCertificate } from '../kit/certificates.ts'

t.test('between 61 and 67 of a hundred parts of the life, or in the suggested window', async () => {
  const leaf = new X509Certificate((await makeCertificate({ from: 0, to: 90 })).cert)
  const from = leaf.validFromDate.getTime()
  const life = leaf.validToDate.getTime() - from
  const share = fc.double({ min: 0, max: 1, noNaN: true })
  fc.assert(
    fc.property(share, (at) => {
      const part = (renewalTime(leaf, null, at) - from) / life
      return part > 0.61 && part < 0.667
    }),
    { seed: 7 },
  )
  const window = { start: 1000, end: 2000 }
  fc.assert(
    fc.property(share, (at) => {
      const time = renewalTime(leaf, window, at)
      return time >= window.start && time <= window.end
    }),
    { seed: 7 },
  )
})

t.test('pauses grow to twelve hours, and Retry-After holds', async (t) => {
  t.same(
    [1, 2, 3, 4].map((failures) => pauseAfter(failures, 0, 0) / 60_000),
    [1, 4, 16, 64],
  )
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 1e6 }),
      fc.nat(604_800_000),
      fc.double({ min: 0, max: 1, noNaN: true }),
      (n, retry, share) => {
        const pause = pauseAfter(n, retry, share)
        return pause >= Math.max(60_000, retry) && pause <= Math.max(15 * 3_600_000, retry)
      },
    ),
    { seed: 7 },
  )
})

t.test('a suggestion that makes no sense is none', async (t) => {
  const window = (start: unknown, end: unknown) => windowOf({ suggestedWindow: { start, end } })
  t.same(window('2026-01-02T00:00:00Z', '2026-01-03T00:00:00Z'), {
    start: Date.UTC(2026, 0, 2),
    end: Date.UTC(2026, 0, 3),
  })
  for (const bad of [
    window('2026-01-03T00:00:00Z', '2026-01-02T00:00:00Z'),
    window('x', 'y'),
    window(1, null),
    windowOf(null),
    windowOf({}),
    windowOf('x'),
  ]) {
    t.equal(bad, null)
  }
})
