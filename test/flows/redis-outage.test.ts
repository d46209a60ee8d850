/**
 * Redis killed, paused and slowed down (by a proxy in between) under load: statuses change by the policy alone, and once it is
 * noticed nobody waits for the store: not one call of a request goes out. Sentinels and Clusters: redis-failover.test.ts.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Json, startGateway, testConfig } from '../kit/gateway.ts'
import { readMetrics } from '../kit/metrics.ts'
import { startRedis } from '../kit/redis.ts'
import { startSlowProxy } from '../kit/slow-proxy.ts'
import { failuresOf, type Shot, startLoad } from '../kit/steady-load.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const POLICIES = ['local', 'allow', 'deny'] as const
const OUTAGES = ['killed', 'paused', 'slowed'] as const
/** More than the timeout. */
const SLOW_MS = 500
const SETTLED_MS = 1000
/** Of startLoad, over both protocols: so many requests run at once. */
const AT_ONCE = 6
const STEPS = 'limit_store_calls_total{for="step"}'
const DEGRADED = 'limit_store_total{event="degraded"}'
const GAVE_UP = 'limit_store_total{event="gave-up"}'
/** Generous; what it was is printed, and the goal is two seconds. */
const MOST_RECOVERY_MS = 10_000

const upstream = await startUpstream()
t.teardown(() => upstream.close())

const slowest = (shots: readonly Shot[]): number => Math.max(0, ...shots.map((shot) => shot.durationMs))
const statuses = (shots: readonly Shot[]): number[] => [...new Set(shots.map((shot) => shot.status))].sort()
const linesOf = (log: string, part: string): number => log.split('\n').filter((line) => line.includes(part)).length

