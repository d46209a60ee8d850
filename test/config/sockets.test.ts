/** The bounds of WebSockets in the configuration file: safe where nothing is written, and mistakes are told where they stand. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/errors.ts'

const parse = (route: object, limits: object = {}) =>
  parseConfiguration(
    'gateway.json',
    JSON.stringify({
      listeners: { public: { address: '127.0.0.1:8443' } },
      services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
      routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'x', ...route }],
      limits,
    }),
    { env: {}, checkFiles: false },
  )

function problems(route: object, limits: object = {}): string {
  try {
    parse(route, limits)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
  return ''
}

t.test('every WebSocket is bounded where nothing is written', (t) => {
  t.same(parse({ webSocket: true }).configuration.routes[0]!.socket, {
    perAddress: 100,
    maxMessage: 16 * 1024 * 1024,
    messageRate: { points: 200, windowMs: 1000 },
    byteRate: 8 * 1024 * 1024,
    compression: 'off',
    overRate: 'wait',
    messageLimits: [],
    overLimit: 'refuse',
    idle: 0,
    ping: 30_000,
    pong: 20_000,
    lifetime: 86_400_000,
  })
  t.end()
})

t.test('mistakes', (t) => {
  const byEvent = { few: { by: ['address', 'event'], rate: '3 per minute' } }
  t.match(problems({ limits: ['few'] }, byEvent), /routes\[0\]\.limits\[0\]: counts by event, which requests have not/)
  t.equal(problems({ webSocket: true, socket: { messageLimits: ['few'] } }, byEvent), '')
  t.match(
    problems({ webSocket: true, socket: { messageLimits: ['fwe'] } }, byEvent),
    /routes\[0\]\.socket\.messageLimits\[0\]: no limit named "fwe"; did you mean "few"\?/,
  )
  t.match(problems({ socket: { subprotocols: [] } }), /is empty, so nothing could be offered/)
  t.match(problems({ socket: { subprotocols: ['a b'] } }), /is not a subprotocol/)
  t.match(problems({ socket: { messageRate: 'fast' } }), /is not a rate/)
  t.match(problems({ socket: { overRate: 'drop' } }), /routes\[0\]\.socket\.overRate/)
  t.match(problems({ socket: { maxMesage: '1 KB' } }), /did you mean "maxMessage"\?/)
  const counting = (by: string[]) => problems({ limits: ['few'] }, { few: { by, rate: '3 per minute' } })
  t.match(counting([]), /limits\.few\.by/)
  t.match(counting(['event']), /routes\[0\]\.limits\[0\]: counts by event, which requests have not/)
  t.match(counting(['address', 'user']), /routes\[0\]\.limits\[0\]: counts by user, but nobody signs in here/)
  t.end()
})

t.test('bounds that bind nothing are told', (t) => {
  t.match(parse({ socket: { perAddress: 5 } }).warnings.join('\n'), /routes\[0\]\.socket: has no effect/)
  t.same(
    parse({ webSocket: true, socket: { perAddress: 5 } }).warnings.filter((each) => /socket/.test(each)),
    [],
  )
  t.end()
})
