/** A client that gave up for good is opened again: an outage must never last until somebody restarts the gateway. */
import t from 'tap'
import { accessByUrl } from '../../src/config/redis-access.ts'
import { makeClient, type RedisClient } from '../../src/limits/redis-client.ts'
import { RedisLink } from '../../src/limits/redis-link.ts'
import { startRedis } from '../kit/redis.ts'
import { startSentinels } from '../kit/redis-topologies.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'

const TIMEOUT_MS = 300
const NOWHERE = { ...accessByUrl(''), url: null }

type Tap = { teardown(fn: () => unknown): void }

async function open(t: Tap, redis: RedisClient) {
  const { log, metrics, lines } = makeCounting()
  const link = new RedisLink(redis, TIMEOUT_MS, 'link', log, metrics, () => {})
  t.teardown(() => link.close())
  await until(() => link.isUp, 'the first connection')
  return { link, lines }
}

t.test('Sentinel: an attempt that ended the client', async (t) => {
  const group = await startSentinels()
  t.teardown(() => group.kill())
  const redis = makeClient({ sentinel: { master: 'chat', nodes: group.nodes, tls: false } }, NOWHERE, TIMEOUT_MS)
  const { link, lines } = await open(t, redis)
  const { client } = redis
  await group.master.kill()
  // Its own failover detector does this. While it asks a Sentinel that ends the attempt, and it makes no other.
  const { connector } = client as unknown as { connector: { disconnect(): void } }
  await until(() => {
    if (client.status === 'connecting') connector.disconnect()
    return client.status === 'end'
  }, 'the end of the client')
  await until(() => link.isUp, 'the recovery')
  t.equal(lines.length, 3, 'first connection, outage and recovery')
  await link.close()
  t.equal(client.status, 'end')
})

t.test('a server: whatever ended the client', async (t) => {
  const server = await startRedis()
  t.teardown(() => server.kill())
  const redis = makeClient({}, accessByUrl(server.url), TIMEOUT_MS)
  const { link, lines } = await open(t, redis)
  redis.client.disconnect()
  await until(() => !link.isUp, 'the outage')
  await until(() => link.isUp, 'the recovery')
  t.equal(lines.length, 3, 'first connection, outage and recovery')
  await link.close()
  t.equal(redis.client.status, 'end')
})
