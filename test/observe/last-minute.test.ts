import t from 'tap'
import { LastMinute } from '../../src/observe/last-minute.ts'

const PARTS = [0.5, 0.95, 0.99]

t.test('what was observed, by class and by bound', async (t) => {
  const minute = new LastMinute([0.01, 0.1, 1])
  t.same(minute.read(0, PARTS), { byStatus: {}, times: [null, null, null] })
  for (let i = 0; i < 90; i++) minute.observe(1000, 200, 0.005)
  for (let i = 0; i < 9; i++) minute.observe(2000, 404, 0.05)
  minute.observe(3000, 503, 20)
  minute.observe(3000, 101, -1)
  minute.observe(3000, 0, -1)
  const { byStatus, times } = minute.read(3500, PARTS)
  t.same(byStatus, { other: 1, '1xx': 1, '2xx': 90, '4xx': 9, '5xx': 1 })
  t.same(times, [0.01, 0.1, 0.1])
  t.same(minute.read(3500, [1]).times, [Number.POSITIVE_INFINITY])
})

t.test('a second is forgotten after sixty, whether or not another one took its place', async (t) => {
  const minute = new LastMinute([1])
  minute.observe(5000, 200, 0)
  minute.observe(6000, 200, 0)
  t.same(minute.read(64_999, []).byStatus, { '2xx': 2 })
  t.same(minute.read(65_000, []).byStatus, { '2xx': 1 })
  minute.observe(65_500, 500, 0)
  t.same(minute.read(65_999, []).byStatus, { '2xx': 1, '5xx': 1 })
  t.same(minute.read(500_000, []).byStatus, {})
})
