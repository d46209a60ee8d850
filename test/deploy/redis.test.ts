// The hardened Redis of the compose file, started for real with the secrets that make-secrets.sh makes: TLS only, named
// users only, and the gateway's user may do what its counters need and nothing else.
import { execFileSync, spawn } from 'node:child_process'
import { readFileSync, statSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { fileURLToPath } from 'node:url'
import { Redis } from 'ioredis'
import t from 'tap'
import { WINDOW_SCRIPT } from '../../src/limits/window-script.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const folder = t.testdir({})
const makeSecrets = () =>
  execFileSync('sh', [join(root, 'deploy/make-secrets.sh'), 'chat.example.com'], {
    env: { ...process.env, PORTCULLIS_SECRETS: folder },
    stdio: 'pipe',
  })
makeSecrets()
const secret = (name: string) => readFileSync(join(folder, name), 'utf8')

const free = createServer()
await new Promise<void>((listening) => free.listen(0, '127.0.0.1', listening))
const port = (free.address() as AddressInfo).port
await new Promise((closed) => free.close(closed))

const server = spawn(
  'redis-server',
  [
    join(root, 'deploy/redis/redis.conf'),
    ...['--bind', '127.0.0.1', '--tls-port', String(port), '--dir', folder],
    ...['--tls-cert-file', join(folder, 'redis/redis.pem'), '--tls-key-file', join(folder, 'redis/redis.key')],
    ...['--tls-ca-cert-file', join(folder, 'redis/ca.pem'), '--aclfile', join(folder, 'redis/users.acl')],
  ],
  { stdio: ['ignore', 'pipe', 'inherit'] },
)
let said = ''
await new Promise<void>((ready, failed) => {
  server.stdout.on('data', (chunk) => {
    said += chunk
    if (said.includes('Ready to accept connections')) ready()
  })
  server.once('exit', () => failed(new Error(said)))
})

const url = new URL(secret('redis-url'))
const gateway = new Redis({
  host: '127.0.0.1',
  port,
  username: url.username,
  password: url.password,
  tls: { ca: secret('tls/ca.pem'), servername: 'redis' },
  retryStrategy: () => null,
})

t.teardown(async () => {
  gateway.disconnect()
  const gone = new Promise((exit) => server.once('exit', exit))
  server.kill('SIGKILL')
  await gone
})

t.test('the gateway signs in with the URL made for it, over TLS, the name of the certificate checked', async (t) => {
  t.equal(url.protocol, 'rediss:')
  t.equal(url.host, 'redis:6379')
  t.equal(await gateway.ping(), 'PONG')
})

t.test('its user may do what the counters need', async (t) => {
  const step = (operation: string) =>
    gateway.eval(WINDOW_SCRIPT.text, 1, 'portcullis:test:{a}', `1,${operation}`, '2 2 60000 0 60000 9000')
  const used = async (operation: string) => Number(String(await step(operation)).split(' ')[0])
  t.same([await used('1'), await used('1'), await used('1')], [1, 2, 3], 'counts, and blocks')
  t.equal(await used('0'), 3, 'looks')
  t.equal(await used('-5000'), 3, 'blocks by hand')
  await step('0x')
  t.equal(await used('0'), 0, 'forgets')
})

t.test('and nothing else', async (t) => {
  await t.rejects(gateway.set('other', '1'), /NOPERM/, 'no keys but its own')
  for (const command of [
    ['config', 'get', '*'],
    ['flushall'],
    ['keys', '*'],
    ['acl', 'list'],
    ['client', 'list'],
    ['module', 'list'],
    ['save'],
    ['shutdown'],
    ['replicaof', '127.0.0.1', '1'],
    ['monitor'],
    ['publish', 'x', 'y'],
  ])
    await t.rejects(gateway.call(command[0]!, ...command.slice(1)), /NOPERM/, command.join(' '))
  await t.rejects(gateway.call('debug', 'sleep', '0'), /DEBUG command not allowed/)
})

t.test('there is no default account, and the health user may only ask', async (t) => {
  const nobody = connect({ host: '127.0.0.1', port, ca: secret('tls/ca.pem'), servername: 'redis' })
  nobody.write('GET portcullis:x\r\n')
  const answer = await new Promise<string>((done) => nobody.once('data', (chunk) => done(String(chunk))))
  t.match(answer, /^-NOAUTH/)
  nobody.destroy()
  const asked = connect({ host: '127.0.0.1', port, ca: secret('tls/ca.pem'), servername: 'redis' })
  let text = ''
  const lines = new Promise<void>((done) =>
    asked.on('data', (chunk) => {
      text += chunk
      if (text.split('\r\n').length > 3) done()
    }),
  )
  asked.write(`AUTH health ${secret('redis/health-password')}\r\nPING\r\nGET portcullis:x\r\n`)
  await lines
  t.match(text, /^\+OK\r\n\+PONG\r\n-NOPERM/)
  asked.destroy()
})

t.test('A1, A2: it speaks TLS 1.2 and 1.3 and nothing less', async (t) => {
  const offered = (version: 'TLSv1.1' | 'TLSv1.2' | 'TLSv1.3') =>
    new Promise<string>((done) => {
      const socket = connect({
        host: '127.0.0.1',
        port,
        ca: secret('tls/ca.pem'),
        servername: 'redis',
        minVersion: version,
        maxVersion: version,
        ciphers: 'DEFAULT:@SECLEVEL=0',
      })
      socket.once('secureConnect', () => {
        done(socket.getProtocol() ?? '')
        socket.destroy()
      })
      socket.once('error', () => done('refused'))
    })
  t.equal(await offered('TLSv1.1'), 'refused')
  t.equal(await offered('TLSv1.2'), 'TLSv1.2')
  t.equal(await offered('TLSv1.3'), 'TLSv1.3')
})

t.test('secrets are readable by their owner only, and a second run changes none', async (t) => {
  const names = ['redis-url', 'redis/users.acl', 'redis/redis.key', 'redis/health-password', 'tls/chat.key', 'ca.key']
  for (const name of names) t.equal(statSync(join(folder, name)).mode & 0o077, 0, name)
  const before = names.map(secret)
  makeSecrets()
  t.same(names.map(secret), before)
  t.notMatch(secret('redis/users.acl'), new RegExp(url.password), 'Redis holds a hash of the password')
})
