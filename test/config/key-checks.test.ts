/** Mistakes about keys and sealed identifiers, told with their place. */
import t from 'tap'
import { parseConfiguration } from '../../src/config/load.ts'
import { parseSealedPath, segmentAt } from '../../src/config/sealed-path.ts'
import { ConfigurationError } from '../../src/errors.ts'

const BASE = {
  listeners: { public: { address: '127.0.0.1:8443' } },
  keys: { ring: 'keys.json' },
  sealed: { phone: { expires: '7 days' } },
  services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
  limits: {},
}
const route = (more: object) => ({ path: '/c/*', service: 'chat', profiles: ['internet'], purpose: 'chat', ...more })

function problems(more: object): string {
  try {
    parseConfiguration('g.json', JSON.stringify({ ...BASE, routes: [route({})], ...more }), {
      env: {},
      checkFiles: false,
    })
    return ''
  } catch (error) {
    if (error instanceof ConfigurationError) return error.message
    throw error
  }
}

t.test('mistakes', async (t) => {
  const sealed = (value: object, more: object = {}) => ({ routes: [route({ sealed: value, ...more })] })
  const good = { kind: 'phone', in: { path: '/c/{token}/*' } }
  t.equal(problems(sealed(good)), '')
  t.equal(problems(sealed({ ...good, to: { header: 'x-phone' } })), '')
  const inside = (more: object) => ({
    listeners: { public: { address: '127.0.0.1:8443', profile: 'internal', tokens: { path: '/-/tokens' }, ...more } },
  })
  t.equal(problems(inside({})), '')
  const cases: [object, RegExp][] = [
    [{ ...sealed(good), keys: undefined }, /routes\[0\]\.sealed: needs a key ring; write "keys"/],
    [sealed({ ...good, kind: 'phon' }), /no sealed kind named "phon"; did you mean "phone"/],
    [
      sealed({ ...good, in: { path: '/d/{token}' } }),
      /is not a place of this route, whose path is "\/c\/\*"; write "path": "\/d\/\*" there/,
    ],
    [sealed({ ...good, in: { path: '/c/x' } }), /must have one "\{token\}"/],
    [sealed({ ...good, in: { path: '/c/{token}x' } }), /as a whole segment/],
    [sealed({ ...good, in: { path: '/c/{token}/{token}' } }), /must have one/],
    [sealed({ ...good, in: {} }), /must be \{ "path"/],
    [sealed({ ...good, to: { header: 'x-forwarded-for' } }), /settles itself/],
    [sealed({ ...good, to: { header: 'X-Phone' } }), /in lower case/],
    [{ sealed: { phone: { expires: '4000 days' } } }, /at most 3650 days/],
    [
      { routes: [route({ sealLinks: [{ kind: 'mail', fields: ['$.a'], link: '/c/{token}' }] })] },
      /no sealed kind named "mail"/,
    ],
    [
      { routes: [route({ socketIo: true, sealLinks: [{ kind: 'phone', fields: ['$.a'], link: 'value' }] })] },
      /socket\.io answers are not sealed/,
    ],
    [inside({ profile: 'internet' }), /only a listener with "profile": "internal"/],
    [
      inside({ address: '10.0.0.1:8443', hosts: ['a.example'], tls: { selfSigned: true } }),
      /lets everybody make tokens; name the chat services in "allow"/,
    ],
    [{ ...inside({}), sealed: {} }, /can make no token/],
    [inside({ tokens: { path: '/-/tokens', limits: ['x'] } }), /no limit named "x"/],
  ]
  for (const [more, says] of cases) t.match(problems(more), says)
})

t.test('segments', async (t) => {
  const at = (form: string, path: string) => {
    const place = parseSealedPath(form)
    return typeof place === 'string' ? place : segmentAt(place, path)
  }
  t.equal(at('/c/{token}', '/c/abc'), 'abc')
  t.equal(at('/c/{token}', '/c/abc/d'), null)
  t.equal(at('/c/{token}', '/c/'), '')
  t.equal(at('/c/{token}/d', '/c/abc/d'), 'abc')
  t.equal(at('/c/{token}/d/*', '/c/abc/d/e'), 'abc')
  t.equal(at('/c/{token}/d/*', '/c/abc/d'), null)
  t.equal(at('/c/{token}/*', '/d/abc/d'), null)
})
