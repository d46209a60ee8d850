/** Transcripts while the audit log cannot be written: nobody reads what nobody would know of. */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { hashPassword } from '../../src/access/passwords.ts'
import { EVERYTHING, writeAccounts } from '../kit/accounts.ts'
import { openHttp1, requestTransports } from '../kit/clients.ts'
import { publicListener, startGatewayHere, testConfig } from '../kit/gateway.ts'
import { startUpstream } from '../kit/upstream.ts'
import { until } from '../kit/wait.ts'

const folder = t.testdir({ transcripts: { 'a.txt': 'what was said' } })
const accounts = join(folder, 'accounts.json')
await writeAccounts(accounts, { auditor: await hashPassword('Correct-Horse-7') }, { roles: ['reader'] })
const authorization = `Basic ${Buffer.from('auditor:Correct-Horse-7').toString('base64')}`
const upstream = await startUpstream()
const config = (audit: string) =>
  testConfig(upstream.url, {
    listeners: {
      public: publicListener(),
      transcripts: {
        address: '127.0.0.1:0',
        hosts: ['localhost'],
        signIn: { accounts },
        roles: EVERYTHING,
        source: { folder: join(folder, 'transcripts') },
      },
      admin: { address: '127.0.0.1:0' },
    },
    log: { access: 'off', audit },
  })

// Every write to this device fails as on a full disk.
const gateway = await startGatewayHere(config('/dev/full'))
t.teardown(async () => {
  await gateway.close()
  await upstream.close()
})
const place = { port: gateway.port('listeners.transcripts.address') }

t.test('the first line that is lost closes the transcripts', async (t) => {
  const client = openHttp1(place)
  t.teardown(() => client.close())
  const ask = { path: '/a.txt', headers: ['authorization', authorization] }
  await until(async () => (await client.ask(ask)).status === 503, 'the transcripts to close')
  for (const transport of requestTransports) {
    const other = transport.open(place)
    const reply = await other.ask(ask)
    t.equal(reply.status, 503, transport.name)
    t.match(reply.json(), { code: 'audit-down' })
    t.notMatch(reply.text, 'what was said')
    t.equal((await other.ask({ path: '/a.txt' })).status, 503, 'guessing is not recorded either, and so not allowed')
    await other.close()
  }
  const chat = openHttp1({ port: gateway.publicPort })
  t.equal((await chat.ask({ path: '/x' })).status, 200, 'the chat goes on')
  await chat.close()
})

t.test('they open again when lines can be written', async (t) => {
  mkdirSync(join(folder, 'logs'))
  writeFileSync(join(folder, 'logs', 'audit.log'), '')
  chmodSync(join(folder, 'logs', 'audit.log'), 0o600)
  gateway.writeConfig({ ...config(join(folder, 'logs', 'audit.log')), listeners: config('').listeners })
  t.equal(await gateway.gateway.reload('test'), true)
  const client = openHttp1({
    port: gateway.gateway.addresses.find((each) => each.setting.includes('transcripts'))!.port,
  })
  t.teardown(() => client.close())
  const reply = await client.ask({ path: '/a.txt', headers: ['authorization', authorization] })
  t.equal(reply.status, 200)
  t.equal(reply.text, 'what was said')
})
