/** A limit on an account under attack from everywhere: strangers are refused, and its owner gets in from a known address. */
import t from 'tap'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { makeAdmit } from '../../src/limits/admit.ts'
import { makeStore } from '../../src/limits/store.ts'
import { fakeExchange } from '../kit/fake-client.ts'
import { startRedis } from '../kit/redis.ts'
import { makeCounting } from './counting.ts'
import { admitParts, limit, rule, STORE } from './rules.ts'

const redis = await startRedis()
t.teardown(() => redis.kill())

for (const where of ['memory', 'Redis']) {
  t.test(where, async (t) => {
    const counting = makeCounting()
    const config = { ...STORE, redis: { url: redis.url, prefix: 'known', timeout: 10_000 } } as typeof STORE
    const store = makeStore(config, where === 'Redis' ? redis.url : null, counting.log, counting.metrics)
    t.teardown(() => store.close())
    await store.whenSettled()
    const account = limit(5, { by: ['header login'], known: { for: 86_400_000, statuses: [204] } })
    const admit = makeAdmit(
      [rule('per-address', limit(10), store), rule('per-account', account, store)],
      admitParts(store, counting.metrics),
    )
    /** The status of one attempt; the service behind answers 204 to the right password, else 401. */
    const attempt = async (address: string, user: string, isRight = false): Promise<number> => {
      const fake = fakeExchange({ address, headers: ['login', user] })
      const answer = (x: Exchange) => {
        x.respond(isRight ? 204 : 401, [], null)
        return 1 as const
      }
      fake.x.runStages([admit, answer])
      await fake.finished
      return fake.client.status
    }
    t.equal(await attempt('192.0.2.1', 'anna', true), 204, 'her own address, long before')

    let through = 0
    for (let i = 0; i < 10_000; i += 100) {
      const some = Array.from({ length: 100 }, (_, k) => attempt(`10.0.${(i + k) >> 8}.${(i + k) & 255}`, 'anna'))
      for (const status of await Promise.all(some)) if (status === 401) through++
    }
    t.equal(through, 4, 'of ten thousand guesses from as many addresses')
    t.equal(await attempt('192.0.2.9', 'anna', true), 429, 'nobody knows this address')
    t.equal(await attempt('192.0.2.1', 'anna', true), 204, 'this one is known')
    const guesses = []
    for (let i = 0; i < 20; i++) guesses.push(await attempt('192.0.2.1', 'anna'))
    t.equal(guesses.filter((status) => status === 401).length, 4, 'whoever shares it has few guesses too')

    through = 0
    for (let i = 0; i < 10_000; i += 100) {
      const some = Array.from({ length: 100 }, (_, k) => attempt('198.51.100.1', `user${i + k}`))
      for (const status of await Promise.all(some)) if (status === 401) through++
    }
    t.equal(through, 10, 'of one address that tries ten thousand accounts')
    t.equal(await attempt('192.0.2.2', 'user77', true), 204, 'which locks none of them')
  })
}
