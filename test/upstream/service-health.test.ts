/** Who is in and who is out: by failures in a row, by rate, by checks, by an operator; and how one comes back. */
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Service } from '../../src/upstream/service.ts'
import { serviceConfig } from '../kit/service-config.ts'
import { until } from '../kit/wait.ts'

const FOUR = [1, 2, 3, 4].map((i) => `http://10.0.0.${i}:1`)
const HEALTH = { path: '/', interval: '1 hour', timeout: '50 ms', rise: 2, fall: 3 }

function open(t: Test, settings: Record<string, unknown>, before: Service | null = null) {
  const changes: string[] = []
  const service = new Service('chat', serviceConfig({ endpoints: FOUR, ...settings }), {
    stickyKey: null,
    proxyPassword: null,
    before,
    onChange: (_service, change, endpoint) => changes.push(`${endpoint} ${change}`),
  })
  t.teardown(() => service.destroy())
  return { service, changes }
}

const names = (service: Service): string[] => service.available.map(({ name }) => name)
const fail = (service: Service, index: number, times: number): void => {
  for (let i = 0; i < times; i++) service.onFailure(service.endpoints[index]!, 'ECONNREFUSED')
}

t.test('failures in a row eject; one success in between begins anew', async (t) => {
  const { service, changes } = open(t, { ejection: { failures: 3, rate: 0 } })
  fail(service, 0, 2)
  service.onSuccess(service.endpoints[0]!)
  fail(service, 0, 2)
  t.equal(service.available.length, 4)
  fail(service, 0, 3)
  t.same(names(service), ['10.0.0.2:1', '10.0.0.3:1', '10.0.0.4:1'])
  t.same(changes, ['10.0.0.1:1 ejected'], 'said once')
})

t.test('a rate of failures ejects, where there are enough requests', async (t) => {
  const { service } = open(t, { ejection: { failures: 0, rate: 40, least: 10 } })
  fail(service, 0, 4)
  t.equal(service.available.length, 4, 'four are not enough')
  for (let i = 0; i < 8; i++) service.onSuccess(service.endpoints[0]!)
  fail(service, 0, 1)
  t.equal(service.available.length, 4, '5 of 13')
  fail(service, 0, 1)
  t.equal(service.available.length, 3, '6 of 14')
})

t.test('no more than the floor allows, whoever fails', async (t) => {
  const { service } = open(t, { ejection: { failures: 1, most: 50 } })
  for (const index of [0, 1, 2, 3]) fail(service, index, 5)
  t.equal(service.available.length, 2)
  const one = open(t, { endpoints: FOUR.slice(0, 1), ejection: { failures: 1, most: 100 } })
  fail(one.service, 0, 50)
  t.equal(one.service.available.length, 0, 'all of it, where that is written')
  const usual = open(t, { endpoints: FOUR.slice(0, 1) })
  fail(usual.service, 0, 500)
  t.equal(usual.service.available.length, 1, 'never the only one by default')
  const checked = open(t, { health: HEALTH, ejection: { failures: 1, most: 50 } })
  checked.service.drain('10.0.0.4:1', true)
  checked.service.drain('10.0.0.3:1', true)
  fail(checked.service, 0, 5)
  t.equal(checked.service.available.length, 2, 'those that are out for other reasons count too')
})

t.test('it comes back on probation, warms up, and is out longer each time', async (t) => {
  const { service, changes } = open(t, { ejection: { failures: 3, rate: 0, time: '300 ms' }, slowStart: '1 hour' })
  const [first] = service.endpoints
  fail(service, 0, 3)
  const out = first!.state.ejectedUntil - performance.now()
  await until(() => service.available.length === 4, 'the return')
  t.same(changes, ['10.0.0.1:1 ejected', '10.0.0.1:1 back'])
  t.ok(first!.share < 0.11, `it begins with ${first!.share} of its weight`)
  t.equal(service.endpoints[1]!.share, 1)
  fail(service, 0, 1)
  t.equal(service.available.length, 3, 'one failure is enough')
  const again = first!.state.ejectedUntil - performance.now()
  t.ok(again > 1.5 * out, `${out} ms, then ${again} ms`)
})

t.test('warm after its time', async (t) => {
  const { service } = open(t, { ejection: { failures: 1, time: '50 ms' }, slowStart: '600 ms' })
  fail(service, 0, 1)
  const shares: number[] = []
  await until(async () => {
    await sleep(50)
    if (service.available.length === 4) shares.push(service.endpoints[0]!.share)
    return shares.at(-1) === 1
  }, 'all of its weight')
  t.ok(shares[0]! < 1, shares.join())
  t.same(
    shares,
    shares.toSorted((a, b) => a - b),
    'never less again',
  )
})

t.test('what is known outlives a reload', async (t) => {
  const { service } = open(t, { ejection: { failures: 1, time: '1 hour' } })
  fail(service, 0, 1)
  service.drain('10.0.0.2:1', true)
  const after = open(t, { ejection: { failures: 1, time: '1 hour' }, maxConnections: 9 }, service)
  t.same(names(after.service), ['10.0.0.3:1', '10.0.0.4:1'])
  t.same(after.changes, [], 'and is not said again')
})

t.test('an operator drains by name or URL', async (t) => {
  const { service, changes } = open(t, {})
  t.equal(service.drain('10.0.0.1:1', true), true)
  t.equal(service.drain('10.0.0.1:1', true), true)
  t.equal(service.drain('http://10.0.0.2:1', true), true)
  t.equal(service.drain('10.0.0.9:1', true), false)
  t.same(names(service), ['10.0.0.3:1', '10.0.0.4:1'])
  service.drain('10.0.0.1:1', false)
  t.equal(service.available.length, 3)
  t.same(changes, ['10.0.0.1:1 drained', '10.0.0.2:1 drained', '10.0.0.1:1 undrained'])
})
