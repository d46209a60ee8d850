/** Compression in the configuration file: off where nothing is written, and told where it would do harm or nothing. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { ConfigurationError } from '../../src/errors.ts'

const parse = (route: object, top: object = {}) =>
  parseConfiguration(
    'gateway.json',
    JSON.stringify({
      listeners: { public: { address: '127.0.0.1:8443' } },
      services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
      routes: [{ path: '/*', profiles: ['internet'], purpose: 'x', ...route }],
      ...top,
    }),
    { env: {}, checkFiles: false },
  )
const service = { service: 'chat' }

function problems(route: object, top: object = {}): string {
  try {
    parse(route, top)
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
  return ''
}

t.test('nothing is compressed where nothing is written', (t) => {
  const { routes, compression } = parse(service).configuration
  t.equal(routes[0]!.compression, 'off')
  t.same(compression.codings, ['zstd', 'br', 'gzip'])
  t.same(compression.levels, { zstd: 3, br: 4, gzip: 4 })
  t.notOk(compression.types.includes('text/event-stream'))
  t.end()
})

t.test('values', (t) => {
  t.match(problems({ ...service, compression: true }), /routes\[0\]\.compression/)
  t.match(problems({ ...service, compression: 'publik' }), /"public"/)
  for (const [wrong, sentence] of [
    [{ codings: [] }, /is empty/],
    [{ codings: ['gzip', 'gzip'] }, /names a coding twice/],
    [{ codings: ['deflate'] }, /compression\.codings\[0\]/],
    [{ levels: { br: 11 } }, /compression\.levels\.br/],
    [{ levels: { zstd: 0 } }, /compression\.levels\.zstd/],
    [{ levels: { deflate: 1 } }, /compression\.levels/],
    [{ types: ['json'] }, /is not a media type; write for example "application\/json"/],
    [{ types: ['*/*'] }, /is not a media type/],
    [{ atOnce: 0 }, /compression\.atOnce/],
    [{ minSize: '0 B' }, /too small/],
    [{ on: true }, /compression/],
  ] as const) {
    t.match(problems({ ...service, compression: 'public' }, { compression: wrong }), sentence, JSON.stringify(wrong))
  }
  t.equal(
    problems({ ...service, compression: 'public' }, { compression: { types: ['text/*', 'application/*+json'] } }),
    '',
  )
  t.end()
})

t.test('where answers are those of one person, "public" would do nothing', (t) => {
  const issuers = { staff: { issuer: 'https://id.example.com', audience: ['chat'] } }
  t.match(
    problems({ ...service, compression: 'public', signIn: { oidc: 'staff' } }, { issuers }),
    /whoever comes here signs in/,
  )
  t.match(problems({ ...service, compression: 'public', socketIo: true }), /session ids of socket\.io are credentials/)
  t.notMatch(problems({ ...service, compression: 'same-origin', socketIo: true }), /compression/)
  t.notMatch(problems({ ...service, compression: 'off', socketIo: true }), /compression/)
  t.equal(problems({ ...service, compression: 'public', socketIo: false }), '')
  t.match(problems({ redirect: '/x', compression: 'public' }), /a redirect has no body/)
  t.equal(problems({ respond: { text: 'x' }, compression: 'public', methods: ['GET'] }), '')
  t.end()
})

t.test('warnings', (t) => {
  const warned = (route: object, top: object = {}): string => parse(route, top).warnings.join('\n')
  t.match(warned({ ...service, compression: 'all' }), /BREACH/)
  t.notMatch(warned({ respond: { text: 'x' }, compression: 'all', methods: ['GET'] }), /BREACH/)
  t.match(warned({ ...service, compression: 'public', allow: ['10.0.0.0/8'] }), /what they are shown may be a secret/)
  t.match(warned(service, { compression: { minSize: '2 KB' } }), /no route has "compression"/)
  t.notMatch(warned({ ...service, compression: 'public' }, { compression: { minSize: '2 KB' } }), /no route/)
  t.end()
})
