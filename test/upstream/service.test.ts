/** Which endpoint of a service is next, and when a service is still the same one. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import type { ServiceConfig } from '../../src/config/shape.ts'
import { Service } from '../../src/upstream/service.ts'

const config = (endpoints: string[], more: Partial<ServiceConfig> = {}): ServiceConfig => ({
  endpoints,
  tls: {},
  protocol: 'http/1.1',
  maxConnections: 4,
  maxWaiting: 4,
  timeouts: { connect: 1000, firstByte: 1000, betweenBytes: 1000, keepAlive: 1000 },
  ...more,
})

t.test('endpoints have their turn, and another try goes to another one', async (t) => {
  const service = new Service('chat', config(['http://10.0.0.1:1', 'http://10.0.0.2:2', 'http://10.0.0.3:3']))
  t.teardown(() => service.destroy())
  const names = Array.from({ length: 6 }, () => service.pick(null).name)
  t.same(names, ['10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3', '10.0.0.1:1', '10.0.0.2:2', '10.0.0.3:3'])
  for (let i = 0; i < 9; i++) {
    const first = service.pick(null)
    t.not(service.pick(first), first)
  }
})

t.test('where there is one only, it is tried again', async (t) => {
  const service = new Service('chat', config(['http://10.0.0.1:1']))
  t.teardown(() => service.destroy())
  const only = service.pick(null)
  t.equal(service.pick(only), only)
})

t.test('it is the same until a word of it changes, and never with files that may have changed', async (t) => {
  const service = new Service('chat', config(['http://10.0.0.1:1']))
  t.teardown(() => service.destroy())
  t.equal(service.isSame(config(['http://10.0.0.1:1'])), true)
  t.equal(service.isSame(config(['http://10.0.0.1:2'])), false)
  t.equal(service.isSame(config(['http://10.0.0.1:1'], { maxConnections: 5 })), false)
  t.equal(service.isSame(config(['http://10.0.0.1:1'], { tls: { serverName: 'other' } })), false)
  const ca = join(t.testdir(), 'ca.pem')
  writeFileSync(ca, '')
  const withFile = config(['https://10.0.0.1:1'], { tls: { ca } })
  const secure = new Service('chat', withFile)
  t.teardown(() => secure.destroy())
  t.equal(secure.isSame(withFile), false)
})

t.test('a file that cannot be read is said at load', async (t) => {
  t.throws(() => new Service('chat', config(['https://10.0.0.1:1'], { tls: { ca: '/no/such/file.pem' } })), /no\/such/)
})
