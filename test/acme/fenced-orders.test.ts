/** Nodes that lose Redis in the middle of an order, real Redis and real authority: one order is finished, never two. */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { AcmeCare } from '../../src/acme/care.ts'
import type { StoreConfig } from '../../src/config/shape.ts'
import { makeStore } from '../../src/limits/store.ts'
import { ChallengeFront } from '../../src/listen/challenge-front.ts'
import { startAcmeProxy } from '../kit/acme-proxy.ts'
import { PEBBLE_MISSING, startPebble } from '../kit/pebble.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'

const skip = PEBBLE_MISSING === '' ? false : PEBBLE_MISSING
const NAME = 'a.example.com'
const SECRET = 'a secret of thirty-two characters'
// Longer than a busy machine keeps a timer waiting.
const LOCK_MS = 5000

const redis = await startRedis()
t.teardown(() => redis.kill())

/** The authority, with the first request for this path held until `open` is called. */
async function startHolding(t: Test, held: RegExp) {
  const pebble = await startPebble()
  t.teardown(() => pebble.kill())
  let open = (): void => {}
  const gate = new Promise<void>((done) => {
    open = done
  })
  let isHolding = false
  const settings = await startAcmeProxy(t, pebble, {
    onRequest: async (path) => {
      if (isHolding || !held.test(path)) return
      isHolding = true
      await gate
    },
  })
  const cares: AcmeCare[] = []
  const front = new ChallengeFront({
    hasPairs: true,
    pairFor: (name) => cares.map(({ challenges }) => challenges.pairFor(name)).find((pair) => pair !== null) ?? null,
    answerFor: () => null,
  })
  const server = createServer((socket) => {
    socket.on('error', () => {})
    front.take(socket, 5000, () => socket.destroy())
  })
  await new Promise<void>((done) => server.listen(pebble.tlsPort, '127.0.0.1', done))
  t.teardown(() => server.close())
  const folder = t.testdir()

  async function node(name: string, secret = SECRET) {
    const config = { redis: { url: redis.url, prefix: 'p', timeout: 500 }, onOutage: 'local' } as StoreConfig
    const store = makeStore(config, redis.url, () => {}, { count: () => {} })
    t.teardown(() => store.close())
    await store.whenSettled()
    const lines: { message: string; more: Readonly<Record<string, unknown>> }[] = []
    const counts: string[] = []
    const say = (message: string, more: Readonly<Record<string, unknown>>): void => void lines.push({ message, more })
    const care = new AcmeCare(
      {
        log: () => ({ info: say, warn: say }),
        metrics: { count: (_name, label) => void counts.push(label) },
        values: () => store.values,
      },
      { lookMs: 50, lockMs: LOCK_MS, pauseFactor: 0.02 },
    )
    cares.push(care)
    t.teardown(() => care.close())
    const own = join(folder, name)
    care.settle([
      { names: [NAME], authorities: [settings], email: null, challenge: 'tls-alpn-01', folder: own, secret },
    ])
    const serial = (): string => {
      try {
        return new X509Certificate(readFileSync(join(own, NAME, 'fullchain.pem'))).serialNumber
      } catch {
        return ''
      }
    }
    const reasons = () => lines.filter(({ message }) => message.startsWith('No cert')).map(({ more }) => more.reason)
    const messages = () => lines.map(({ message }) => message)
    return { counts, reasons, messages, serial, store }
  }
  return { pebble, open, isHolding: () => isHolding, node }
}

const CHALLENGE = /^\/chalZ\//
/** Looked at when every name is authorised. */
const ORDER = /^\/my-order\//
const CERTIFICATE = /^\/certZ\//

t.test(
  'Redis is stopped before the last step: the order stops, and one is finished when Redis is back',
  { skip },
  async (t) => {
    await redis.flush()
    const { pebble, open, isHolding, node } = await startHolding(t, CHALLENGE)
    const one = await node('one')
    await until(isHolding, 'the middle of the order')
    redis.pause()
    t.teardown(() => redis.resume())
    await until(() => !one.store.isUp, 'the outage')
    open()
    await until(() => one.reasons().length > 0, 'the end of the order')
    t.match(one.reasons(), [
      /^the order was stopped: Redis does not answer, so it cannot be shown that no other node orders too$/,
    ])
    t.same(one.counts, ['stopped'])
    t.equal(pebble.issued(), 0)
    redis.resume()
    const two = await node('two')
    await until(() => one.serial() !== '' && two.serial() === one.serial(), 'one certificate for both')
    t.equal(pebble.issued(), 1)
  },
)

t.test(
  'Redis is stopped so long that the lock is over, and another node orders: the first one stops',
  { skip },
  async (t) => {
    await redis.flush()
    const { pebble, open, isHolding, node } = await startHolding(t, ORDER)
    const one = await node('one')
    await until(isHolding, 'the middle of the order')
    redis.pause()
    t.teardown(() => redis.resume())
    await until(() => !one.store.isUp, 'the outage')
    await new Promise((wake) => setTimeout(wake, LOCK_MS + 200))
    redis.resume()
    const two = await node('two')
    await until(() => two.counts.includes('issued'), 'the order of the other one')
    open()
    await until(() => one.reasons().length > 0, 'the end of the first order')
    t.match(
      one.reasons()[0],
      /^the order was stopped: its lock in Redis is gone or another node holds it, which may order too$/,
    )
    await until(() => one.serial() === two.serial(), 'one certificate for both')
    t.equal(pebble.issued(), 1)
    t.notOk(one.counts.includes('issued'))
  },
)

t.test(
  'Redis is stopped after the last step: nobody begins another order, and all get what was issued',
  { skip },
  async (t) => {
    await redis.flush()
    const { pebble, open, isHolding, node } = await startHolding(t, CERTIFICATE)
    const one = await node('one')
    await until(isHolding, 'the end of the order')
    redis.pause()
    t.teardown(() => redis.resume())
    await until(() => !one.store.isUp, 'the outage')
    await new Promise((wake) => setTimeout(wake, LOCK_MS + 200))
    open()
    await until(() => one.counts.includes('issued'), 'the certificate')
    redis.resume()
    const two = await node('two')
    await until(() => two.serial() === one.serial(), 'the certificate at the other node')
    t.equal(pebble.issued(), 1)
    t.same(two.counts, ['taken-over'])
  },
)

t.test('a node with another secret says so once, and uses nothing of the others', { skip }, async (t) => {
  await redis.flush()
  const { node } = await startHolding(t, /^$/)
  const one = await node('one')
  await until(() => one.counts.includes('issued'), 'the certificate')
  const stranger = await node('stranger', 'another one of thirty-two letters')
  await until(() => stranger.counts.includes('issued'), 'its own')
  t.not(stranger.serial(), one.serial())
  t.equal(stranger.messages().filter((each) => each.includes('does not open')).length, 1)
  t.equal(stranger.counts.filter((each) => each === 'unreadable').length, 1)
})