for (const outage of OUTAGES) {
  for (const policy of POLICIES) {
    t.test(`${outage}, ${policy}`, async (t) => {
      const redis = await startRedis()
      t.teardown(() => redis.kill())
      const proxy = await startSlowProxy(redis.port)
      t.teardown(() => proxy.close())
      const url = outage === 'slowed' ? `redis://127.0.0.1:${proxy.port}` : redis.url
      const config: Json = testConfig(upstream.url, {
        routes: [
          { path: '/echo/*', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['few'] },
          { path: '/scarce/*', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['scarce'] },
        ],
        limits: {
          few: { rate: '1000000 per hour' },
          scarce: { rate: '5 per hour' },
          // Longer than by default, so that a busy machine makes no outage of its own.
          store: { redis: { url, timeout: '300 ms' }, onOutage: policy },
        },
      })
      const gateway = await startGateway(config)
      t.teardown(() => gateway.close())
      const place = { port: gateway.publicPort }
      const load = startLoad(t, place)
      // Handshakes and a cold process are no measure of what was before.
      await load.more(20)
      const warmAt = performance.now()
      await load.more(10)
      await sleep(300)

      const brokenAt = performance.now()
      if (outage === 'killed') await redis.kill()
      else if (outage === 'paused') redis.pause()
      else proxy.delayMs = SLOW_MS
      await until(() => gateway.log().includes(' is down ('), 'the outage')
      const noticedAt = performance.now()
      const noticed = await readMetrics(gateway.adminPort)
      const answered = load.shots.length
      await sleep(SETTLED_MS)
      await load.more(20)
      await sleep(500)
      await load.more(5)
      const healedAt = performance.now()
      const settling = await readMetrics(gateway.adminPort)
      const meanwhile = load.shots.length - answered
      t.equal(settling(STEPS), noticed(STEPS), `${meanwhile} requests in the outage, and none asked the store`)
      t.ok(settling(DEGRADED) - noticed(DEGRADED) >= meanwhile - AT_ONCE, 'the policy decided them')
      t.equal(settling(GAVE_UP), noticed(GAVE_UP), 'none was waiting any more')
      t.ok(settling(GAVE_UP) <= AT_ONCE, `${settling(GAVE_UP)} waited when it was noticed`)
      t.comment(
        `${outage}, ${policy}: noticed after ${(noticedAt - brokenAt).toFixed(0)} ms by ${settling(GAVE_UP)} requests that waited; ` +
          `then ${meanwhile} were answered without a call`,
      )

      // A limit that is reached while the store is gone.
      const scarce = startLoad(t, { ...place, from: '127.0.0.44' }, { clients: 1, path: '/scarce' })
      await scarce.more(6)
      const counted = statuses(await scarce.stop())
      t.same(counted, { local: [200, 429], allow: [200], deny: [503] }[policy])
      const ready = await fetch(`http://127.0.0.1:${gateway.adminPort}/health/ready`)
      t.equal(ready.status, policy === 'deny' ? 503 : 200)

      if (outage === 'killed') await redis.start()
      else if (outage === 'paused') redis.resume()
      else proxy.delayMs = 0
      const returnedAt = performance.now()
      await until(() => gateway.log().includes(' is back after '), 'the recovery')
      const backAt = performance.now()
      t.comment(
        `${outage}, ${policy}: shared again ${(backAt - returnedAt).toFixed(0)} ms after its return (goal: 2000)`,
      )
      t.ok(backAt - returnedAt < MOST_RECOVERY_MS)
      await load.more(20)
      const shots = await load.stop()

      const before = shots.filter((shot) => shot.startedAt + shot.durationMs < brokenAt)
      const settled = shots.filter((shot) => shot.startedAt > noticedAt + SETTLED_MS && shot.startedAt < healedAt)
      const after = shots.filter((shot) => shot.startedAt > backAt)
      t.same(failuresOf(before), [])
      t.same(failuresOf(after), [], 'healed without a restart')
      t.ok(before.length > 0 && settled.length >= 20 && after.length > 0)
      t.ok(
        shots.every((shot) => shot.isComplete && shot.error === ''),
        'no request is lost',
      )
      if (policy === 'deny') {
        t.same(statuses(settled), [503])
        t.same(statuses(shots), [200, 503])
      } else {
        t.same(failuresOf(shots), [], 'no answer changes its status')
      }
      const base = slowest(before.filter((shot) => shot.startedAt > warmAt))
      const added = slowest(settled) - base
      t.comment(
        `${outage}, ${policy}: slowest before ${base.toFixed(1)} ms, after the first second of the outage ` +
          `${slowest(settled).toFixed(1)} ms (${added.toFixed(1)} ms more; the goal is under 50), ${settled.length} requests`,
      )

      const log = gateway.log()
      t.equal(linesOf(log, ' is down ('), 1, 'one line for the outage')
      t.equal(linesOf(log, ' is back after '), 1, 'one line for its end')
      t.ok(log.split('\n').length < 20, 'and few others')
      const metrics = await readMetrics(gateway.adminPort)
      t.equal(metrics('limit_store_total{event="outage"}'), 1)
      t.equal(metrics('limit_store_total{event="recovered"}'), 1)
    })
  }
}

t.test('a gateway that starts without its Redis serves by the policy, and finds it when it comes', async (t) => {
  const redis = await startRedis()
  t.teardown(() => redis.kill())
  await redis.kill()
  const gateway = await startGateway(
    testConfig(upstream.url, {
      routes: [{ path: '/echo/*', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['few'] }],
      limits: { few: { rate: '1000000 per hour' }, store: { redis: { url: redis.url, timeout: '300 ms' } } },
    }),
  )
  t.teardown(() => gateway.close())
  const load = startLoad(t, { port: gateway.publicPort }, { clients: 1 })
  await load.more(5)
  await redis.start()
  await until(() => gateway.log().includes(' is back after '), 'the connection')
  await load.more(5)
  t.same(failuresOf(await load.stop()), [])
  t.match(await redis.command('KEYS *few*'), /few:\{127\.0\.0\.1\}/)
})
