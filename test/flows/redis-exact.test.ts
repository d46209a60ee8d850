/**
 * Two and four gateway processes on one Redis, one client at many times the limit, window after window: each window lets
 * exactly the limit through, whoever is asked. `WINDOWS=30 tap run test/flows/redis-exact.test.ts` runs longer.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, type ProcessGateway, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startUpstream } from '../kit/upstream.ts'

const LIMIT = 20
const WINDOW_MS = 1000
const WINDOWS = Number(process.env.WINDOWS ?? 6)
const PER_NODE = 3

const upstream = await startUpstream()
const redis = await startRedis()
t.teardown(async () => {
  await redis.kill()
  await upstream.close()
})
const config: Json = testConfig(upstream.url, {
  routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'test', limits: ['short'] }],
  limits: {
    short: { rate: `${LIMIT} per second` },
    // An outage would let more through; a busy machine is none.
    store: { redis: { url: redis.url, timeout: '10 seconds' }, onOutage: 'deny' },
  },
})
const nodes = await Promise.all([1, 2, 3, 4].map(() => startGateway(config)))
t.teardown(() => Promise.all(nodes.map((node) => node.close())))

/** Asks all nodes at once until the time is over. */
async function flood(some: readonly ProcessGateway[], from: string, ms: number) {
  const replies: Reply[] = []
  const startedAt = performance.now()
  const worker = async (node: ProcessGateway): Promise<void> => {
    const client = requestTransports[0]!.open({ port: node.publicPort, from })
    while (performance.now() - startedAt < ms) {
      replies.push(await client.ask({ path: '/echo' }))
      await sleep(4)
    }
    await client.close()
  }
  await Promise.all(some.flatMap((node) => Array.from({ length: PER_NODE }, () => worker(node))))
  return { replies, elapsedMs: performance.now() - startedAt }
}

for (const count of [2, 4]) {
  t.test(`${count} processes`, async (t) => {
    const { replies, elapsedMs } = await flood(nodes.slice(0, count), `127.0.1.${count}`, WINDOWS * WINDOW_MS)
    const passed = replies.filter(({ status }) => status === 200)
    t.same([...new Set(replies.map(({ status }) => status))].sort(), [200, 429])
    // A window begins with a request and tells each of its requests its own rest: LIMIT - 1 first, 0 at last.
    const told = new Array<number>(LIMIT).fill(0)
    for (const reply of passed) {
      const rest = Number(/^"short";r=(\d+);/.exec(reply.header('ratelimit')!)?.[1])
      told[rest]!++
    }
    const begun = told[LIMIT - 1]!
    t.ok(begun <= Math.floor(elapsedMs / WINDOW_MS) + 1, `${begun} windows in ${elapsedMs.toFixed(0)} ms`)
    t.ok(passed.length <= begun * LIMIT, `${passed.length} passed`)
    // All but the last one, which may still have run, were used up: no request of theirs was given twice or lost.
    t.same(
      [...new Set(told)].filter((times) => times !== begun && times !== begun - 1),
      [],
      told.join(),
    )
    const share = passed.length / (LIMIT * (elapsedMs / WINDOW_MS))
    t.comment(
      `${replies.length} asked, ${passed.length} passed in ${begun} windows: ${(100 * share).toFixed(1)} % of what ` +
        `${(elapsedMs / WINDOW_MS).toFixed(1)} windows without a gap would give`,
    )
    t.ok(replies.length > 2 * passed.length, 'more was asked than could pass')
  })
}
