/** Limits and bans by user, where somebody signs in: over HTTP/1.1 and HTTP/2. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { requestTransports } from '../kit/clients.ts'
import { startGatewayHere, testConfig } from '../kit/gateway.ts'

const PASSWORD = 'Correct-Horse-7-Battery'
const hash = await hashPassword(PASSWORD)

for (const transport of requestTransports) {
  t.test(transport.name, async (t) => {
    const base = t.testdir()
    const accounts = join(base, 'accounts.json')
    const folder = join(base, 'transcripts')
    mkdirSync(folder)
    const all = { ada: { password: hash }, grace: { password: hash } }
    writeFileSync(accounts, JSON.stringify({ accounts: all }), { mode: 0o600 })
    const gateway = await startGatewayHere(
      testConfig('http://127.0.0.1:9', {
        listeners: {
          transcripts: {
            ...{ address: '127.0.0.1:0', hosts: ['localhost'], source: { folder } },
            ...{ signIn: { accounts, defaultRoles: ['reader'] }, limits: ['per-reader'] },
            roles: { reader: { read: [{ paths: ['**'] }] } },
          },
          admin: { address: '127.0.0.1:0' },
        },
        routes: [],
        limits: { 'per-reader': { by: 'user', rate: '3 per hour' } },
      }),
    )
    const client = transport.open({ port: gateway.port('listeners.transcripts.address') })
    t.teardown(async () => {
      await client.close()
      await gateway.close()
    })
    const ask = async (user: string, password = PASSWORD): Promise<number> => {
      const authorization = `Basic ${Buffer.from(`${user}:${password}`).toString('base64')}`
      return (await client.ask({ path: '/', headers: ['authorization', authorization] })).status
    }
    t.same([await ask('ada'), await ask('ada'), await ask('ada'), await ask('ada')], [200, 200, 200, 429])
    t.equal(await ask('ada', 'wrong'), 401, 'who did not sign in is nobody that could be counted')
    t.equal(await ask('grace'), 200)

    const admin = `http://127.0.0.1:${gateway.adminPort}/bans`
    const headers = { 'content-type': 'application/json' }
    const made = await fetch(admin, { method: 'POST', headers, body: '{"subject":"user:grace","for":"1 hour"}' })
    t.equal(made.status, 200)
    t.equal(await ask('grace'), 403)
    t.equal(await ask('ada'), 429, 'nobody else is banned')
    t.equal((await fetch(`${admin}?subject=user:grace`, { method: 'DELETE' })).status, 200)
    t.equal(await ask('grace'), 200)
  })
}
