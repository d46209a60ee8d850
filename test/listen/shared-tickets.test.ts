/** Nodes share keys of session tickets through a real Redis: one makes them, all have them, and no outage keeps an old one. */
import t, { type Test } from 'tap'
import type { StoreConfig } from '../../src/config/shape.ts'
import type { SharedValues } from '../../src/exchange/shared-values.ts'
import { makeStore } from '../../src/limits/store.ts'
import { TicketKeySeal } from '../../src/listen/sealed-ticket-key.ts'
import { SharedTicketKeys } from '../../src/listen/shared-ticket-keys.ts'
import { TicketKeys } from '../../src/listen/ticket-keys.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'

// The gateway's timers keep no process alive; something here has to.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

const SECRET = 'a secret of thirty-two characters'
/** No period of this length ends in a test: it began long ago, and the next is years away. */
const LONG_MS = 24 * 86_400_000
const SHORT_MS = 1000

const redis = await startRedis()
t.teardown(() => redis.kill())
t.beforeEach(async () => {
  await redis.restart()
})

async function openValues(t: Test): Promise<SharedValues> {
  const config = { redis: { url: redis.url, prefix: 'p', timeout: 500 }, onOutage: 'local' } as StoreConfig
  const store = makeStore(config, redis.url, () => {}, { count: () => {} })
  t.teardown(() => store.close())
  await store.whenSettled()
  return store.values
}

interface Wish {
  secret?: string
  prefix?: string
  listener?: string
  rotationMs?: number
  values?: SharedValues
}

async function node(t: Test, wish: Wish = {}) {
  const values = wish.values ?? (await openValues(t))
  const events: string[] = []
  const seen: { key: Buffer; at: number }[] = []
  const { secret = SECRET, prefix = 'p', listener = 'public', rotationMs = LONG_MS } = wish
  const sharing = (more: Wish = {}) =>
    new SharedTicketKeys({ values, secret, prefix, listener, rotationMs, ...more }, (event) => void events.push(event))
  const keys = new TicketKeys(rotationMs, sharing(), (key) => seen.push({ key: Buffer.from(key), at: Date.now() }))
  t.teardown(() => keys.close())
  return { keys, events, seen, values, sharing, hex: () => keys.current.toString('hex') }
}

type Node = Awaited<ReturnType<typeof node>>
const areAlike = (nodes: readonly Node[]): boolean => new Set(nodes.map(({ hex }) => hex())).size === 1

/** The only key in Redis that is about tickets. */
async function place(): Promise<string> {
  const found = /p:value:tickets:\S+/.exec(await redis.command('KEYS *tickets*'))
  return found === null ? '' : found[0]
}

t.test('nodes that start at the same moment end with the same key: one made it', async (t) => {
  const values = await Promise.all(Array.from({ length: 5 }, () => openValues(t)))
  const nodes = await Promise.all(values.map((each) => node(t, { values: each })))
  await until(() => areAlike(nodes) && nodes.every(({ events }) => events.length > 0), 'one key')
  const events = nodes.flatMap((each) => each.events)
  t.equal(events.filter((each) => each === 'made').length, 1)
  t.equal(events.filter((each) => each === 'taken-over').length, 4)
  const value = await redis.command(`GET ${await place()}`)
  t.notMatch(value, nodes[0]!.keys.current.toString('base64').slice(24, 60), 'sealed')
  t.ok(Number(/\d+/.exec(await redis.command(`PTTL ${await place()}`))![0]) <= LONG_MS, 'and it ends in Redis')
})

t.test('the key that another takes the place of is wiped, and the last one at the end', async (t) => {
  const one = await node(t)
  await until(() => one.events.length > 0, 'the first key')
  const two = await node(t)
  const own = two.keys.current
  await until(() => areAlike([one, two]), 'one key')
  t.ok(own.equals(Buffer.alloc(48)))
  const last = two.keys.current
  two.keys.close()
  t.ok(last.equals(Buffer.alloc(48)))
})

