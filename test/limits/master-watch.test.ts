/** Who is told of a new master leaves the old one, and nobody else. Plain servers stand for Sentinels: any of them publishes. */
import { Redis } from 'ioredis'
import t from 'tap'
import { MasterWatch } from '../../src/limits/master-watch.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'

t.test('leaves only for another address of its own master', async (t) => {
  const [server, one, two] = await Promise.all([startRedis(), startRedis(), startRedis()])
  t.teardown(() => Promise.all([server, one, two].map((each) => each.kill())))
  let reconnectMs = 20
  const client = new Redis({ host: '127.0.0.1', port: server.port, retryStrategy: () => reconnectMs })
  const watch = new MasterWatch(
    client,
    'chat',
    [one, two].map(({ port }) => ({ host: '127.0.0.1', port, retryStrategy: () => 20 })),
  )
  t.teardown(() => {
    watch.close()
    client.disconnect()
  })
  let left = 0
  client.on('close', () => left++)
  await until(() => client.status === 'ready', 'the client')
  /** Resolves when the watcher has it: what was published on one connection arrives in order. */
  const tell = async (sentinel: typeof one, message: string) => {
    const published = async () => (await sentinel.command(`PUBLISH +switch-master "${message}"`)).startsWith(':1')
    await until(published, 'the watcher')
  }
  const isReady = () => until(() => client.status === 'ready', 'the client')
  const [old, next] = ['127.0.0.1 1', `127.0.0.1 ${server.port}`]

  await tell(one, `chat ${old} ${next}`)
  await tell(two, `chat ${old} ${next}`)
  await tell(one, `other ${next} 127.0.0.1 2`)
  await tell(one, `chat ${old} redis.internal ${server.port}`)
  await tell(one, 'chat')
  await tell(two, `chat ${next} 127.0.0.1 1`)
  await until(() => left === 1, 'the other port')
  await isReady()
  await tell(two, `chat ${next} 127.0.0.2 ${server.port}`)
  await until(() => left === 2, 'the other address')
  await isReady()

  await one.restart()
  await tell(one, `chat ${next} 127.0.0.1 1`)
  await until(() => left === 3, 'by a Sentinel that was away')
  await isReady()

  // Told in between: the next connection is judged, once.
  reconnectMs = 500
  client.disconnect(true)
  await until(() => client.status === 'reconnecting', 'the pause')
  await tell(one, `chat ${next} 127.0.0.1 1`)
  await until(() => left === 5, 'the next connection')
  await isReady()
  t.equal(left, 5)

  watch.close()
  await until(async () => (await one.command('PUBSUB NUMSUB +switch-master')).includes(':0'), 'the end of the watchers')
})
