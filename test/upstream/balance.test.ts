/** Each method gives every endpoint its share: within what chance allows, over 100,000 choices. */
import fc from 'fast-check'
import t from 'tap'
import { type Balance, makeBalance } from '../../src/upstream/balance.ts'
import { Endpoint, Totals } from '../../src/upstream/endpoint.ts'
import { EndpointState } from '../../src/upstream/endpoint-state.ts'
import { hashText } from '../../src/upstream/hash.ts'
import { placeAt, serviceConfig } from '../kit/service-config.ts'

const PICKS = 100_000
/** Standard deviations: a right method fails once in about 1.7 million looks. */
const SIGMAS = 5

function endpoints(weights: readonly number[], maxConnections = 1000): Endpoint[] {
  const config = serviceConfig({ endpoints: ['http://10.0.0.1:1'], maxConnections })
  return weights.map((weight, i) => {
    const url = `http://10.0.0.${i + 1}:3000`
    return new Endpoint({ ...placeAt(url), weight }, String(i + 1), {
      ...{ state: new EndpointState(), totals: new Totals(), config, tls: {}, proxy: null },
    })
  })
}

const wish = (key: number) => ({ isWebSocket: false, key })

function count(balance: Balance, from: readonly Endpoint[], keyOf: (i: number) => number): number[] {
  const counts = from.map(() => 0)
  for (let i = 0; i < PICKS; i++) counts[from.indexOf(balance(from, wish(keyOf(i)), null)!)]!++
  return counts
}

/** How far each count is from its expectation, in standard deviations of a draw. */
function deviations(counts: readonly number[], weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0)
  return counts.map((found, i) => {
    const part = weights[i]! / total
    return Math.abs(found - PICKS * part) / Math.sqrt(PICKS * part * (1 - part))
  })
}

for (const [name, method] of [
  ['least-load', 'least-load'],
  ['two-choices', 'two-choices'],
  ['hash', { hash: 'address' }],
] as const) {
  t.test(`${name}: the shares are those of the weights`, async (t) => {
    for (const weights of [[1, 1, 1], [5, 3, 1, 1], [1, 100], Array.from({ length: 20 }, () => 2)]) {
      const found = count(makeBalance(method), endpoints(weights), (i) => hashText(`client ${i}`))
      const most = Math.max(...deviations(found, weights))
      t.ok(most < SIGMAS, `${weights}: ${found}, at most ${most.toFixed(2)} standard deviations off`)
    }
  })
}

t.test('round robin: exact, and spread out', async (t) => {
  const weights = [5, 3, 2]
  const from = endpoints(weights)
  const balance = makeBalance('round-robin')
  t.same(
    count(balance, from, () => 0),
    [50_000, 30_000, 20_000],
  )
  const turn = Array.from({ length: 10 }, () => from.indexOf(balance(from, wish(0), null)!)).join('')
  t.equal(turn, '0120010210', 'no endpoint has all its turns at once')
})

t.test('the loaded one gets less', async (t) => {
  for (const method of ['least-load', 'two-choices'] as const) {
    const from = endpoints([1, 1])
    for (let i = 0; i < 10; i++) from[0]!.take(i % 2 === 0)
    t.same(
      count(makeBalance(method), from, () => 0),
      [0, PICKS],
      `${method}: WebSockets count as requests do`,
    )
  }
  const from = endpoints([10, 1])
  for (let i = 0; i < 5; i++) from[0]!.take(false)
  from[1]!.take(true)
  t.equal(makeBalance('least-load')(from, wish(0), null), from[0], 'five of ten are less than one of one')
})

t.test('two choices keep the loads close together', async (t) => {
  const from = endpoints([1, 1, 1, 1, 1, 1, 1, 1])
  const balance = makeBalance('two-choices')
  for (let i = 0; i < 4000; i++) balance(from, wish(0), null)!.take(false)
  const loads = from.map(({ load }) => load)
  t.ok(Math.max(...loads) - Math.min(...loads) < 20, loads.join())
})

t.test('hash: one that leaves moves its own keys only, to all others', async (t) => {
  const from = endpoints([1, 2, 3, 4])
  const balance = makeBalance({ hash: 'address' })
  const left = from.filter((_, i) => i !== 2)
  const moved = new Map<Endpoint, number>()
  let wrong = 0
  for (let i = 0; i < PICKS; i++) {
    const key = hashText(`client ${i}`)
    const before = balance(from, wish(key), null)!
    const after = balance(left, wish(key), null)!
    if (before !== from[2] && after !== before) wrong++
    if (before === from[2]) moved.set(after, (moved.get(after) ?? 0) + 1)
  }
  t.equal(wrong, 0)
  t.equal(moved.size, 3, [...moved.values()].join())
})

t.test('hash: the order of the endpoints and the gateway make no difference', async () => {
  fc.assert(
    fc.property(fc.string(), fc.shuffledSubarray([0, 1, 2, 3, 4], { minLength: 5 }), (text, order) => {
      const balance = makeBalance({ hash: 'address' })
      const here = endpoints([1, 2, 1, 2, 1])
      const there = endpoints([1, 2, 1, 2, 1])
      const key = wish(hashText(text))
      const one = balance(here, key, null)!
      return (
        balance(
          order.map((i) => there[i]!),
          key,
          null,
        )!.url === one.url
      )
    }),
    { seed: 8, numRuns: 300 },
  )
})

t.test('hash with a bound: one key cannot fill one endpoint', async (t) => {
  const from = endpoints([1, 1, 1, 1], 100_000)
  const balance = makeBalance({ hash: 'address', overload: 125 })
  for (let i = 0; i < 10_000; i++) balance(from, wish(7), null)!.take(false)
  const loads = from.map(({ load }) => load)
  t.ok(Math.max(...loads) <= Math.ceil(1.25 * 2500) + 1, loads.join())
  const free = makeBalance({ hash: 'address' })
  const alone = endpoints([1, 1, 1, 1], 100_000)
  for (let i = 0; i < 100; i++) free(alone, wish(7), null)!.take(false)
  t.same(alone.map(({ load }) => load).sort(), [0, 0, 0, 100], 'without it, it can')
})

t.test('no method gives a full endpoint, or the one that was tried', async () => {
  for (const method of ['round-robin', 'least-load', 'two-choices', { hash: 'path' }] as const) {
    const balance = makeBalance(method)
    fc.assert(
      fc.property(
        fc.array(fc.record({ weight: fc.integer({ min: 1, max: 9 }), isFull: fc.boolean() }), {
          minLength: 1,
          maxLength: 8,
        }),
        fc.nat(),
        fc.nat(),
        (wanted, key, tried) => {
          const from = endpoints(
            wanted.map(({ weight }) => weight),
            1,
          )
          for (const [i, { isFull }] of wanted.entries()) if (isFull) from[i]!.take(false)
          const not = from[tried % (from.length + 1)] ?? null
          const chosen = balance(from, wish(key), not)
          const may = from.filter((each) => each !== not && !each.isFull(false))
          return chosen === null ? may.length === 0 : may.includes(chosen)
        },
      ),
      { seed: 8, numRuns: 300 },
    )
  }
})
