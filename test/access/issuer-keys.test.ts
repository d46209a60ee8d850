/** When keys are fetched, how often, what an outage leaves, and what a provider may answer. */
import t from 'tap'
import { IssuerKeys } from '../../src/access/issuer-keys.ts'
import { type KeyTable, readKeySet } from '../../src/access/jws.ts'
import { fetchKeys } from '../../src/access/key-source.ts'
import { issuers } from '../../src/config/issuers-shape.ts'
import { makeKey, startKeyServer } from '../kit/token-maker.ts'

const tableOf = (...kids: string[]): Promise<KeyTable> =>
  readKeySet({ keys: kids.map((kid) => makeKey(kid, 'ES256').jwk) }, ['ES256'])

function keysWith(fetch: () => Promise<KeyTable>) {
  const seen = { now: 0, gone: 0, said: [] as (string | null)[], fetches: 0 }
  const keys = new IssuerKeys({
    fetch: () => {
      seen.fetches++
      return fetch()
    },
    ...{ refreshMs: 600_000, refetchMs: 30_000, maxAgeMs: 3_600_000 },
    onGone: () => seen.gone++,
    onFetched: (problem) => seen.said.push(problem),
    now: () => seen.now,
  })
  const has = async (kid: string): Promise<unknown> => {
    const found = await keys.find('ES256', kid)
    return found === null || found === 'down' ? found : 'key'
  }
  return { seen, has, keys }
}

t.test('a key that is not known is asked for, once in the interval', async (t) => {
  let table = await tableOf('a', 'b')
  const { seen, has } = keysWith(async () => table)
  t.equal(await has('a'), 'key')
  for (let i = 0; i < 50; i++) t.equal(await has(`unknown-${i}`), null)
  t.equal(seen.fetches, 1, 'the keys are young: whoever names unknown ones causes nothing')
  table = await tableOf('b', 'c')
  t.equal(await has('c'), null)
  seen.now += 30_000
  t.same(await Promise.all([has('c'), has('d'), has('e')]), ['key', null, null])
  t.equal(seen.fetches, 2)
  t.equal(seen.gone, 1, 'the key that was withdrawn takes what it verified along')
  t.equal(await has('a'), null)
})

t.test('while only known tokens come the keys are fetched anew too', async (t) => {
  const table = await tableOf('a')
  const { seen, has, keys } = keysWith(async () => table)
  t.equal(await has('a'), 'key')
  seen.now += 600_000
  keys.keepFresh()
  t.equal(seen.fetches, 1, 'they are not old yet')
  seen.now += 1
  for (let i = 0; i < 50; i++) keys.keepFresh()
  t.equal(seen.fetches, 2)
})

t.test('an outage: the old keys stay until they are too old, and come back soon', async (t) => {
  const table = await tableOf('a')
  let isDown = true
  const { seen, has } = keysWith(async () => {
    if (isDown) throw new Error('no answer')
    return table
  })
  t.equal(await has('a'), 'down', 'at the start')
  t.equal(await has('a'), 'down')
  t.equal(seen.fetches, 1)
  isDown = false
  seen.now += 5000
  t.equal(await has('a'), 'key')
  isDown = true
  seen.now += 600_001
  t.equal(await has('a'), 'key', 'nobody waits for the fetch')
  seen.now += 2_000_000
  t.equal(await has('a'), 'key')
  t.equal(await has('b'), null, 'a key that is missing meanwhile is unknown')
  seen.now += 1_000_001
  t.equal(await has('a'), 'down')
  isDown = false
  seen.now += 5000
  t.equal(await has('a'), 'key')
  t.same(new Set(seen.said), new Set(['no answer', null]))
})

t.test('what a provider may answer', async (t) => {
  const key = makeKey('a', 'ES256')
  const server = await startKeyServer([key])
  t.teardown(() => server.close())
  const wish = (more: Record<string, unknown> = {}) =>
    issuers.parse({ it: { issuer: server.issuer, audience: ['x'], algorithms: ['ES256'], ...more } }).it!
  const fetch = (more?: Record<string, unknown>, ca: string | null = server.ca) => fetchKeys(wish(more), ca)
  t.ok((await fetch()).has('ES256 a'))
  t.ok((await fetch({ keys: { url: `${server.issuer}/jwks` } })).has('ES256 a'))
  t.same(server.asked, ['/.well-known/openid-configuration', '/jwks', '/jwks'])
  await t.rejects(fetch({}, null), /CERT|SELF/i, 'a certificate of somebody')
  await t.rejects(fetch({ issuer: `${server.issuer}/` }), /another name/)
  for (const [uri, how] of [
    ['https://evil.example/jwks', 'elsewhere'],
    [`http://localhost:${new URL(server.issuer).port}/jwks`, 'in the clear'],
    ['file:///etc/passwd', 'a file'],
    ['http://169.254.169.254/latest/meta-data', 'of the cloud'],
    [7, 'no text'],
  ] as const) {
    server.says = { jwks_uri: uri }
    await t.rejects(fetch(), /not where the issuer is/, how)
  }
  server.says = {}
  for (const [trouble, says] of [
    ['refuse', /ECONNRESET/],
    ['huge', /larger than/],
    ['redirect', /status 302/],
    ['error', /status 500/],
  ] as const) {
    server.trouble = trouble
    await t.rejects(fetch(), says, trouble)
  }
  server.trouble = null
  for (const [text, says] of [
    ['[', /not JSON/],
    ['[]', /no JSON object/],
    ['{}', /no key set/],
    ['{"keys":[]}', /no key for/],
  ] as const) {
    server.keys = text
    await t.rejects(fetch(), says, text)
  }
  await server.close()
  await t.rejects(fetch(), /ECONNREFUSED/)
})
