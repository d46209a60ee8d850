/** Two gateway processes with one Redis: a session of one is resumed by the other, over rotations, outages and attempts to meddle. */
import { once } from 'node:events'
import { connect, type SecureVersion, type TLSSocket } from 'node:tls'
import t, { type Test } from 'tap'
import { type Json, type ProcessGateway, publicListener, startGateway, testConfig } from '../kit/gateway.ts'
import { startRedis } from '../kit/redis.ts'
import { until } from '../kit/wait.ts'

const SECRET = 'a secret of thirty-two characters'
const VERSIONS = ['TLSv1.2', 'TLSv1.3'] as const
/** The shortest there is; a test that needs the same period twice begins well before its end. */
const ROTATION_MS = 60_000

const redis = await startRedis()
t.teardown(() => redis.kill())

function config(ticketRotation = '12 hours', prefix = 'p'): Json {
  return testConfig('http://127.0.0.1:9', {
    listeners: {
      public: publicListener({ tls: { ticketSecret: { env: 'TICKETS' }, ticketRotation } }),
      admin: { address: '127.0.0.1:0' },
    },
    limits: { store: { redis: { url: redis.url, prefix, timeout: '1 second' } } },
  })
}

async function node(t: Test, secret = SECRET, ...more: Parameters<typeof config>): Promise<ProcessGateway> {
  const gateway = await startGateway(config(...more), { TICKETS: secret })
  t.teardown(() => gateway.close())
  return gateway
}

function shake(port: number, version: SecureVersion, session?: Buffer): Promise<TLSSocket> {
  const options = { port, host: '127.0.0.1', servername: 'localhost', rejectUnauthorized: false }
  const socket = connect({ ...options, minVersion: version, maxVersion: version, ...(session ? { session } : {}) })
  return new Promise((resolve, reject) => {
    socket.once('secureConnect', () => resolve(socket))
    socket.once('error', reject)
  })
}

async function sessionAt({ publicPort }: ProcessGateway, version: SecureVersion): Promise<Buffer> {
  const socket = await shake(publicPort, version)
  const session =
    version === 'TLSv1.2' ? (socket.getSession() ?? Buffer.alloc(0)) : ((await once(socket, 'session'))[0] as Buffer)
  socket.destroy()
  return session
}

async function isResumed({ publicPort }: ProcessGateway, version: SecureVersion, session: Buffer): Promise<boolean> {
  const socket = await shake(publicPort, version, session)
  const answer = socket.isSessionReused()
  socket.destroy()
  return answer
}

/** Does a session that begins at one node now go on at the other? */
async function goesOn(from: ProcessGateway, to: ProcessGateway, version: SecureVersion = 'TLSv1.3'): Promise<boolean> {
  return isResumed(to, version, await sessionAt(from, version))
}

const metrics = async ({ adminPort }: ProcessGateway): Promise<string> =>
  (await fetch(`http://127.0.0.1:${adminPort}/metrics`)).text()

t.test('a session of one node is resumed by the other, both ways, by TLS 1.2 and 1.3', async (t) => {
  await redis.flush()
  const [one, two] = await Promise.all([node(t), node(t)])
  await until(() => goesOn(one, two), 'a common key')
  for (const version of VERSIONS) {
    t.equal(await goesOn(one, two, version), true, version)
    t.equal(await goesOn(two, one, version), true, version)
  }
  const stranger = await node(t, 'another one of thirty-two letters')
  await until(() => stranger.log().includes('is not used'), 'the refusal')
  for (const version of VERSIONS) {
    t.equal(await goesOn(one, stranger, version), false, `${version}: not with another secret`)
    t.equal(await goesOn(stranger, stranger, version), true, `${version}: with a key of its own`)
  }
  const said = stranger
    .log()
    .split('\n')
    .filter((line) => line.includes('is not used'))
  t.equal(said.length, 1)
  t.match(said[0], /"level":"error".*it was sealed with another \\"ticketSecret\\"/)
  t.match(await metrics(stranger), 'portcullis_ticket_keys_total{outcome="refused-other-secret",listener="public"} 1')
  const texts = await Promise.all([metrics(one), metrics(two)])
  t.equal(texts.join('').split('ticket_keys_total{outcome="made",listener="public"} 1').length, 2, 'made once')
  const foreign = await node(t, SECRET, '12 hours', 'q')
  await until(() => foreign.log().includes('was made here'), 'its own')
  t.equal(await goesOn(one, foreign), false, 'another prefix is another gateway')
  t.equal(await goesOn(one, two), true, 'and nobody was disturbed')
})

t.test('Redis killed in the middle, and back empty: sessions go on all the time', async (t) => {
  await redis.flush()
  const [one, two] = await Promise.all([node(t), node(t)])
  await until(() => goesOn(one, two), 'a common key')
  const session = await sessionAt(one, 'TLSv1.3')
  await redis.kill()
  await until(() => [one, two].every(({ log }) => log().includes('is down')), 'the outage')
  t.equal(await isResumed(two, 'TLSv1.3', session), true, 'while it is gone')
  const late = await node(t)
  t.equal(await goesOn(one, late), false, 'who comes meanwhile has a key of its own')
  t.equal(await goesOn(late, late), true)
  await until(() => late.log().includes('Sessions are resumed at this node alone'), 'it says so')
  await redis.start()
  await until(async () => (await goesOn(one, late)) && (await goesOn(one, two)), 'one key again')
})

t.test('what somebody put in its place is refused, and said', async (t) => {
  await redis.flush()
  const one = await node(t)
  await until(() => one.log().includes('was made here'), 'the key')
  const [place] = /p:value:tickets:\S+/.exec(await redis.command('KEYS *tickets*'))!
  await redis.command(`SETRANGE ${place} 200 AAAA`)
  const two = await node(t)
  await until(() => two.log().includes('is not used'), 'the refusal')
  t.match(two.log(), /is not used, and this node keeps its own: (somebody changed it|it is no sealed key)/)
  t.match(await metrics(two), /ticket_keys_total\{outcome="refused-(tampered|malformed)",listener="public"\} 1/)
  t.equal(await goesOn(one, two), false)
  t.equal(await goesOn(two, two), true)
})

t.test('the next period: both change, old sessions are over, new ones go on at the other node', async (t) => {
  await redis.flush()
  const [one, two] = await Promise.all([node(t, SECRET, '1 minute'), node(t, SECRET, '1 minute')])
  await until(() => Date.now() % ROTATION_MS < ROTATION_MS / 2, 'the first half of a period', 2 * ROTATION_MS)
  await until(() => goesOn(one, two), 'a common key')
  const sessions = await Promise.all(VERSIONS.map((version) => sessionAt(one, version)))
  const period = Math.floor(Date.now() / ROTATION_MS)
  await until(() => Math.floor(Date.now() / ROTATION_MS) > period, 'the next period', 2 * ROTATION_MS)
  await until(() => goesOn(one, two), 'the next common key')
  for (const [i, version] of VERSIONS.entries()) {
    t.equal(await isResumed(one, version, sessions[i]!), false, `${version}: over where it began`)
    t.equal(await isResumed(two, version, sessions[i]!), false, `${version}: and at the other`)
    t.equal(await goesOn(two, one, version), true, `${version}: the next one`)
  }
  await until(async () => (await redis.command('KEYS *tickets*')).split('tickets').length === 2, 'the old key is gone')
})
