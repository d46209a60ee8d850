/** CORS in the configuration file: exact origins, named fields, and nothing said twice. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/errors.ts'

const parse = (cors: object, more: object = {}) =>
  parseConfiguration(
    'gateway.json',
    JSON.stringify({
      listeners: { public: { address: '127.0.0.1:8443' } },
      services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
      routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'x', cors, ...more }],
    }),
    { env: {}, checkFiles: false },
  )

function problems(cors: object, more: object = {}): string {
  try {
    parse(cors, more)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
  return ''
}
const origins = ['https://www.example.com']

t.test('defaults', (t) => {
  t.same(parse({ origins }).configuration.routes[0]!.cors, {
    ...{ origins, credentials: false, headers: ['content-type'], expose: [], maxAge: 600_000 },
  })
  t.end()
})

t.test('origins are exact, and fields are named', (t) => {
  for (const wrong of [
    '*',
    'null',
    'https://*.example.com',
    'https://www.example.com/',
    'www.example.com',
    'https://WWW.example.com',
    'https://a.example:443',
  ]) {
    t.match(problems({ origins: [wrong] }), /is not an origin/, wrong)
  }
  t.match(problems({ origins: [] }), /leave "cors" out/)
  t.match(problems({}), /cors\.origins/)
  t.match(problems({ origins, headers: ['*'] }), /would mean every header; name each/)
  t.match(problems({ origins, expose: ['*'] }), /would mean every header; name each/)
  t.match(problems({ origins, headers: ['a b'] }), /is not a header name/)
  t.match(problems({ origins, methods: ['GET'] }), /cors\.methods/)
  const set = { profile: 'api', set: { 'Access-Control-Allow-Origin': '*' } }
  t.match(problems({ origins }, { headers: set }), /stands beside "cors"/)
  t.end()
})

t.test('warnings', (t) => {
  t.match(parse({ origins: ['http://intranet.example'] }).warnings.join(), /plain HTTP/)
  t.same(parse({ origins: [...origins, 'http://localhost:3000'] }).warnings, [])
  t.end()
})
