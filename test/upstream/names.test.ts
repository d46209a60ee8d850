/** Endpoints that DNS finds: who comes, who stays, who leaves, and what happens while DNS says nothing, or lies. */
import { once } from 'node:events'
import { type AddressInfo, createServer } from 'node:net'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { FailureCode } from '../../src/errors.ts'
import type { Endpoint } from '../../src/upstream/endpoint.ts'
import { Lookup } from '../../src/upstream/lookup.ts'
import { Seeker } from '../../src/upstream/seeker.ts'
import { Service } from '../../src/upstream/service.ts'
import { type DnsRecord, startDnsServer } from '../kit/dns-server.ts'
import { serviceConfig } from '../kit/service-config.ts'
import { until } from '../kit/wait.ts'

const KEY = 'k'.repeat(32)
const server = await startDnsServer()
t.teardown(() => server.close())

const a = (address: string, ttl = 1): DnsRecord => ({ type: 'A', address, ttl })
const aaaa = (address: string, ttl = 1): DnsRecord => ({ type: 'AAAA', address, ttl })
const srv = (host: string, port: number, priority = 0, weight = 1): DnsRecord => ({
  ...{ type: 'SRV', host, port, priority, weight, ttl: 1 },
})

class Request extends Seeker {
  refused: FailureCode | null = null

  onPlaced(_endpoint: Endpoint): void {}

  onNotPlaced(code: FailureCode): void {
    this.refused = code
  }
}

interface Opened {
  readonly service: Service
  readonly changes: string[]
  /** Names of those that new clients may come to. */
  readonly names: () => string[]
}

let count = 0
const newName = (): string => `chat-${++count}.test`

interface Wish {
  readonly dns?: Record<string, unknown>
  readonly settings?: Record<string, unknown>
  readonly before?: Service
  readonly url?: string
}

async function open(t: Test, host: string, wish: Wish = {}): Promise<Opened> {
  const dns = { interval: '60 ms', timeout: '150 ms', resolvers: [server.address], ...wish.dns }
  const config = serviceConfig({
    endpoints: [wish.url ?? `http://${host}:3000`],
    slowStart: '0 s',
    dns,
    ...wish.settings,
  })
  const changes: string[] = []
  const onChange = (_: string, change: string, endpoint: string, reason: string): void => {
    changes.push(`${change} ${endpoint}${change === 'unresolved' ? `: ${reason}` : ''}`)
  }
  const service = new Service('chat', config, {
    stickyKey: KEY,
    proxyPassword: null,
    before: wish.before ?? null,
    onChange,
  })
  t.teardown(() => service.destroy())
  await service.whenNamed()
  service.watch()
  return { service, changes, names: () => service.available.map(({ name }) => name).sort() }
}

function ask(service: Service): Request {
  const request = new Request(service, false)
  service.seek(request)
  return request
}

t.test('every address of a name is an endpoint, under the name of the URL', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.1'), a('10.0.0.2'), aaaa('2001:db8::7')])
  const { service, names } = await open(t, host)
  t.same(names(), ['10.0.0.1:3000', '10.0.0.2:3000', '[2001:db8::7]:3000'])
  for (const { target } of service.endpoints) t.equal(target.authority, `${host}:3000`)
  const used = new Set(Array.from({ length: 6 }, () => ask(service).endpoint!.target.host))
  t.same([...used].sort(), ['10.0.0.1', '10.0.0.2', '2001:db8::7'])
})

t.test('over TLS the certificate must be for the name, wherever that leads', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.1')])
  for (const protocol of ['http/1.1', 'h2']) {
    const { service } = await open(t, host, { url: `https://${host}`, settings: { protocol } })
    const { target } = service.endpoints[0]!
    t.same([target.host, target.port, target.tls?.servername], ['10.0.0.1', 443, host])
  }
})

t.test('one address, by setting; it stays while it is named', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.2'), a('10.0.0.1')])
  const { service, names } = await open(t, host, { dns: { addresses: 'one' } })
  const [first] = names() as [string]
  t.equal(names().length, 1)
  const kept = service.available[0]
  server.set(host, [a('10.0.0.9'), a(first.split(':')[0]!)])
  await asked(host, 3)
  t.equal(service.available[0], kept)
  server.set(host, [a('10.0.0.9')])
  await until(() => names()[0] === '10.0.0.9:3000', 'the other one')
})

