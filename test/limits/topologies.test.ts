/**
 * Sentinels, a Cluster, TLS with own authorities, ACL users, database numbers and unix sockets, all with real Redis
 * processes: counts are exact, and a failover heals without a restart.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import t from 'tap'
import { accessByUrl, type RedisAccess } from '../../src/config/redis-access.ts'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { Claim, ClaimStates, CounterOptions, OutagePolicy } from '../../src/exchange/contracts.ts'
import { ownKey } from '../../src/exchange/own-count.ts'
import { type LimitStore, makeStore } from '../../src/limits/store.ts'
import { makeCertificate, writePair } from '../kit/certificates.ts'
import { freePort, startRedis } from '../kit/redis.ts'
import { startCluster, startSentinels } from '../kit/redis-topologies.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'

const NOTHING: RedisAccess = { ...accessByUrl(''), url: null }
const POLICIES: readonly OutagePolicy[] = ['local', 'allow', 'deny']
type Tap = { teardown(fn: () => unknown): void }

async function open(t: Tap, redis: object, access: Partial<RedisAccess>, timeout = 1000) {
  const counting = makeCounting()
  const config = { redis: { prefix: 'top', timeout, ...redis }, onOutage: 'local' } as unknown as StoreConfig
  const store = makeStore(config, { ...NOTHING, ...access }, counting.log, counting.metrics)
  t.teardown(() => store.close())
  await store.whenSettled()
  return { store, ...counting, warnings: () => counting.lines.filter(([level]) => level === 'warn').length }
}

const options = (name: string, points: number, onOutage: OutagePolicy = 'deny'): CounterOptions => ({
  name,
  points,
  windowMs: 600_000,
  blocks: [],
  onOutage,
})

function step(store: LimitStore, claims: readonly Claim[]): Promise<ClaimStates> {
  return new Promise((resolve) => {
    const states = store.claim(claims, { onStates: resolve })
    if (states !== null) resolve(states)
  })
}

/** Asks by each policy all the time; what was answered, with the policy, and the longest wait for one answer. */
function startLoad(t: Tap, store: LimitStore) {
  let running = true
  const told = { degraded: { local: 0, allow: 0, deny: 0 }, wrong: 0, shared: 0, longestMs: 0 }
  const worker = async (policy: OutagePolicy) => {
    const counter = store.counter(options(`load-${policy}`, 1_000_000, policy))
    for (let i = 0; running; i++) {
      const startedAt = performance.now()
      const state = await counter.add(`k${i % 200}`)
      told.longestMs = Math.max(told.longestMs, performance.now() - startedAt)
      if (!state.degraded) told.shared++
      else told.degraded[policy]++
      if (state.allowed === (state.degraded && policy === 'deny')) told.wrong++
      await sleep(2)
    }
  }
  const workers = Promise.all(POLICIES.map(worker))
  t.teardown(() => {
    running = false
  })
  return {
    told,
    stop: async () => {
      running = false
      await workers
      return told
    },
  }
}

t.test('Sentinel: the master by its name; after a failover the new one, scripts and all', async (t) => {
  const group = await startSentinels()
  t.teardown(() => group.kill())
  const { store, lines, warnings } = await open(t, { sentinel: { master: 'chat', nodes: group.nodes, tls: false } }, {})
  t.equal(store.isUp, true)
  t.match(lines[0]![1], /master chat/)
  const load = startLoad(t, store)
  await until(() => load.told.shared > 50, 'the load')
  await group.master.kill()
  await until(() => !store.isUp, 'the outage')
  // A Sentinel cuts the clients of the one that it promotes, this question among them.
  const role = () => group.replica.command('ROLE').catch(() => '')
  await until(async () => (await role()).includes('master'), 'the failover')
  const backAt = performance.now()
  await until(() => store.isUp, 'the recovery')
  t.comment(`usable ${(performance.now() - backAt).toFixed(0)} ms after the new master`)
  // One that hears of the new master late must not send its clients away again.
  await group.switched()
  const before = load.told.shared
  await until(() => store.isUp && load.told.shared > before + 50, 'the load on the new master')
  const told = await load.stop()
  t.equal(told.wrong, 0, 'each policy behaved as written')
  t.ok(POLICIES.every((policy) => told.degraded[policy] > 0))
  t.comment(`longest wait for an answer: ${told.longestMs.toFixed(0)} ms`)
  t.equal(warnings(), 1, 'one line for the outage')
  t.equal(lines.length, 3)
})