t.test(
  'all change together at the end of a period, no key outlives its own, and old ones are gone from Redis',
  async (t) => {
    const nodes = [await node(t, { rotationMs: SHORT_MS }), await node(t, { rotationMs: SHORT_MS })]
    const common = new Set<string>()
    await until(() => {
      if (areAlike(nodes)) common.add(nodes[0]!.hex())
      return common.size >= 4
    }, 'four periods with a common key')
    for (const { seen } of nodes) {
      const periods = new Map<string, Set<number>>()
      for (const { key, at } of seen) {
        const name = key.toString('hex')
        periods.set(name, (periods.get(name) ?? new Set()).add(Math.floor(at / SHORT_MS)))
      }
      t.ok(
        [...periods.values()].every((each) => each.size === 1),
        'no key of two periods',
      )
    }
    await until(
      async () => (await redis.command('KEYS *tickets*')).split('tickets').length - 1 <= 2,
      'the old ones are gone',
    )
  },
)

t.test('a node that starts while Redis is gone has its own key, and the common one when Redis is back', async (t) => {
  const one = await node(t)
  await until(() => one.events.includes('made'), 'the first key')
  const kept = await redis.command(`GET ${await place()}`)
  const at = await place()
  redis.pause()
  await until(() => !one.values.isUp || one.values.get('x').then(() => false), 'the outage')
  const two = await node(t)
  t.notOk(areAlike([one, two]))
  await until(() => two.events.includes('own'), 'it says so')
  t.same(one.events, ['made'], 'nobody says it of a common key')
  redis.resume()
  await until(() => areAlike([one, two]), 'one key')
  t.equal(await redis.command(`GET ${at}`), kept, 'the one that was there')
  t.same(two.events, ['own', 'taken-over'])
})

t.test('an outage in the middle keeps the key; a Redis that comes back empty is given it again', async (t) => {
  const nodes = [await node(t), await node(t)]
  await until(() => areAlike(nodes), 'one key')
  const key = nodes[0]!.hex()
  await redis.kill()
  await until(() => nodes.every(({ values }) => !values.isUp), 'the outage')
  t.same(
    nodes.map(({ hex }) => hex()),
    [key, key],
  )
  await redis.start()
  await until(async () => (await place()) !== '', 'the key in Redis')
  t.same(
    nodes.map(({ hex }) => hex()),
    [key, key],
  )
  const third = await node(t)
  await until(() => third.hex() === key, 'the same for who comes later')
})

t.test('an outage over the end of a period: each rotates by itself in time, and they agree again', async (t) => {
  const nodes = [await node(t, { rotationMs: SHORT_MS }), await node(t, { rotationMs: SHORT_MS })]
  await until(() => areAlike(nodes), 'one key')
  await redis.kill()
  const key = nodes[0]!.hex()
  await until(() => nodes.every(({ hex }) => hex() !== key), 'the next keys')
  await until(() => nodes.every(({ events }) => events.includes('own')), 'they say so')
  await redis.start()
  await until(() => areAlike(nodes), 'one key again')
})

/** Puts something in the place of the common key before `two` comes, and tells what two makes of it. */
async function meets(t: Test, change: (value: string, one: Node) => string): Promise<void> {
  const one = await node(t)
  await until(() => one.events.includes('made'), 'the first key')
  const at = (await place()).replace(/^p:value:/, '')
  const value = change((await one.values.get(at))!, one)
  t.ok(await one.values.put(at, value, LONG_MS))
  const two = await node(t)
  const own = two.hex()
  await until(() => two.events.length > 0, 'the refusal')
  const cause = two.events[0]!
  two.keys.change(LONG_MS, two.sharing())
  await new Promise((wake) => setTimeout(wake, 200))
  t.same(two.events, [cause], 'said once')
  t.equal(two.hex(), own, 'not used')
  t.equal(await one.values.get(at), value, 'and left to be looked at')
  t.match(cause, /^refused-/)
  t.equal(cause, t.name)
}