/** So many further look-ups were begun. */
async function asked(host: string, times: number): Promise<void> {
  const before = questions(host)
  await until(() => questions(host) >= before + times, 'the look-ups')
}
const questions = (host: string): number => server.asked.filter((each) => each === `A ${host}`).length

t.test('who stays keeps what is known of it; who is new warms up; who vanishes drains', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.1'), a('10.0.0.2')])
  const settings = { slowStart: '10 minutes' }
  const { service, names, changes } = await open(t, host, { dns: { leave: '250 ms' }, settings })
  const [one, two] = service.endpoints as [Endpoint, Endpoint]
  t.equal(one.share, 1, 'nobody warms up where all are new')
  one.state.failures = 3
  const running = ask(service)
  running.letGo()
  const bound = new Request(service, false)
  bound.pin = two
  bound.isBound = true
  server.set(host, [a('10.0.0.3'), a('10.0.0.1')])
  await until(() => names().includes('10.0.0.3:3000'), 'the new one')
  t.same(names(), ['10.0.0.1:3000', '10.0.0.3:3000'])
  t.equal(
    service.available.find(({ name }) => name === one.name),
    one,
  )
  t.equal(one.state.failures, 3)
  t.ok(service.available.find(({ name }) => name === '10.0.0.3:3000')!.share < 0.2)
  t.same(changes.slice(-2), ['found 10.0.0.3:3000', 'gone 10.0.0.2:3000'])
  service.seek(bound)
  t.equal(bound.endpoint, two, 'a session may still go where it is')
  const free = new Request(service, false)
  free.pin = two
  service.seek(free)
  t.not(free.endpoint, two, 'who is not bound goes elsewhere')
  await until(() => !service.endpoints.includes(two), 'its end')
  t.equal(two.load, 1, 'what runs there goes on')
  bound.letGo()
  t.equal(service.totals.requests, 1)
})

t.test('one that returns before its time is over is the same one', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.1'), a('10.0.0.2')])
  const { service, names } = await open(t, host)
  const [, two] = service.endpoints
  server.set(host, [a('10.0.0.1')])
  await until(() => names().length === 1, 'that it goes')
  server.set(host, [a('10.0.0.1'), a('10.0.0.2')])
  await until(() => names().length === 2, 'that it comes back')
  t.equal(
    service.available.find(({ name }) => name === '10.0.0.2:3000'),
    two,
  )
})

t.test('a time to live counts from one second on, and no longer than the interval', async (t) => {
  const host = newName()
  server.set(host, [a('10.0.0.1', 86_400), aaaa('2001:db8::1', 0)])
  await open(t, host, { dns: { interval: '1 minute' } })
  const before = questions(host)
  await until(() => questions(host) > before, 'the look-up after the least time to live')
  const other = newName()
  server.set(other, [a('10.0.0.1', 4_000_000_000 % 2 ** 31)])
  await open(t, other)
  await asked(other, 2)
})

t.test(
  'while DNS says nothing the last answer counts, up to its age; then 503, and all is well again after',
  async (t) => {
    for (const [reply, reason] of [
      [2, 'ESERVFAIL'],
      [5, 'no DNS server answers'],
      ['silence', 'no DNS server answers'],
      [3, 'it has no address'],
      [[], 'it has no address'],
    ] as const) {
      const host = newName()
      server.set(host, [a('10.0.0.1')])
      const { service, names, changes } = await open(t, host, { dns: { maxAge: '1500 ms', leave: '0 s' } })
      server.set(host, reply)
      await until(() => changes.some((each) => each.startsWith('unresolved')), 'the trouble')
      t.same(names(), ['10.0.0.1:3000'], `${String(reply)}: the last good answer`)
      await until(() => names().length === 0, 'its end')
      t.equal(ask(service).refused, 'upstream-down')
      const told = changes.filter((each) => each.startsWith('unresolved'))
      t.equal(told.length, 1, 'said once')
      t.match(told[0], reason === 'no DNS server answers' ? /no DNS server answers|EREFUSED|ETIMEOUT/ : reason)
      server.set(host, [a('10.0.0.4')])
      await until(() => names()[0] === '10.0.0.4:3000', 'the new answer')
      t.ok(changes.includes(`resolved ${host}`))
    }
  },
)

