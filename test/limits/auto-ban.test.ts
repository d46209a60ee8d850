/** Who is banned by a limit: counted here at once, over all processes once a second, and bounded. */
import t from 'tap'
import type { BanRequest } from '../../src/exchange/ban-book.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import { AutoBan, type Offender } from '../../src/limits/auto-ban.ts'
import { MemoryStore } from '../../src/limits/memory-store.ts'
import { until } from '../kit/wait.ts'
import { makeCounting } from './counting.ts'
import { limit, rule } from './rules.ts'

const banned = { after: 10, within: 600_000, for: 3_600_000 }
const turn = () => new Promise<void>((resolve) => setImmediate(resolve))

function open(store = new MemoryStore(makeCounting().metrics), ban = banned) {
  const added: BanRequest[] = []
  const told: Offender[] = []
  const book = {
    isAddressBanned: () => false,
    all: () => [],
    remove: async () => true,
    add: async (wish: BanRequest) => {
      added.push(wish)
      return { subject: wish.subject, until: 0, reason: wish.reason }
    },
  }
  const auto = new AutoBan(book as never, (offender) => void told.push(offender))
  const own = rule('one', limit(1, { ban }), store)
  const refuse = (address: string, times: number, more: Partial<Exchange> = {}) => {
    const x = { clientKey: address, clientAddress: address, id: 'r', route: null, peer: { address: '::1' }, ...more }
    for (let i = 0; i < times; i++) auto.onRefusal(x as Exchange, own)
  }
  return { auto, own, store, added, told, refuse }
}

t.test('enough of them here: at once', async (t) => {
  const { refuse, added, told } = open()
  refuse('192.0.2.1', 9)
  refuse('192.0.2.2', 9)
  t.equal(added.length, 0)
  refuse('192.0.2.1', 1)
  t.match(added, [{ subject: '192.0.2.1', forMs: 3_600_000, reason: '10 refusals by the limit one' }])
  await turn()
  t.match(told, [{ subject: '192.0.2.1', requestId: 'r', route: '-' }])
  refuse('192.0.2.1', 9)
  t.equal(added.length, 1, 'it begins anew')
})

t.test('together with those of another process: told once a second, whatever their number', async (t) => {
  const store = new MemoryStore(makeCounting().metrics)
  let calls = 0
  const claim = store.claim.bind(store)
  store.claim = (claims) => {
    calls++
    return claim(claims)
  }
  const [one, two] = [open(store), open(store)]
  one.refuse('192.0.2.1', 6)
  two.refuse('192.0.2.1', 6)
  two.refuse('192.0.2.3', 6)
  t.same([one.added, two.added], [[], []])
  t.equal(calls, 0)
  const all = () => [...one.added, ...two.added].map(({ subject }) => subject)
  await until(() => all().length > 0 && calls === 3, 'the telling')
  t.same(all(), ['192.0.2.1'])
  t.equal(calls, 3, 'one for each client of each process')
})

t.test('a proxy that tells no client is nobody to ban', (t) => {
  const { refuse, added } = open()
  refuse('::1', 100, { isFromTrustedProxy: true })
  refuse('', 100)
  t.same(added, [])
  t.end()
})

t.test('another setting counts anew', (t) => {
  const store = new MemoryStore(makeCounting().metrics)
  const { auto, refuse, added } = open(store)
  refuse('192.0.2.1', 9)
  const changed = rule('one', limit(1, { ban: { ...banned, after: 20 } }), store)
  const x = { clientKey: '192.0.2.1', clientAddress: '192.0.2.1', id: 'r', route: null, peer: { address: '::1' } }
  for (let i = 0; i < 19; i++) auto.onRefusal(x as Exchange, changed)
  t.equal(added.length, 0)
  auto.onRefusal(x as Exchange, changed)
  t.equal(added.length, 1)
  t.end()
})
