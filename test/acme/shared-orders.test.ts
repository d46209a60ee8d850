/** What nodes tell one another: sealed, bound to its place, of one owner at a time, and never believed where it does not open. */
import t from 'tap'
import type { Challenge } from '../../src/acme/challenge-table.ts'
import { SealedValues } from '../../src/acme/sealed-values.ts'
import { LockLost, SharedOrders } from '../../src/acme/shared-orders.ts'
import { MemoryValues } from '../../src/limits/memory-values.ts'
import { until } from '../kit/wait.ts'

// The gateway's waits keep no process alive; something here has to.
const alive = setInterval(() => {}, 1000)
t.teardown(() => clearInterval(alive))

const SECRET = 'a secret of thirty-two characters'
const ISSUED = { chain: 'a chain', key: '-----BEGIN PRIVATE KEY-----' }
const CHALLENGE: Challenge = { type: 'http-01', name: 'a.example.com', token: 't'.repeat(20), keyAuthorization: 'x.y' }

let refused = 0
const node = (values: MemoryValues, secret = SECRET, id = 'id', lockMs = 30_000) =>
  new SharedOrders(new SealedValues(values, secret, () => void refused++), id, 1, lockMs)

t.test('one node is given, the other takes', async (t) => {
  const values = new MemoryValues()
  const [one, two] = [node(values), node(values)]
  t.equal(await one.lock(), true)
  t.equal(await two.lock(), false)
  await two.release()
  t.equal(await two.lock(), false, 'nobody gives back what another one holds')
  await one.tellChallenges([CHALLENGE])
  t.same(await two.challenges(), [CHALLENGE])
  await one.forgetChallenges()
  t.same(await two.challenges(), [])
  t.equal(await one.tellCertificate(ISSUED), true)
  t.same(await two.certificate(), ISSUED)
  await one.tellPause('{}', 60_000)
  t.equal(await two.pause(), '{}')
  await one.release()
  t.equal(await two.lock(), true)
  await two.release()
})

t.test('nothing opens with another secret, at another place, or changed', async (t) => {
  const values = new MemoryValues()
  await node(values).tellCertificate(ISSUED)
  t.equal(await node(values, 'another secret of thirty-two or so').certificate(), null)
  const sealed = (await values.get('acme:id:certificate'))!
  t.notMatch(Buffer.from(sealed, 'base64').toString('latin1'), /PRIVATE/)
  await values.put('acme:other:certificate', sealed, 60_000)
  t.equal(await node(values, SECRET, 'other').certificate(), null, 'moved')
  for (const at of [0, 12, 40]) {
    const bytes = Buffer.from(sealed, 'base64')
    bytes[at]! ^= 1
    await values.put('acme:id:certificate', bytes.toString('base64'), 60_000)
    t.equal(await node(values).certificate(), null, `byte ${at}`)
  }
  t.equal(refused, 5, 'each is told')
  for (const text of ['', 'x', 'AAAA'.repeat(20)]) {
    await values.put('acme:id:certificate', text, 60_000)
    t.equal(await node(values).certificate(), null)
  }
})

t.test('who lost the lock proves nothing, and touches nothing of the next one', async (t) => {
  const values = new MemoryValues()
  const [one, two] = [node(values), node(values)]
  await one.lock()
  await one.prove()
  await one.tellChallenges([CHALLENGE])
  await values.put('acme:id:lock', 'gone', 1)
  await until(async () => (await values.get('acme:id:lock')) === null, 'the end of the lock')
  await t.rejects(one.prove(), LockLost, 'gone')
  t.equal(await two.lock(), true)
  await two.tellChallenges([{ ...CHALLENGE, name: 'b.example.com' }])
  await t.rejects(one.prove(), { message: /another node holds it/ })
  await t.rejects(one.tellChallenges([CHALLENGE]), LockLost)
  await one.forgetChallenges()
  await one.release()
  t.match(await two.challenges(), [{ name: 'b.example.com' }])
  await two.prove()
  await two.forgetChallenges()
  t.same(await one.challenges(), [])
  await two.release()
  t.equal(await one.lock(), true, 'and comes again in its turn')
  await one.prove()
  await one.release()
})

t.test('a lock is renewed while it is held, and for as long as it was shown to hold', async (t) => {
  const values = new MemoryValues()
  const lives: number[] = []
  // However slow this machine is, it does not run out here.
  values.swap = async (_key, _expected, _next, lifeMs) => {
    lives.push(lifeMs)
    return 'done'
  }
  const one = node(values, SECRET, 'id', 60)
  await one.lock()
  await until(() => lives.length >= 4, 'renewals')
  t.same([...new Set(lives)], [60])
  await one.prove(90)
  lives.length = 0
  await until(() => lives.length >= 3, 'renewals')
  t.same([...new Set(lives)], [90])
  await one.release()
  t.equal(lives.at(-1), 0, 'given back')
  const { length } = lives
  await new Promise((wake) => setTimeout(wake, 100))
  t.equal(lives.length, length, 'and not renewed any more')
})