t.test('where one kind of record fails and the other does not, what it said last counts', async (t) => {
  const host = newName()
  server.set(`A ${host}`, [a('10.0.0.1')])
  server.set(`AAAA ${host}`, [aaaa('2001:db8::1')])
  const { names } = await open(t, host)
  t.equal(names().length, 2)
  server.set(`AAAA ${host}`, 2)
  server.set(`A ${host}`, [a('10.0.0.5')])
  await until(() => names().includes('10.0.0.5:3000'), 'the new one')
  t.same(names(), ['10.0.0.5:3000', '[2001:db8::1]:3000'])
  server.set(`AAAA ${host}`, [])
  await until(() => names().length === 1, 'that AAAA is gone')
})

t.test(
  'an answer leads to no loopback, link-local or other such address, and by setting to named networks only',
  async (t) => {
    const host = newName()
    const evil = ['127.0.0.1', '0.0.0.0', '169.254.169.254', '224.0.0.1', '255.255.255.255'].map((each) => a(each))
    const evil6 = ['::1', '::', 'fe80::1', 'ff02::1', '::ffff:7f00:1'].map((each) => aaaa(each))
    server.set(host, [...evil, ...evil6, a('10.0.0.1')])
    const { names, changes } = await open(t, host)
    t.same(names(), ['10.0.0.1:3000'])
    t.match(changes[0], /^unresolved .*: it names .*, which is not allowed$/)
    server.set(host, [...evil, ...evil6])
    await asked(host, 3)
    t.same(names(), ['10.0.0.1:3000'], 'the last good answer stays')
    const other = newName()
    server.set(other, [a('10.0.0.1'), a('10.9.0.1'), a('93.184.216.34')])
    const bounded = await open(t, other, { dns: { networks: ['10.9.0.0/16'] } })
    t.same(bounded.names(), ['10.9.0.1:3000'])
  },
)

t.test('however long an answer is, no more endpoints than may be, and known ones stay', async (t) => {
  const host = newName()
  const many = (from: number): DnsRecord[] => Array.from({ length: 25 }, (_, i) => a(`10.0.0.${from + i}`))
  server.set(host, many(1))
  const { service, names } = await open(t, host, { dns: { most: 4 } })
  t.equal(names().length, 4)
  const before = [...service.endpoints]
  server.set(host, many(1).reverse())
  await asked(host, 3)
  t.same(service.endpoints.map(({ name }) => name).sort(), before.map(({ name }) => name).sort())
})

t.test('SRV: ports and weights; the next priority only where nobody is in', async (t) => {
  const host = newName()
  const name = `_chat._tcp.${host}`
  server.set(`one.${host}`, [a('10.0.0.1')])
  server.set(`two.${host}`, [a('10.0.0.2'), aaaa('2001:db8::2')])
  server.set(`far.${host}`, [a('10.0.0.9')])
  server.set(name, [srv(`one.${host}`, 3001, 0, 3), srv(`two.${host}`, 3002, 0, 0), srv(`far.${host}`, 3009, 7)])
  const { service, names } = await open(t, name, { dns: { records: 'srv' }, url: `http://${name}` })
  t.same(names(), ['10.0.0.1:3001', '10.0.0.2:3002', '[2001:db8::2]:3002'])
  t.same(
    service.available.map(({ weight }) => weight),
    [3, 1, 1],
  )
  for (const each of service.available) service.drain(each.name, true)
  t.same(names(), ['10.0.0.9:3009'])
  for (const each of service.endpoints) service.drain(each.name, false)
  server.set(name, [srv(`one.${host}`, 3001, 0, 5)])
  await until(() => names().length === 1, 'the change')
  t.equal(service.available[0]!.weight, 5)
})

t.test('a host of SRV records that does not resolve leaves the others alone; "." is nowhere', async (t) => {
  const host = newName()
  const name = `_chat._tcp.${host}`
  server.set(`one.${host}`, [a('10.0.0.1')])
  server.set(name, [srv(`one.${host}`, 3001), srv(`nobody.${host}`, 3002), srv('.', 0)])
  const { names } = await open(t, name, { dns: { records: 'srv' }, url: `http://${name}` })
  t.same(names(), ['10.0.0.1:3001'])
})

