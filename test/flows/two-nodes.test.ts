/** Two gateway processes on one Redis: a client gets the limit from both together, and no more. */
import t from 'tap'
import { type Place, type Reply, requestTransports } from '../kit/clients.ts'
import { type Json, type ProcessGateway, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { startUpstream } from '../kit/upstream.ts'

const LIMIT = 20
/** Other than the window: what is told after the block began comes from it. */
const BLOCK_SECONDS = 1800

const upstream = await startUpstream()
const redis = await startRedis()
t.teardown(async () => {
  await redis.kill()
  await upstream.close()
})

function config(listeners: Json = {}): Json {
  const route = (path: string, limits: string[]): Json => ({
    ...{ path, service: 'chat', profiles: ['internet'], purpose: 'test', limits },
  })
  return testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      behind: publicListener({ trustedProxies: ['127.0.0.1/32'] }),
      admin: { address: '127.0.0.1:0' },
      ...listeners,
    },
    routes: [route('/plain/*', ['plain']), route('/blocked/*', ['blocked']), route('/both', ['plain', 'wide'])],
    limits: {
      plain: { rate: `${LIMIT} per hour` },
      wide: { rate: '5000 per day' },
      blocked: { rate: '2 per second', block: `${BLOCK_SECONDS} seconds` },
      // An outage would let more through; a busy machine is none.
      store: { redis: { url: redis.url, timeout: '10 seconds' }, onOutage: 'deny' },
    },
  })
}

const nodes = await Promise.all([startGateway(config()), startGateway(config())])
t.teardown(() => Promise.all(nodes.map((node) => node.close())))

/** Asks on every node over both protocols, some at a time, until each client has asked so often. */
async function flood(places: readonly Place[], path: string, each: number, headers: string[] = []): Promise<Reply[]> {
  const replies: Reply[] = []
  await Promise.all(
    places.flatMap((place) =>
      requestTransports.map(async (transport) => {
        const client = transport.open(place)
        for (let i = 0; i < each; i += 5) {
          const some = Array.from({ length: Math.min(5, each - i) }, () => client.ask({ path, headers }))
          replies.push(...(await Promise.all(some)))
        }
        await client.close()
      }),
    ),
  )
  return replies
}

const placesFrom = (from: string, name = 'listeners.public.address'): Place[] =>
  nodes.map((node: ProcessGateway) => ({ port: node.port(name), from }))
const passed = (replies: readonly Reply[]): number => replies.filter((reply) => reply.status === 200).length

t.test('ten times the limit over two nodes: exactly the limit passes', async (t) => {
  await redis.flush()
  const seen = upstream.received.length
  const replies = await flood(placesFrom('127.0.0.5'), '/plain/a', (LIMIT * 10) / 4)
  t.equal(replies.length, LIMIT * 10)
  t.equal(passed(replies), LIMIT, 'not twice the limit')
  t.equal(upstream.received.length - seen, LIMIT, 'nothing more reached the service')
  const refused = replies.filter((reply) => reply.status !== 200)
  t.same([...new Set(refused.map((reply) => reply.status))], [429])
  for (const reply of replies) t.equal(reply.header('ratelimit-policy'), `"plain";q=${LIMIT};w=3600`)
  const left = replies
    .filter((reply) => reply.status === 200)
    .map((reply) => Number(/^"plain";r=(\d+);t=\d+$/.exec(reply.header('ratelimit')!)?.[1]))
  t.same(
    left.sort((a, b) => b - a),
    Array.from({ length: LIMIT }, (_, i) => LIMIT - 1 - i),
    'each allowed request is told its own rest',
  )
  for (const reply of refused) {
    const wait = Number(reply.header('retry-after'))
    t.ok(wait > 0 && wait <= 3600, `Retry-After: ${wait}`)
    t.match(reply.header('ratelimit'), /^"plain";r=0;t=\d+$/)
    t.match(reply.json(), { status: 429, code: 'rate-limited' })
  }
})

t.test('another client is not affected, on neither node', async (t) => {
  await redis.flush()
  const one = await flood(placesFrom('127.0.0.7'), '/plain/a', LIMIT)
  t.equal(passed(one), LIMIT)
  const other = await flood(placesFrom('127.0.0.6'), '/plain/b', LIMIT / 4)
  t.equal(passed(other), LIMIT)
})

t.test('of two limits on a route both are told', async (t) => {
  const [reply] = await flood([placesFrom('127.0.0.8')[0]!], '/both', 1)
  t.equal(reply!.header('ratelimit-policy'), `"plain";q=${LIMIT};w=3600, "wide";q=5000;w=86400`)
  t.match(reply!.header('ratelimit'), /^"plain";r=\d+;t=\d+, "wide";r=\d+;t=\d+$/)
})

t.test('a client that went over stays blocked on both nodes for the block time', async (t) => {
  await redis.flush()
  const places = placesFrom('127.0.0.9')
  let refused: Reply | undefined
  while (refused === undefined) {
    const replies = await flood([places[0]!], '/blocked/a', 5)
    refused = replies.find((reply) => reply.status === 429)
  }
  // The window of a second is over; the block is not.
  await new Promise((wake) => setTimeout(wake, 1100))
  for (const place of places) {
    const replies = await flood([place], '/blocked/a', 1)
    for (const reply of replies) {
      t.equal(reply.status, 429)
      const wait = Number(reply.header('retry-after'))
      t.ok(wait > BLOCK_SECONDS / 2 && wait <= BLOCK_SECONDS, `Retry-After: ${wait}`)
    }
  }
})

t.test('IPv6 clients are counted by /64', async (t) => {
  await redis.flush()
  const behind = placesFrom('127.0.0.1', 'listeners.behind.address')
  const ask = (address: string, each: number): Promise<Reply[]> =>
    flood(behind, '/plain/a', each, ['x-forwarded-for', address])
  const first = await ask('2001:db8:1:2::1', LIMIT / 4)
  const second = await ask('2001:db8:1:2:ffff::2', LIMIT / 4)
  t.equal(passed(first), LIMIT)
  t.equal(passed(second), 0, 'another address of the same /64 is the same client')
  t.equal(passed(await ask('2001:db8:1:3::1', LIMIT / 4)), LIMIT, 'the next /64 is another one')
  t.equal(passed(await ask('::ffff:192.0.2.9', LIMIT / 4)), LIMIT)
  t.equal(passed(await ask('192.0.2.9', LIMIT / 4)), 0, 'an IPv4-mapped address is the IPv4 client')
})

t.test('a client over real IPv6', async (t) => {
  const gateway = await startGateway(config({ six: publicListener({ address: '[::1]:0' }) })).catch(() => null)
  if (gateway === null) return t.pass('this machine has no ::1')
  t.teardown(() => gateway.close())
  await redis.flush()
  const place = { port: gateway.port('listeners.six.address'), address: '::1' }
  t.equal(passed(await flood([place], '/plain/a', LIMIT)), LIMIT)
  t.match(await redis.command('KEYS *plain*'), /plain:\{(?:::|0:0:0:0::)\/64\}/)
})
