/** Transcripts for who has a token of a provider: programs with their tokens, roles, and a provider that is down. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { requestTransports } from '../kit/clients.ts'
import { startGateway, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { keycloakClaims, makeKey, makeToken, startKeyServer } from '../kit/token-maker.ts'
import { startUpstream } from '../kit/upstream.ts'

const key = makeKey('one')
const provider = await startKeyServer([key])
const base = t.testdir({ 'ca.pem': provider.ca })
const folder = join(base, 'transcripts')
mkdirSync(join(folder, 'north'), { recursive: true })
writeFileSync(join(folder, 'north', '2026-11-01-a.json'), '{"messages":[]}')
writeFileSync(join(folder, '2026-11-01-b.json'), '{"messages":[]}')
const issuers = {
  it: {
    ...{ issuer: provider.issuer, audience: ['portcullis'], ca: join(base, 'ca.pem'), roles: 'keycloak' },
    ...{ user: 'preferred_username', attributes: { team: 'team' } },
  },
}
const listener = {
  ...{ address: '127.0.0.1:0', hosts: ['localhost'], source: { folder } },
  roles: {
    agent: { read: [{ paths: ['north/**'] }] },
    auditor: { read: [{ paths: ['**'] }] },
  },
}
const admin = { address: '127.0.0.1:0' }
const configOf = (transcripts: object, endpoint = 'http://127.0.0.1:9') =>
  testConfig(endpoint, { issuers, listeners: { transcripts: { ...listener, ...transcripts }, admin }, routes: [] })
const bearer = (more: Record<string, unknown> = {}): string[] => {
  return ['authorization', `Bearer ${makeToken(key, keycloakClaims(provider.issuer, more))}`]
}
const auditor = { realm_access: { roles: ['auditor'] } }
t.teardown(() => provider.close())

for (const transport of requestTransports) {
  t.test(`programs, ${transport.name}`, async (t) => {
    const gateway = await startGatewayHere(configOf({ oidc: { issuer: 'it' } }))
    const client = transport.open({ port: gateway.port('listeners.transcripts.address') })
    t.teardown(async () => {
      await client.close()
      await gateway.close()
    })
    const get = async (path: string, headers: string[]) => (await client.ask({ path, headers })).status
    t.equal(await get('/', []), 401)
    t.equal(await get('/', ['accept', 'text/html']), 401, 'without a client there is no page to sign in')
    t.equal(await get('/.account/sign-in', ['accept', 'text/html']), 404)
    t.equal(await get('/north/2026-11-01-a.json', bearer()), 200)
    t.equal(await get('/2026-11-01-b.json', bearer()), 404, 'no role of his allows it')
    t.equal(await get('/2026-11-01-b.json', bearer(auditor)), 200)
    t.equal(await get('/2026-11-01-b.json', bearer({ ...auditor, aud: 'other' })), 401)
    t.ok(gateway.auditLines().some(({ event, user }) => event === 'sensitive_read' && user === 'maria'))
  })
}

t.test('a service behind learns who reads, and neither token nor cookie', async (t) => {
  const upstream = await startUpstream()
  const oidc = {
    issuer: 'it',
    client: { id: 'x', redirect: 'https://localhost/.account/callback', sessionKey: { env: 'SESSION_KEY' } },
  }
  const gateway = await startGatewayHere(configOf({ source: { service: 'chat' }, oidc }, upstream.url), {
    SESSION_KEY: 's'.repeat(32),
  })
  const client = requestTransports[0]!.open({ port: gateway.port('listeners.transcripts.address') })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
    await upstream.close()
  })
  t.equal((await client.ask({ path: '/2026-11-01-b.json', headers: bearer(auditor) })).status, 200)
  const told = upstream.received[0]!.rawHeaders.join('\n').toLowerCase()
  t.match(told, /x-portcullis-user\nmaria/)
  t.notMatch(told, /bearer|authorization/)

  const page = ['accept', 'text/html']
  const asked = await client.ask({ path: '/2026-11-01-b.json?a=b', headers: page })
  t.equal(asked.status, 303)
  t.equal(asked.header('location'), '/.account/sign-in?next=%2F2026-11-01-b.json%3Fa%3Db')
  const image = await client.ask({ path: '/', headers: [...page, 'sec-fetch-mode', 'no-cors'] })
  t.equal(image.status, 401)
  provider.trouble = 'refuse'
  t.teardown(() => {
    provider.trouble = null
  })
  t.equal((await client.ask({ path: '/.account/sign-in', headers: page })).status, 503, 'the provider is down')
})

t.test('a key for sessions that is too short is told at the start', async (t) => {
  const client = { id: 'x', redirect: 'https://localhost/.account/callback', sessionKey: { env: 'SESSION_KEY' } }
  const config = configOf({ oidc: { issuer: 'it', client } })
  await t.rejects(startGateway(config, { SESSION_KEY: 'short' }), /sessionKey: is shorter than 32/)
})