t.test(
  'after a reload the endpoints are there at once, with what is known of them, whatever DNS says now',
  async (t) => {
    const host = newName()
    server.set(host, [a('10.0.0.1'), a('10.0.0.2')])
    const { service } = await open(t, host)
    service.drain('10.0.0.2:3000', true)
    service.unwatch()
    server.set(host, 'silence')
    const dns = { interval: '60 ms', timeout: '150 ms', resolvers: [server.address] }
    const config = serviceConfig({ endpoints: [`http://${host}:3000`], slowStart: '0 s', maxConnections: 9, dns })
    const next = new Service('chat', config, {
      stickyKey: KEY,
      proxyPassword: null,
      before: service,
      onChange: () => {},
    })
    t.teardown(() => next.destroy())
    t.same(
      next.endpoints.map(({ name, id, state }) => [name, id, state.isDrained]),
      service.endpoints.map(({ name, id }, i) => [name, id, i === 1]),
    )
    const elsewhere = await open(t, host, { dns: { networks: ['10.0.0.1'] }, before: service })
    t.same(elsewhere.names(), [], 'other settings of DNS begin anew')
  },
)

t.test('a start waits for silent servers no longer than the timeout, and a request never', async (t) => {
  const host = newName()
  server.set(host, 'silence')
  const { service } = await open(t, host)
  t.equal(ask(service).refused, 'upstream-down')
  server.set(host, [a('10.0.0.1')])
  await until(() => service.available.length === 1, 'the answer')
})

t.test('an address that joins others has to pass a check first', async (t) => {
  const host = newName()
  const one = createServer().listen(0, '127.0.0.1')
  await once(one, 'listening')
  const { port } = one.address() as AddressInfo
  server.set(host, [a('127.0.0.1')])
  const { service, names } = await open(t, host, {
    url: `http://${host}:${port}`,
    dns: { networks: ['127.0.0.0/8'] },
    settings: { health: { kind: 'tcp', interval: '100 ms' } },
  })
  t.same(names(), [`127.0.0.1:${port}`], 'the first ones are used at once')
  server.set(host, [a('127.0.0.1'), a('127.0.0.2')])
  await until(() => service.endpoints.length === 2, 'the new one')
  t.same(names(), [`127.0.0.1:${port}`])
  const two = createServer().listen(port, '127.0.0.2')
  t.teardown(() => {
    one.close()
    two.close()
  })
  await until(() => names().length === 2, 'the check')
})

t.test('addresses and names beside one another; one place under two names is one endpoint', async (t) => {
  const [host, other] = [newName(), newName()]
  server.set(host, [a('10.0.0.1')])
  server.set(other, [a('10.0.0.1'), a('10.0.0.2')])
  const endpoints = ['http://10.0.0.8:3000', `http://${host}:3000`, `http://${other}:3000`]
  const { names } = await open(t, host, { settings: { endpoints } })
  t.same(names(), ['10.0.0.1:3000', '10.0.0.2:3000', '10.0.0.8:3000'])
})

t.test('whatever the records are, what is not allowed leads nowhere', async () => {
  const byte = fc.integer({ min: 0, max: 255 })
  const record = fc.oneof(
    fc.tuple(byte, byte, byte, byte).map((parts) => a(parts.join('.'))),
    fc.integer({ min: 0, max: 0xffff }).map((group) => aaaa(`2001:db8::${group.toString(16)}`)),
  )
  const settings = serviceConfig({
    endpoints: ['http://x:1'],
    dns: {
      resolvers: [server.address],
      timeout: '2 seconds',
      networks: ['10.0.0.0/8', '128.0.0.0/1', '2001:db8::/64'],
    },
  }).dns!
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 20 }), async (records) => {
      const host = newName()
      server.set(host, records)
      const answer = await new Lookup(host, settings).ask().catch((error: NodeJS.ErrnoException) => error.code)
      if (typeof answer === 'string' || answer === undefined) {
        return ['ENODATA', 'EFORBIDDEN'].includes(answer ?? '')
      }
      return answer.places.every(({ address }) => /^(10\.|1[2-9]\d\.|2\d\d\.|2001:db8::)/.test(address))
    }),
    { numRuns: 100, seed: 8 },
  )
})
