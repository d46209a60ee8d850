import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { ConfigurationError, Failure } from '../../src/errors.ts'
import type { Route } from '../../src/exchange/contracts.ts'
import type { Exchange } from '../../src/exchange/exchange.ts'
import type { Protocol } from '../../src/exchange/request-head.ts'
import { maskCards } from '../../src/observe/card-mask.ts'
import { jsonMs, jsonText } from '../../src/observe/json-line.ts'
import { makeLog } from '../../src/observe/log.ts'
import { fakeExchange, NO_EDITS } from '../kit/fake-client.ts'

interface Wish {
  target?: string
  method?: string
  protocol?: Protocol
  route?: Partial<Route>
}

/** An exchange as it stands before its answer. */
function makeExchange(wish: Wish = {}): { x: Exchange } {
  const [path, query] = (wish.target ?? '/').split('?') as [string, string?]
  const options = { path, query: query === undefined ? '' : `?${query}`, address: '192.0.2.1' }
  const { x } = fakeExchange(wish.method === undefined ? options : { ...options, method: wish.method })
  if (wish.protocol !== undefined) Object.assign(x.head, { protocol: wish.protocol })
  if (wish.route !== undefined) x.route = { edits: NO_EDITS, name: 'r', serviceName: 's', ...wish.route } as Route
  return { x }
}

const linesOf = (path: string) =>
  readFileSync(path, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line))

const logIn = (folder: string, level: 'debug' | 'info' | 'warn' | 'error' = 'info') => {
  const access = join(folder, 'access.log')
  const audit = join(folder, 'audit.log')
  const own = join(folder, 'own.log')
  return { log: makeLog({ access, audit, level }, { gatewayTarget: own }), access, audit, own }
}

t.test('an exchange leaves one line, without its query', async (t) => {
  const { log, access } = logIn(t.testdir())
  const { x } = makeExchange({
    target: '/api/a?token=secret',
    route: { name: 'api', serviceName: 'chat' },
    protocol: 'h2',
  })
  x.id = 'abc'
  x.endpoint = 'http://10.0.0.1:3000'
  x.upstreamMs = 1.23456
  x.respond(200, [], Buffer.from('hello'))
  log.access(x)
  await log.close()
  const lines = linesOf(access)
  t.equal(lines.length, 1)
  t.match(lines[0], {
    time: /^\d{4}-\d\d-\d\dT.*Z$/,
    id: 'abc',
    listener: 'fake',
    client: '192.0.2.1',
    protocol: 'h2',
    method: 'GET',
    host: 'localhost',
    path: '/api/a',
    webSocket: false,
    status: 200,
    bytesIn: 0,
    bytesOut: 5,
    durationMs: Number,
    upstreamMs: 1.235,
    route: 'api',
    service: 'chat',
    endpoint: 'http://10.0.0.1:3000',
    user: null,
    failure: null,
    detail: null,
  })
  t.notMatch(readFileSync(access, 'utf8'), 'secret')
})

t.test('a failure and hostile text stand in the line as plain JSON', async (t) => {
  const { log, access } = logIn(t.testdir())
  const { x } = makeExchange({ method: 'X'.repeat(5000) })
  x.path = `/\r\n{"forged":true}\u001b[31m\u2028\u009b${'x'.repeat(9000)}`
  x.user = 'a"b\\c\n'
  x.fail(new Failure('bad-target', 'too \x00 odd'))
  log.access(x)
  await log.close()
  const text = readFileSync(access, 'utf8')
  t.equal(text.split('\n').length, 2, 'one line')
  t.notMatch(text.slice(0, -1), /[\x00-\x1f\x7f-\x9f\u2028]/)
  t.ok(text.length < 4000, 'bounded')
  t.match(linesOf(access)[0], { failure: 'bad-target', status: 400, user: 'a"b\\c\n' })
})

t.test('a card number in a path is hidden, other numbers stay', (t) => {
  const cards = ['4111111111111111', '4111-1111-1111-1111', '4111%201111%201111%201111', '378282246310005']
  for (const card of cards) t.equal(maskCards(`/pay/${card}/x`), '/pay/[card]/x', card)
  const others = [
    '/orders/1700000000000',
    '/x/4111111111111112',
    '/411111111111',
    '/8f14e45f-ceea-467f-a0e6-1b2c3d4e5f60',
  ]
  for (const path of others) t.equal(maskCards(path), path)
  t.end()
})

t.test('the audit line says who, what, from where, and when', async (t) => {
  const { log, audit } = logIn(t.testdir())
  log.audit.record({
    event: 'sensitive_read',
    outcome: 'success',
    user: 'anna',
    address: '192.0.2.1',
    requestId: 'r1',
    object: 'transcript 7',
  })
  await log.flush()
  t.match(linesOf(audit)[0], {
    time: /Z$/,
    event: 'sensitive_read',
    user: 'anna',
    object: 'transcript 7',
    reason: null,
  })
  await log.close()
})

t.test('the own log keeps to its level and hides secrets', async (t) => {
  const { log, own } = logIn(t.testdir(), 'warn')
  log.gateway.info('not this')
  log.gateway.warn('a warning', { service: 'chat', password: 'hunter2', redis: { token: 'hunter2' } })
  log.gateway.error('an error', { error: new Error('why') })
  await log.close()
  t.match(linesOf(own), [
    { level: 'warn', message: 'a warning', service: 'chat', password: '[hidden]', redis: { token: '[hidden]' } },
    { level: 'error', message: 'an error', error: { name: 'Error', message: 'why', stack: String } },
  ])
  t.notMatch(readFileSync(own, 'utf8'), /hunter2|not this/)
})

t.test('one file for two logs has one writer; off writes nothing', async (t) => {
  const both = join(t.testdir(), 'both.log')
  const log = makeLog({ access: both, audit: both, level: 'error' }, { gatewayTarget: '/dev/null' })
  const { x } = makeExchange()
  for (let i = 0; i < 50; i++) {
    log.access(x)
    log.audit.record({ event: 'e', outcome: 'failure', user: '', address: '', requestId: '', object: '', reason: 'r' })
  }
  await log.close()
  t.equal(linesOf(both).length, 100)
  const silent = makeLog({ access: 'off', audit: 'off', level: 'error' }, { gatewayTarget: '/dev/null' })
  silent.access(x)
  await silent.close()
  t.equal(silent.dropped, 0)
})

t.test('a file that cannot be written is told by its setting', (t) => {
  const folder = t.testdir({ file: '' })
  try {
    makeLog({ access: join(folder, 'file/x.log'), audit: join(folder, 'audit.log'), level: 'error' })
    t.fail('it opened')
  } catch (error) {
    t.ok(error instanceof ConfigurationError)
    t.match((error as ConfigurationError).problems[0], /^log\.access: .* cannot be written/)
  }
  t.end()
})

t.test('JSON text is what JSON.parse reads back', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'binary' }), fc.string()), (text) => {
      const json = jsonText(text, 1000)
      if (/[\x00-\x1f\x7f-\x9f\u2028\u2029]/.test(json)) throw new Error('raw control character')
      return JSON.parse(json) === text.toWellFormed()
    }),
    { seed: 1, numRuns: 3000 },
  )
  t.equal(jsonText('abcdef', 3), '"abc…"')
  t.equal(jsonMs(-1), 'null')
  t.equal(jsonMs(Number.NaN), 'null')
  t.end()
})
