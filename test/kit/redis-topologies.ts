/** Real Redis Sentinels and a real Redis Cluster for tests, on free ports; they end as `redis.ts` says. */
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { freePort, RedisProcess, startRedis } from './redis.ts'
import { until } from './wait.ts'

const run = promisify(execFile)
const DOWN_AFTER_MS = 1000
const CREATE_MS = 60_000

export interface SentinelGroup {
  readonly master: RedisProcess
  readonly replica: RedisProcess
  readonly sentinels: readonly RedisProcess[]
  /** `host:port` of each Sentinel. */
  readonly nodes: string[]
  /** Resolves when the replica is the master for all Sentinels. */
  switched(): Promise<void>
  kill(): Promise<void>
}

export interface SentinelPasswords {
  readonly data: string
  readonly guard: string
}

/** A master, a replica and three Sentinels that know them as `chat`. */
export async function startSentinels(passwords: SentinelPasswords | null = null): Promise<SentinelGroup> {
  const data = passwords === null ? {} : { password: passwords.data }
  const args = passwords === null ? [] : ['--requirepass', passwords.data, '--masterauth', passwords.data]
  const master = await startRedis(args, data)
  const replica = await startRedis([...args, '--replicaof', '127.0.0.1', String(master.port)], data)
  const guard = passwords?.guard
  const file = guard === undefined ? '' : `requirepass ${guard}\nsentinel sentinel-pass ${guard}\n`
  const sentinels: RedisProcess[] = []
  for (let i = 0; i < 3; i++) {
    const more = { sentinel: file, ...(guard === undefined ? {} : { password: guard }) }
    const sentinel = new RedisProcess(await freePort(), [], more)
    await sentinel.start()
    await sentinel.command(`SENTINEL MONITOR chat 127.0.0.1 ${master.port} 2`)
    await sentinel.command(`SENTINEL SET chat down-after-milliseconds ${DOWN_AFTER_MS} failover-timeout 5000`)
    if (passwords !== null) await sentinel.command(`SENTINEL SET chat auth-pass ${passwords.data}`)
    sentinels.push(sentinel)
  }
  const knows = async (sentinel: RedisProcess) => {
    const text = await sentinel.command('SENTINEL MASTER chat')
    return /num-slaves\r\n\$\d+\r\n1\r\n/.test(text) && /num-other-sentinels\r\n\$\d+\r\n2\r\n/.test(text)
  }
  await until(async () => (await Promise.all(sentinels.map(knows))).every(Boolean), 'the Sentinels to know one another')
  return {
    master,
    replica,
    sentinels,
    nodes: sentinels.map(({ port }) => `127.0.0.1:${port}`),
    switched: async () => {
      const names = (sentinel: RedisProcess) => sentinel.command('SENTINEL GET-MASTER-ADDR-BY-NAME chat')
      const isNamed = async () =>
        (await Promise.all(sentinels.map(names))).every((text) => text.includes(`\r\n${replica.port}\r\n`))
      await until(isNamed, 'the Sentinels to agree')
    },
    kill: async () => void (await Promise.all([...sentinels, replica, master].map((each) => each.kill()))),
  }
}

export interface ClusterGroup {
  readonly nodes: readonly RedisProcess[]
  readonly addresses: string[]
  /** The masters now, with a slot of each. */
  masters(): Promise<RedisProcess[]>
  kill(): Promise<void>
}

/** Three masters with a replica each. */
export async function startCluster(): Promise<ClusterGroup> {
  const nodes = await Promise.all(
    Array.from({ length: 6 }, async () => {
      const args = [
        '--cluster-enabled',
        'yes',
        '--repl-diskless-sync-delay',
        '0',
        '--cluster-node-timeout',
        '1000',
        '--cluster-port',
        String(await freePort()),
      ]
      return startRedis(args)
    }),
  )
  const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
  // It waits for ever for nodes that do not find one another.
  await run('redis-cli', ['--cluster', 'create', ...addresses, '--cluster-replicas', '1', '--cluster-yes'], {
    timeout: CREATE_MS,
  })
  const isWhole = async (node: RedisProcess) => {
    const text = await node.command('CLUSTER INFO')
    return text.includes('cluster_state:ok') && text.includes('cluster_known_nodes:6')
  }
  await until(async () => (await Promise.all(nodes.map(isWhole))).every(Boolean), 'the Cluster')
  // A replica that never had its master's data may not take its place.
  const isSynced = async (node: RedisProcess) => {
    const text = await node.command('INFO replication')
    return text.includes('role:master') ? text.includes('state=online') : text.includes('master_link_status:up')
  }
  await until(async () => (await Promise.all(nodes.map(isSynced))).every(Boolean), 'the replicas')
  return {
    nodes,
    addresses,
    masters: async () => {
      const roles = await Promise.all(nodes.map((node) => node.command('ROLE').catch(() => '')))
      return nodes.filter((_, i) => roles[i]!.includes('master'))
    },
    kill: async () => void (await Promise.all(nodes.map((each) => each.kill()))),
  }
}
