/** Who gets a place at which endpoint, who waits, and when a service is still the same one. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { FailureCode } from '../../src/errors.ts'
import type { Endpoint } from '../../src/upstream/endpoint.ts'
import { Seeker } from '../../src/upstream/seeker.ts'
import { Service } from '../../src/upstream/service.ts'
import { serviceConfig } from '../kit/service-config.ts'

const THREE = ['http://10.0.0.1:1', 'http://10.0.0.2:2', 'http://10.0.0.3:3']

class Request extends Seeker {
  refused: FailureCode | null = null
  places = 0

  onPlaced(_endpoint: Endpoint): void {
    this.places++
  }

  onNotPlaced(code: FailureCode): void {
    this.refused = code
  }
}

function open(
  t: Test,
  settings: Record<string, unknown>,
  before: Service | null = null,
  proxyPassword: string | null = null,
): Service {
  const service = new Service('chat', serviceConfig(settings), {
    stickyKey: null,
    proxyPassword,
    before,
    onChange: () => {},
  })
  t.teardown(() => service.destroy())
  return service
}

function ask(service: Service, isWebSocket = false): Request {
  const request = new Request(service, isWebSocket)
  service.seek(request)
  return request
}

t.test('endpoints have their turn, and another try goes to another one', async (t) => {
  const service = open(t, { endpoints: THREE })
  const names = Array.from({ length: 6 }, () => ask(service).endpoint!.name)
  t.same(names, ['10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3', '10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3'])
  for (const balance of ['round-robin', 'least-load', 'two-choices', { hash: 'address' }]) {
    const other = open(t, { endpoints: THREE, balance })
    for (let i = 0; i < 9; i++) {
      const request = ask(other)
      const first = request.endpoint
      request.letGo()
      other.seek(request)
      t.not(request.endpoint, first)
      t.equal(request.tries, 2)
      request.letGo()
    }
  }
})

t.test('where there is one only, it is tried again', async (t) => {
  const service = open(t, { endpoints: ['http://10.0.0.1:1'] })
  const request = ask(service)
  request.letGo()
  service.seek(request)
  t.equal(request.endpoint, service.endpoints[0])
})

t.test('who finds every endpoint full waits, in order, so many and so long', async (t) => {
  const service = open(t, { endpoints: THREE.slice(0, 2), maxConnections: 1, maxWaiting: 2, maxWait: '300 ms' })
  const [one, two, three, four, five] = Array.from({ length: 5 }, () => ask(service)) as Request[]
  t.same([one!.places, two!.places, three!.places, four!.places], [1, 1, 0, 0])
  t.equal(five!.refused, 'upstream-busy', 'the line is full')
  t.equal(service.waiting, 2)
  two!.letGo()
  two!.letGo()
  await sleep(0)
  t.equal(three!.endpoint, two!.endpoint, 'the first in the line has the place')
  t.equal(four!.places, 0)
  t.equal(ask(service, true).places, 1, 'WebSockets have a bound of their own')
  for (let i = 0; i < 100 && four!.refused === null; i++) await sleep(20)
  t.equal(four!.refused, 'upstream-busy', 'the wait is over')
  t.equal(service.waiting, 0)
  one!.letGo()
  three!.letGo()
  t.same(
    service.endpoints.map(({ state }) => state.requests),
    [0, 0],
  )
})

t.test('all endpoints together have a bound too, over reloads and for sockets as for requests', async (t) => {
  const bounds = { endpoints: THREE, maxTotalRequests: 2, maxTotalSockets: 1, maxWaiting: 1 }
  const service = open(t, bounds)
  const [one, two, three, four] = [ask(service), ask(service), ask(service), ask(service)]
  t.same([one.places, two.places, three.places, four.refused], [1, 1, 0, 'upstream-busy'])
  t.equal(ask(service, true).places, 1)
  const later = open(t, { ...bounds, maxConnections: 7, maxWaiting: 0 }, service)
  t.equal(ask(later).refused, 'upstream-busy', 'what runs was counted before the reload')
  t.equal(ask(later, true).refused, 'upstream-busy')
  one.letGo()
  await sleep(0)
  t.equal(three.places, 1, 'who waits has the place')
  two.letGo()
  t.equal(ask(later).places, 1)
})

t.test('who leaves the line is served no more', async (t) => {
  const service = open(t, { endpoints: THREE.slice(0, 1), maxConnections: 1 })
  const [one, two, three] = [ask(service), ask(service), ask(service)]
  two.letGo()
  one.letGo()
  await sleep(0)
  t.same([two.places, three.places, service.waiting], [0, 1, 0])
  const four = ask(service)
  await service.destroy()
  t.equal(four.refused, 'draining')
})

t.test('one that is bound to an endpoint waits for it and holds nobody else up', async (t) => {
  const service = open(t, { endpoints: THREE.slice(0, 2), maxConnections: 1 })
  const [one, two] = [ask(service), ask(service)]
  const bound = new Request(service, false)
  bound.pin = one.endpoint
  bound.isBound = true
  service.seek(bound)
  const free = ask(service)
  two.letGo()
  await sleep(0)
  t.same([bound.places, free.endpoint?.name], [0, two.endpoint!.name])
  one.letGo()
  await sleep(0)
  t.equal(bound.endpoint, one.endpoint)
})

t.test('it is the same until a word of it changes, and never with files that may have changed', async (t) => {
  const service = open(t, { endpoints: THREE.slice(0, 1) })
  const same = (settings: Record<string, unknown>, key: string | null = null): boolean =>
    service.isSame(serviceConfig(settings), key, null)
  t.equal(same({ endpoints: ['http://10.0.0.1:1'] }), true)
  t.equal(same({ endpoints: ['http://10.0.0.1:1'] }, 'another key'), false)
  t.equal(same({ endpoints: ['http://10.0.0.1:2'] }), false)
  t.equal(same({ endpoints: ['http://10.0.0.1:1'], maxConnections: 5 }), false)
  t.equal(same({ endpoints: ['http://10.0.0.1:1'], tls: { serverName: 'other' } }), false)
  const ca = join(t.testdir(), 'ca.pem')
  writeFileSync(ca, '')
  const withFile = { endpoints: ['https://10.0.0.1:1'], tls: { ca } }
  t.equal(open(t, withFile).isSame(serviceConfig(withFile), null, null), false)
  const proxy = { url: 'https://proxy:3128', auth: { user: 'u', password: { env: 'X' } } }
  const behind = { endpoints: ['http://10.0.0.1:1'], proxy }
  const signed = open(t, behind, null, 'password')
  t.equal(signed.isSame(serviceConfig(behind), null, 'password'), true)
  t.equal(signed.isSame(serviceConfig(behind), null, 'another one'), false)
  const authorised = { ...behind, proxy: { ...proxy, ca } }
  t.equal(open(t, authorised, null, 'password').isSame(serviceConfig(authorised), null, 'password'), false)
})

t.test('what runs at an endpoint is known to the service that replaces this one', async (t) => {
  const before = open(t, { endpoints: THREE })
  const [, running] = [ask(before), ask(before)]
  const after = open(t, { endpoints: [THREE[1], 'http://10.0.0.9:9'], maxConnections: 7 }, before)
  t.same(
    after.endpoints.map(({ load }) => load),
    [1, 0],
  )
  running.letGo()
  t.equal(after.endpoints[0]!.load, 0)
})

t.test('a file that cannot be read is said at load', async (t) => {
  t.throws(() => open(t, { endpoints: ['https://10.0.0.1:1'], tls: { ca: '/no/such/file.pem' } }), /no\/such/)
})