t.test('Sentinel: a failover by command, while the old master lives on as a replica', async (t) => {
  const group = await startSentinels({ data: 'data-secret', guard: 'guard-secret' })
  t.teardown(() => group.kill())
  const { store, lines } = await open(
    t,
    { sentinel: { master: 'chat', nodes: ['127.0.0.1:1', ...group.nodes], tls: false } },
    { password: 'data-secret', sentinelPassword: 'guard-secret' },
  )
  t.equal(store.isUp, true, lines.join())
  const load = startLoad(t, store)
  await until(() => load.told.shared > 50, 'the load')
  await group.sentinels[0]!.command('SENTINEL FAILOVER chat')
  // A Sentinel cuts the clients of the one that it promotes, this question among them.
  const role = () => group.replica.command('ROLE').catch(() => '')
  await until(async () => (await role()).includes('master'), 'the failover')
  const before = load.told.shared
  await until(() => store.isUp && load.told.shared > before + 100, 'the load on the new master')
  const told = await load.stop()
  t.equal(told.wrong, 0)
  t.notMatch(lines.join(), /secret/)
})

t.test('Cluster: exact, one claim refused holds back those with its key, and a dead master is replaced', async (t) => {
  const cluster = await startCluster()
  t.teardown(() => cluster.kill())
  const settings = { cluster: { nodes: cluster.addresses.slice(0, 2) } }
  const [one, two] = [await open(t, settings, {}), await open(t, settings, {})]
  t.equal(one.store.isUp && two.store.isUp, true)
  for (let i = 0; i < 20; i++) {
    const states = await Promise.all(
      Array.from({ length: 30 }, (_, k) =>
        (k % 2 === 0 ? one : two).store.counter(options('exact', 7)).add(`key ${i}`),
      ),
    )
    t.equal(states.filter((state) => state.allowed).length, 7)
  }
  const claims = ['narrow', 'wide'].map((name) => ({
    counter: one.store.counter(options(name, name === 'wide' ? 10 : 1)),
    key: 'both',
    points: 1,
    own: null,
  }))
  const elsewhere = { counter: one.store.counter(options('by-user', 10)), key: 'another key', points: 1, own: null }
  t.same(
    (await step(one.store, [...claims, elsewhere])).map((state) => state?.used),
    [1, 1, 1],
  )
  const refused = await step(one.store, [...claims, elsewhere])
  t.same(
    refused.map((state) => state?.allowed),
    [false, true, true],
  )
  t.equal(refused[1]!.used, 1, 'not counted')
  t.equal(refused[2]!.used, 2, 'another key may live on another node: that one is')
  const common = { counter: one.store.counter(options('account', 1)), key: 'anna', points: 1 }
  const known = one.store.counter(options('account.known', 1000))
  await known.add(ownKey('anna', '2001:db8::/64'))
  const login = (client: string) => step(one.store, [{ ...common, own: { known, key: ownKey('anna', client) } }])
  const logins = [await login('stranger'), await login('other'), await login('2001:db8::/64')]
  t.same(
    logins.map(([state]) => state?.allowed),
    [true, false, true],
    'common count, known client and its own count live together',
  )
  t.equal(await one.store.bans.ban('192.0.2.1', 60_000, ''), 'done')
  await until(() => two.store.bans.list.has('192.0.2.1'), 'the ban')

  const load = startLoad(t, one.store)
  await until(() => load.told.shared > 100, 'the load')
  const [dead] = await cluster.masters()
  await dead!.kill()
  await until(() => !one.store.isUp, 'the outage')
  await until(async () => {
    const alive = cluster.nodes.filter((node) => node !== dead)
    const infos = await Promise.all(alive.map((node) => node.command('CLUSTER INFO')))
    return infos.every((info) => info.includes('cluster_state:ok')) && (await cluster.masters()).length === 3
  }, 'the failover')
  const backAt = performance.now()
  await until(() => one.store.isUp, 'the recovery')
  t.comment(`usable ${(performance.now() - backAt).toFixed(0)} ms after the failover`)
  const before = load.told.shared
  await until(() => load.told.shared > before + 200, 'the load on all masters')
  const told = await load.stop()
  t.equal(told.wrong, 0, 'each policy behaved as written')
  t.ok(POLICIES.every((policy) => told.degraded[policy] > 0))
  t.comment(`longest wait for an answer: ${told.longestMs.toFixed(0)} ms`)
  t.ok(one.lines.length <= 7, `${one.lines.length} lines`)
})

