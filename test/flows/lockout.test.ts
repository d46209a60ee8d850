/** Lockout from outside, behind a proxy that tells the client's address: many addresses at one account, one address at many. */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { openHttp2, type RequestClient } from '../kit/clients.ts'
import { type Json, startGateway, startGatewayHere, type TestGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'

const PASSWORD = 'horse7battery'
const base = t.testdir()
const folder = join(base, 'transcripts')
mkdirSync(folder)
const accounts = join(base, 'accounts.json')
const hash = await hashPassword(PASSWORD)
await writeAccounts(accounts, Object.fromEntries(['ada', 'bob', 'eve', 'joan'].map((name) => [name, hash])), {
  roles: ['reader'],
})

function config(more: Json = {}): Json {
  const transcripts = {
    ...{ address: '127.0.0.1:0', hosts: ['localhost'], trustedProxies: ['127.0.0.1'], roles: EVERYTHING },
    source: { folder },
    signIn: { accounts, maxWaiting: 1000, maxWait: '60 seconds' },
  }
  const listeners = { transcripts, admin: { address: '127.0.0.1:0' } }
  return testConfig('http://127.0.0.1:9', { listeners, routes: [], ...more })
}

async function tryFrom(client: RequestClient, address: string, user: string, password = PASSWORD): Promise<number> {
  const credentials = Buffer.from(`${user}:${password}`).toString('base64')
  const headers = ['authorization', `Basic ${credentials}`, 'x-forwarded-for', address]
  return (await client.ask({ path: '/', headers })).status
}

const openAt = (gateway: TestGateway) => openHttp2({ port: gateway.port('listeners.transcripts.address') })
const addressOf = (i: number) => `203.0.${i >> 8}.${i & 255}`

t.test('one account, many addresses; one address, many accounts', async (t) => {
  const gateway = await startGatewayHere(config())
  const client = openAt(gateway)
  t.teardown(async () => {
    await client.close()
    await gateway.close()
  })
  t.equal(await tryFrom(client, '198.51.100.1', 'ada'), 200)

  const guesses = { 401: 0, 429: 0 } as Record<number, number>
  for (let i = 0; i < 300; i++) guesses[await tryFrom(client, addressOf(i), 'ada', `guess${i}`)]!++
  t.same(guesses, { 401: 4, 429: 296 }, 'four guesses, whoever they are')
  t.equal(await tryFrom(client, '198.51.100.9', 'ada'), 429, 'the right password from a new place')
  t.equal(await tryFrom(client, '198.51.100.1', 'ada'), 200, 'the owner where he is known')

  const sprayed = { 401: 0, 429: 0 } as Record<number, number>
  t.equal(await tryFrom(client, '192.0.2.7', 'bob'), 200)
  for (let i = 0; i < 300; i++) sprayed[await tryFrom(client, '192.0.2.7', `user${i}`, 'Spring-2026-x')]!++
  t.same(sprayed, { 401: 20, 429: 280 })
  t.equal(await tryFrom(client, '192.0.2.7', 'eve'), 429)
  t.equal(await tryFrom(client, '192.0.2.7', 'bob'), 200, 'who is known there')
  t.equal(await tryFrom(client, '192.0.2.8', 'eve'), 200, 'from elsewhere')

  await gateway.gateway.log.flush()
  const reasons = gateway
    .auditLines()
    .filter(({ event }) => event === 'authn_login_lock')
    .map(({ reason }) => String(reason))
  t.equal(reasons.filter((each) => each === 'account locked for 30 minutes').length, 1)
  t.equal(reasons.filter((each) => each === 'address locked for 30 minutes').length, 1)
  t.ok(reasons.includes('attempt while locked: account locked'))
  t.ok(reasons.includes('attempt while locked: address locked'))
})

t.test('an address that is known on one gateway is known on the other, through Redis', async (t) => {
  const redis = await startRedis()
  const shared = config({ limits: { store: { redis: { url: redis.url, timeout: '2 seconds' } } } })
  const nodes = await Promise.all([startGateway(shared), startGateway(shared)])
  const clients = nodes.map(openAt)
  t.teardown(async () => {
    for (const client of clients) await client.close()
    for (const node of nodes) await node.close()
    await redis.kill()
  })
  t.equal(await tryFrom(clients[0]!, '198.51.100.1', 'joan'), 200)
  for (let i = 0; i < 4; i++) t.equal(await tryFrom(clients[i % 2]!, addressOf(i), 'joan', `guess${i}`), 401)
  for (const client of clients) {
    t.equal(await tryFrom(client, '198.51.100.9', 'joan'), 429)
    t.equal(await tryFrom(client, '198.51.100.1', 'joan'), 200)
  }
  t.notMatch(await redis.command('KEYS *'), /joan|198\.51|203\.0/)
})