const PERIOD = Math.floor(Date.now() / LONG_MS)
const sealedFor = (place: string, period = PERIOD, secret = SECRET): string =>
  new TicketKeySeal(secret, place).seal(Buffer.alloc(48, 1), period)
const PLACE = `p:tickets:public:${LONG_MS}`

t.test('refused-tampered', (t) =>
  meets(t, (value) => value.replace('"sealed":"', '"sealed":"AAAA').replace(/.{4}(?==="\})/, '')),
)
t.test('refused-malformed', (t) => meets(t, () => 'not a key'))
t.test('refused-other-period', (t) => meets(t, () => sealedFor(PLACE, PERIOD - 1)))
t.test('refused-other-place', (t) => meets(t, () => sealedFor(`other:tickets:public:${LONG_MS}`)))
t.test('refused-other-secret', (t) => meets(t, () => sealedFor(PLACE, PERIOD, 'another one of thirty-two letters')))

t.test('listeners, prefixes and secrets do not meet', async (t) => {
  const one = await node(t)
  await until(() => one.events.includes('made'), 'the first key')
  const others = [
    await node(t, { listener: 'agents' }),
    await node(t, { prefix: 'q' }),
    await node(t, { rotationMs: LONG_MS - 1 }),
  ]
  await until(() => others.every(({ events }) => events.length > 0), 'theirs')
  t.notOk(others.some(({ hex }) => hex() === one.hex()))
})

t.test('another secret takes effect at once, the same one changes nothing', async (t) => {
  const one = await node(t)
  await until(() => one.events.includes('made'), 'the first key')
  const key = one.hex()
  one.keys.change(LONG_MS, one.sharing())
  t.equal(one.hex(), key)
  one.keys.change(LONG_MS, one.sharing({ secret: 'another one of thirty-two letters' }))
  t.not(one.hex(), key)
  one.keys.change(LONG_MS, null)
  await until(() => one.events.length > 0, 'settled')
  const alone = one.hex()
  one.keys.change(LONG_MS, null)
  t.equal(one.hex(), alone)
})

t.test('a clock that is set back gives no key more time', async (t) => {
  const rotationMs = 1_000_000
  let now = rotationMs * 1000 + rotationMs - 1500
  const clock = t.intercept(Date, 'now', { get: () => () => now })
  const one = await node(t, { rotationMs })
  await until(() => one.events.includes('made'), 'the first key')
  const key = one.hex()
  now -= rotationMs / 2
  await until(() => one.hex() !== key, 'its end by the time that passed', 20_000)
  await new Promise((wake) => setTimeout(wake, 2500))
  t.not(one.hex(), key, 'and it is not taken back from Redis')
  clock.restore()
})

t.test('an answer that comes when its period is over gives no key to the next one', async (t) => {
  const rotationMs = 1_000_000
  let now = rotationMs * 1000 + 10
  t.intercept(Date, 'now', { get: () => () => now })
  const old = Buffer.alloc(48, 7)
  const sealed = new TicketKeySeal(SECRET, `p:tickets:public:${rotationMs}`).seal(old, 1000)
  const written: [place: string, value: string][] = []
  let answer = (_value: string): void => {}
  let asked = 0
  const values: SharedValues = {
    isUp: true,
    get: () =>
      asked++ > 0
        ? Promise.resolve(null)
        : new Promise((resolve) => {
            answer = resolve
          }),
    swap: async (key, _expected, next) => {
      written.push([key, next!])
      return 'done'
    },
    put: async () => true,
  }
  const one = await node(t, { rotationMs, values })
  await until(() => asked === 1, 'the question')
  now = rotationMs * 1001 + 10
  answer(sealed)
  await until(() => written.length > 0, 'the key of the next period')
  for (const [place, value] of written) {
    t.match(place, /:1001$/)
    const key = new TicketKeySeal(SECRET, `p:tickets:public:${rotationMs}`).open(value, 1001)
    t.notOk(old.equals(key as Buffer), 'not the one of the period before')
  }
  t.notOk(old.equals(one.keys.current))
})