t.test('TLS with an authority and a client certificate of its own, an ACL user, a database', async (t) => {
  const dir = t.testdir()
  const ca = await makeCertificate({ names: [], subject: 'CN=test authority', authority: true })
  const server = writePair(dir, 'server', await makeCertificate({ names: ['redis.test'], issuer: ca }))
  const own = await makeCertificate({ names: ['gateway'], issuer: ca })
  const authority = writePair(dir, 'ca', ca).cert
  const port = await freePort()
  const redis = await startRedis([
    ...['--tls-port', String(port), '--tls-cert-file', server.cert, '--tls-key-file', server.key],
    ...['--tls-ca-cert-file', authority, '--tls-auth-clients', 'yes'],
    '--user',
    ...'gate on >open-sesame ~top:* +@connection +info +eval +evalsha +time +get +set +del'.split(' '),
  ])
  t.teardown(() => redis.kill())
  const url = `rediss://127.0.0.1:${port}`
  const settings = { username: 'gate', database: 2, tls: { serverName: 'redis.test' } }
  const access = { url, password: 'open-sesame', ca: ca.cert, cert: own.cert, key: own.key }
  const good = await open(t, settings, access)
  t.equal(good.store.isUp, true, good.lines.join())
  t.match(await good.store.counter(options('tls', 5)).add('a'), { used: 1, degraded: false })
  t.match(await redis.command('INFO keyspace'), /db2:keys=/)
  for (const [what, more, wrong] of [
    ['no authority', {}, { ca: null }],
    ['no client certificate', {}, { cert: null, key: null }],
    ['another name', { tls: { serverName: 'other.test' } }, {}],
    ['a wrong password', {}, { password: 'guess' }],
  ] as const) {
    const bad = await open(t, { ...settings, ...more }, { ...access, ...wrong })
    t.equal(bad.store.isUp, false, what)
    t.equal(bad.warnings(), 1, bad.lines.join())
    t.notMatch(bad.lines.join(), /open-sesame|guess/)
  }
})

t.test('a unix socket, with a database number', async (t) => {
  // Not in the folder of the test: a socket's path has room for 107 bytes.
  const dir = mkdtempSync(join(tmpdir(), 'redis-'))
  const path = join(dir, 'redis.sock')
  const redis = await startRedis(['--unixsocket', path])
  t.teardown(async () => {
    await redis.kill()
    rmSync(dir, { recursive: true, force: true })
  })
  const { store, lines } = await open(t, {}, { url: `unix://${path}?db=3` })
  t.equal(store.isUp, true, lines.join())
  await store.counter(options('socket', 5)).add('a')
  t.match(await redis.command('INFO keyspace'), /db3:keys=/)
  t.match(lines[0]![1], /redis\.sock/)
})
