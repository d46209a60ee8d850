/**
 * A Sentinel failover, and the death of a Cluster's master, under load through a whole gateway with limits of each policy:
 * each behaves as written, nobody waits once it is noticed, and it heals by itself.
 */
import t from 'tap'
import { startGateway, testConfig } from '../kit/gateway.ts'
import { readMetrics } from '../kit/metrics.ts'
import type { RedisProcess } from '../kit/redis.ts'
import { startCluster, startSentinels } from '../kit/redis-topologies.ts'
import { failuresOf, startLoad } from '../kit/steady-load.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const POLICIES = ['local', 'allow', 'deny'] as const
/** Clients per policy and protocol. */
const CLIENTS = 2
const AT_ONCE = CLIENTS * 2 * POLICIES.length
const STEPS = 'limit_store_calls_total{for="step"}'
const RECOVERED = 'limit_store_total{event="recovered"}'
const GAVE_UP = 'limit_store_total{event="gave-up"}'
/** Generous; what it was is printed, and the goal is two seconds. */
const MOST_RECOVERY_MS = 10_000

const upstream = await startUpstream()
t.teardown(() => upstream.close())

interface Topology {
  readonly redis: object
  /** Takes the master away and resolves when another one took its place everywhere. */
  readonly failOver: () => Promise<void>
  /** Resolves when everybody knows of the new master. */
  readonly settled: () => Promise<void>
  readonly kill: () => Promise<void>
}

async function sentinels(): Promise<Topology> {
  const group = await startSentinels()
  // A Sentinel cuts the clients of the one that it promotes, this question among them.
  const role = () => group.replica.command('ROLE').catch(() => '')
  return {
    redis: { sentinel: { master: 'chat', nodes: group.nodes } },
    failOver: async () => {
      await group.master.kill()
      await until(async () => (await role()).includes('master'), 'the failover')
    },
    settled: () => group.switched(),
    kill: () => group.kill(),
  }
}

async function cluster(): Promise<Topology> {
  const group = await startCluster()
  const isWhole = async (nodes: readonly RedisProcess[]) => {
    const infos = await Promise.all(nodes.map((node) => node.command('CLUSTER INFO').catch(() => '')))
    return infos.every((info) => info.includes('cluster_state:ok')) && (await group.masters()).length === 3
  }
  return {
    redis: { cluster: { nodes: group.addresses.slice(0, 2) } },
    failOver: async () => {
      const [dead] = await group.masters()
      await dead!.kill()
      await until(() => isWhole(group.nodes.filter((node) => node !== dead)), 'the failover')
    },
    settled: async () => {},
    kill: () => group.kill(),
  }
}

for (const [name, start] of [
  ['Sentinel', sentinels],
  ['Cluster', cluster],
] as const) {
  t.test(name, async (t) => {
    const topology = await start()
    t.teardown(() => topology.kill())
    const gateway = await startGateway(
      testConfig(upstream.url, {
        routes: POLICIES.map((policy) => ({
          ...{ path: `/echo/${policy}/*`, service: 'chat', profiles: ['internet'], purpose: 'test', limits: [policy] },
        })),
        limits: {
          // Keys of several places, so that the load meets every master of a Cluster.
          ...Object.fromEntries(
            POLICIES.map((policy) => [
              policy,
              {
                by: policy === 'allow' ? 'route' : policy === 'deny' ? 'all' : 'address',
                rate: '1000000 per hour',
                onOutage: policy,
              },
            ]),
          ),
          // Longer than by default, so that a busy machine makes no outage of its own.
          store: { redis: { ...topology.redis, timeout: '300 ms' } },
        },
      }),
    )
    t.teardown(() => gateway.close())
    await until(() => gateway.log().includes('Limits are shared through'), 'the store')
    const loads = POLICIES.map((policy) =>
      startLoad(t, { port: gateway.publicPort }, { clients: CLIENTS, path: `/echo/${policy}` }),
    )
    const more = (count: number) => Promise.all(loads.map((load) => load.more(count)))
    const shotsOf = () => loads.map(({ shots }) => shots.length).reduce((a, b) => a + b)
    await more(10)

    const brokenAt = performance.now()
    const over = topology.failOver().then(() => performance.now())
    await until(() => gateway.log().includes(' is down ('), 'the outage')
    const noticedAt = performance.now()
    const noticed = await readMetrics(gateway.adminPort)
    const answered = shotsOf()
    await more(10)
    const [meanwhile, later] = [shotsOf() - answered, await readMetrics(gateway.adminPort)]
    // It may be over already: then calls are as they should be.
    const isStillDown = later(RECOVERED) === noticed(RECOVERED)
    if (isStillDown) {
      t.equal(later(STEPS), noticed(STEPS), `${meanwhile} requests in the outage, and none asked the store`)
      t.equal(later(GAVE_UP), noticed(GAVE_UP), 'none was waiting any more')
    }
    t.ok(later(GAVE_UP) <= AT_ONCE, `${later(GAVE_UP)} waited when it was noticed`)
    const overAt = await over
    await until(() => gateway.log().includes(' is back after '), 'the recovery')
    const backAt = performance.now()
    // Who hears of the new master late must not send its clients away again.
    await topology.settled()
    await more(10)
    const shots = await Promise.all(loads.map((load) => load.stop()))

    t.comment(
      `${name}: noticed after ${(noticedAt - brokenAt).toFixed(0)} ms by ${later(GAVE_UP)} requests that waited; then ` +
        `${meanwhile} were answered without a call (still down: ${isStillDown}); shared again ` +
        `${(backAt - overAt).toFixed(0)} ms after the failover (goal: 2000)`,
    )
    t.ok(backAt - overAt < MOST_RECOVERY_MS)
    for (const [i, policy] of POLICIES.entries()) {
      const own = shots[i]!
      t.ok(
        own.every(({ isComplete, error }) => isComplete && error === ''),
        `${policy}: no request is lost`,
      )
      const statuses = [...new Set(own.map(({ status }) => status))].sort()
      t.same(statuses, policy === 'deny' ? [200, 503] : [200], policy)
      t.same(failuresOf(own.filter(({ startedAt }) => startedAt > backAt)), [], `${policy}: healed without a restart`)
    }
    const lines = gateway.log().split('\n')
    const outages = lines.filter((line) => line.includes(' is down (')).length
    const ends = lines.filter((line) => line.includes(' is back after ')).length
    t.equal(outages, ends)
    t.ok(lines.length < 30, `${lines.length} lines in all, ${outages} outages`)
  })
}
