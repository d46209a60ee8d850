/** Roles from outside: who may read which transcripts, of a folder and of a service. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { writeAccounts } from '../kit/accounts.ts'
import { type RequestClient, requestTransports } from '../kit/clients.ts'
import { type Json, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'

const PASSWORD = 'horse7battery'
const base = t.testdir()
const folder = join(base, 'transcripts')
const today = new Date().toISOString().slice(0, 10)
const FILES: Record<string, string> = {
  [`north/${today}-web.json`]: JSON.stringify({ channel: 'web', attributes: { team: 'blue' }, messages: [] }),
  [`north/${today}-sms.json`]: JSON.stringify({ channel: 'sms', attributes: { team: 'red' }, messages: [] }),
  'north/2020-01-01-old.json': JSON.stringify({ channel: 'web', messages: [] }),
  [`south/${today}-web.json`]: JSON.stringify({ channel: 'web', attributes: { team: 'red' }, messages: [] }),
  [`south/${today}.txt`]: 'web',
}
for (const [name, text] of Object.entries(FILES)) {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}
const all = Object.keys(FILES)
const accounts = join(base, 'accounts.json')
const hash = await hashPassword(PASSWORD)
for (const name of ['all', 'north', 'web', 'recent', 'team', 'both', 'unknown', 'none']) {
  const roles = name === 'both' ? ['north', 'team'] : name === 'none' ? [] : [name]
  await writeAccounts(accounts, { [name]: hash }, { roles, attributes: { team: 'red' } })
}
const ROLES = {
  all: { read: [{ paths: ['**'] }] },
  north: { read: [{ paths: ['north/**'] }] },
  web: { read: [{ paths: ['**'], channels: ['south'] }] },
  recent: { read: [{ paths: ['**'], days: 7 }] },
  team: { read: [{ paths: ['**'], attributes: { team: '$team' } }] },
}
const ALLOWED: Record<string, string[]> = {
  all,
  north: all.filter((name) => name.startsWith('north')),
  web: all.filter((name) => name.startsWith('south')),
  recent: all.filter((name) => name.includes(today)),
  team: all.filter((name) => FILES[name]!.includes('red')),
  both: all.filter((name) => name.startsWith('north') || FILES[name]!.includes('red')),
  unknown: [],
  none: [],
}

function withSource(source: Json): Json {
  const transcripts = { address: '127.0.0.1:0', hosts: ['localhost'], source, roles: ROLES, signIn: { accounts } }
  const listeners = { transcripts, admin: { address: '127.0.0.1:0' } }
  return testConfig('http://127.0.0.1:9', { listeners, routes: [] })
}

const as = (user: string): string[] => [
  'authorization',
  `Basic ${Buffer.from(`${user}:${PASSWORD}`).toString('base64')}`,
]

const read = (client: RequestClient, user: string, path: string) => client.ask({ path, headers: as(user) })

t.test('a role sees its transcripts in the list, opens them, and no others', async (t) => {
  const gateway = await startGatewayHere(withSource({ folder }))
  t.teardown(() => gateway.close())
  for (const transport of requestTransports) {
    const client = transport.open({ port: gateway.port('listeners.transcripts.address') })
    for (const [user, allowed] of Object.entries(ALLOWED)) {
      const list = (await read(client, user, '/')).json() as { total: number; transcripts: { name: string }[] }
      t.same(list.transcripts.map(({ name }) => name).toSorted(), allowed.toSorted(), `${user} lists`)
      t.equal(list.total, allowed.length)
      for (const name of all) {
        const reply = await read(client, user, `/${name}`)
        t.equal(reply.status, allowed.includes(name) ? 200 : 404, `${user} ${name}`)
      }
    }
    const denied = await read(client, 'north', `/south/${today}-web.json`)
    const missing = await read(client, 'north', '/south/missing.json')
    const plain = (text: string) => text.replace(/[0-9a-f]{32}/g, '')
    t.equal(plain(denied.text), plain(missing.text), 'it answers like one that is not there')
    await client.close()
  }
  await gateway.gateway.log.flush()
  const fails = gateway.auditLines().filter(({ event }) => event === 'authz_fail')
  t.ok(
    fails.some(
      ({ user, object, outcome }) => user === 'north' && object === `south/${today}-web.json` && outcome === 'failure',
    ),
  )
  t.notOk(fails.some(({ user }) => user === 'all'))
})

t.test('of a service the path and its date count, and nothing of the others reaches it', async (t) => {
  const upstream = await startUpstream()
  const config = withSource({ service: 'archive' })
  const gateway = await startGatewayHere({ ...config, services: { archive: { endpoints: [upstream.url] } } })
  const client = requestTransports[0]!.open({ port: gateway.port('listeners.transcripts.address') })
  t.teardown(async () => {
    await client.close()
    await gateway.close()
    await upstream.close()
  })
  for (const [user, path, status] of [
    ['all', '/north/a', 200],
    ['north', '/north/a', 200],
    ['north', '/north%2e/a', 404],
    ['north', '/south/a', 404],
    ['north', '/north/../south/a', 404],
    ['web', '/north/a', 404],
    ['recent', `/x/${today}`, 200],
    ['recent', '/x/2020-01-01', 404],
    ['none', '/north/a', 404],
  ] as const) {
    const before = upstream.received.length
    t.equal((await read(client, user, path)).status, status, `${user} ${path}`)
    t.equal(upstream.received.length - before, status === 200 ? 1 : 0)
  }
})

t.test('without roles the gateway does not start, and says what to write', async (t) => {
  const transcripts = { address: '127.0.0.1:0', hosts: ['localhost'], source: { folder }, signIn: { accounts } }
  const listeners = { transcripts, admin: { address: '127.0.0.1:0' } }
  const start = startGatewayHere(testConfig('http://127.0.0.1:9', { listeners, routes: [] }))
  await t.rejects(start, { message: /has no "roles".*write "roles": \{ "reader": .*"defaultRoles": \["reader"\]/s })
})
