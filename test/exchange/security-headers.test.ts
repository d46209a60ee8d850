import fc from 'fast-check'
import t from 'tap'
import { HEADER_PROFILES } from '../../src/config/routes-shape.ts'
import type { HeadersConfig } from '../../src/config/shape.ts'
import added from '../../src/data/owasp-headers-add.json' with { type: 'json' }
import removed from '../../src/data/owasp-headers-remove.json' with { type: 'json' }
import type { HeaderEdits } from '../../src/exchange/contracts.ts'
import { applyEdits } from '../../src/exchange/edits.ts'
import { compileEdits, headerProblems } from '../../src/exchange/security-headers.ts'
import { type HeaderList, HOP_BY_HOP } from '../../src/http/headers.ts'

/** All fields of an answer, and the same as HTTP/1.x would write them. */
function whole(upstream: string[], edits: HeaderEdits): string[] {
  const lines = edits.setLines.split('\r\n').slice(0, -1)
  const written = lines.flatMap((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)])
  if (JSON.stringify(written) !== JSON.stringify(edits.set)) throw new Error('the lines say something else')
  return [...applyEdits(upstream, edits), ...edits.set]
}

function valuesOf(list: readonly string[], name: string): string[] {
  return list.filter((_, i) => i % 2 === 1 && list[i - 1] === name)
}

function settings(profile: HeadersConfig['profile'], changes: Partial<HeadersConfig> = {}): HeadersConfig {
  return { profile, set: {}, remove: [], keep: [], frameAncestors: [], ...changes }
}

/** What a client sees of an answer, last value of each name. */
function answer(config: HeadersConfig, upstream: Record<string, string> = {}, secure = true): Record<string, string> {
  const out = whole(Object.entries(upstream).flat(), compileEdits(config, secure))
  const seen: Record<string, string> = {}
  for (let i = 0; i < out.length; i += 2) {
    if (out[i]! in seen) throw new Error(`${out[i]} stands there twice`)
    seen[out[i]!] = out[i + 1]!
  }
  return seen
}

const owasp = Object.fromEntries(added.headers.map(({ name, value }) => [name.toLowerCase(), value]))
const { 'clear-site-data': _, ...page } = owasp
const FRAMES = ['https://desk.example.com', 'https://www.example.com:8443']

const PAGE_POLICY =
  "default-src 'self'; form-action 'self'; base-uri 'self'; object-src 'none'; frame-ancestors 'none'; upgrade-insecure-requests"

/** Every profile by what it says where the upstream says nothing. Written out: a change of the data must be seen here. */
const EXPECTED: Record<HeadersConfig['profile'], Record<string, string | undefined>> = {
  api: { ...page, 'content-security-policy': "default-src 'none'; frame-ancestors 'none'" },
  page,
  embed: {
    ...page,
    'content-security-policy': PAGE_POLICY.replace("frame-ancestors 'none'", `frame-ancestors ${FRAMES.join(' ')}`),
    'cross-origin-resource-policy': 'cross-origin',
    'x-frame-options': undefined,
  },
  asset: page,
  transcript: {
    ...page,
    'content-security-policy':
      "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'",
  },
}

const sound = (profile: HeadersConfig['profile']): HeadersConfig =>
  settings(profile, profile === 'embed' ? { frameAncestors: FRAMES } : {})

const withoutUndefined = (headers: Record<string, string | undefined>) =>
  Object.fromEntries(Object.entries(headers).filter(([, value]) => value !== undefined))

t.test('every profile says what its table says', (t) => {
  for (const profile of HEADER_PROFILES) {
    t.strictSame(answer(sound(profile)), withoutUndefined(EXPECTED[profile]), profile)
    t.strictSame(headerProblems(sound(profile)), [], profile)
  }
  t.end()
})

t.test('the values that matter most are these', (t) => {
  const seen = answer(settings('page'))
  t.equal(seen['strict-transport-security'], 'max-age=63072000; includeSubDomains')
  t.equal(seen['content-security-policy'], PAGE_POLICY)
  t.equal(seen['x-content-type-options'], 'nosniff')
  t.equal(seen['x-frame-options'], 'deny')
  t.equal(seen['referrer-policy'], 'no-referrer')
  t.equal(seen['cache-control'], 'no-store, max-age=0')
  t.equal(seen['cross-origin-opener-policy'], 'same-origin')
  t.end()
})

t.test("a page carries OWASP's whole list, Clear-Site-Data excepted", (t) => {
  const seen = answer(settings('page'))
  t.ok(added.headers.length > 10)
  for (const { name, value } of added.headers) {
    t.equal(seen[name.toLowerCase()], name === 'Clear-Site-Data' ? undefined : value, name)
  }
  t.end()
})

t.test("every name on OWASP's removal list is removed, in every profile", (t) => {
  t.ok(removed.headers.length > 60)
  const upstream = Object.fromEntries(removed.headers.map((name) => [name.toLowerCase(), 'reveals']))
  for (const profile of HEADER_PROFILES) {
    for (const secure of [true, false]) {
      const seen = answer(sound(profile), upstream, secure)
      t.strictSame(
        Object.values(seen).filter((value) => value === 'reveals'),
        [],
        profile,
      )
    }
  }
  t.end()
})

t.test('hop-by-hop and internal names are removed', (t) => {
  const names = [
    ...HOP_BY_HOP,
    ...['via', 'x-request-id', 'alt-svc', 'forwarded', 'x-real-ip', 'x-forwarded-for', 'x-accel-redirect'],
    ...['x-sendfile', 'x-served-by', 'server-timing', 'x-xss-protection', 'public-key-pins'],
  ]
  const seen = answer(settings('page'), Object.fromEntries(names.map((name) => [name, 'inside'])))
  for (const name of names) t.equal(seen[name], undefined, name)
  t.end()
})

t.test('what belongs to the answer passes, order and duplicates kept', (t) => {
  const upstream = [
    'content-type',
    'text/html',
    'set-cookie',
    'a=1',
    'etag',
    '"x"',
    'set-cookie',
    'b=2',
    'clear-site-data',
    '"*"',
  ]
  const out = whole(upstream, compileEdits(settings('page'), true))
  t.strictSame(out.slice(0, upstream.length), upstream)
  t.end()
})

t.test('the upstream cannot weaken what the profile sets', (t) => {
  const weak = Object.fromEntries(Object.keys(page).map((name) => [name, 'weak']))
  t.notOk(Object.values(answer(settings('page'), weak)).includes('weak'))
  t.notOk(Object.values(answer(settings('api'), weak)).includes('weak'))
  t.equal(answer(sound('embed'), { 'x-frame-options': 'deny' })['x-frame-options'], undefined)
  t.end()
})

t.test('an asset may say how long it is cached, and nothing is cached that does not', (t) => {
  t.equal(answer(settings('asset'), { 'cache-control': 'public, max-age=60' })['cache-control'], 'public, max-age=60')
  t.equal(answer(settings('asset'))['cache-control'], 'no-store, max-age=0')
  t.equal(answer(settings('page'), { 'cache-control': 'public' })['cache-control'], 'no-store, max-age=0')
  t.end()
})

t.test('a transcript may carry a policy of its own, and is never stored', (t) => {
  const policy = "sandbox; default-src 'none'"
  const seen = answer(settings('transcript'), { 'content-security-policy': policy, 'cache-control': 'public' })
  t.equal(seen['content-security-policy'], policy)
  t.equal(seen['cache-control'], 'no-store, max-age=0')
  t.end()
})

t.test('plain HTTP gets no HSTS, from nobody, and no upgrade of its requests', (t) => {
  for (const profile of HEADER_PROFILES) {
    const config = sound(profile)
    const seen = answer(config, { 'strict-transport-security': 'max-age=1' }, false)
    t.equal(seen['strict-transport-security'], undefined, profile)
    t.notMatch(seen['content-security-policy'], /upgrade-insecure-requests/, profile)
    t.match(seen['content-security-policy'], /frame-ancestors/, profile)
  }
  const own = settings('page', { set: { 'strict-transport-security': 'max-age=5' } })
  t.equal(answer(own, {}, false)['strict-transport-security'], undefined)
  t.equal(answer(own)['strict-transport-security'], 'max-age=5')
  const kept = settings('page', { keep: ['strict-transport-security'] })
  t.equal(answer(kept, { 'strict-transport-security': 'max-age=1' }, false)['strict-transport-security'], undefined)
  t.end()
})

t.test('set replaces, remove leaves out and takes away, keep lets the upstream speak', (t) => {
  const set = settings('page', { set: { 'x-frame-options': 'sameorigin', 'x-own': '1' } })
  t.match(answer(set, { 'x-own': '2', 'x-frame-options': 'x' }), { 'x-frame-options': 'sameorigin', 'x-own': '1' })
  const remove = settings('page', { remove: ['cross-origin-embedder-policy', 'x-theirs'] })
  const left = answer(remove, { 'x-theirs': '1', 'cross-origin-embedder-policy': 'x' })
  t.equal(left['cross-origin-embedder-policy'], undefined)
  t.equal(left['x-theirs'], undefined)
  const keep = settings('page', { keep: ['cache-control'] })
  t.equal(answer(keep, { 'cache-control': 'public' })['cache-control'], 'public')
  t.equal(answer(keep)['cache-control'], 'no-store, max-age=0')
  const both = settings('page', { keep: ['cache-control'], set: { 'cache-control': 'no-cache' } })
  t.equal(answer(both, { 'cache-control': 'public' })['cache-control'], 'public')
  t.equal(answer(both)['cache-control'], 'no-cache')
  const asset = settings('asset', { set: { 'cache-control': 'public, max-age=9' } })
  t.equal(answer(asset, { 'cache-control': 'private' })['cache-control'], 'public, max-age=9')
  const inside = settings('page', { keep: ['server-timing'], set: { 'server-timing': 'gateway' } })
  t.equal(answer(inside, { 'server-timing': 'db' })['server-timing'], 'db')
  t.equal(answer(inside)['server-timing'], 'gateway')
  t.end()
})

t.test('a handshake answer carries none of it', (t) => {
  const out = applyEdits(['server', 'x'], compileEdits(settings('api'), true))
  t.strictSame(out, [])
  t.end()
})

t.test('where answers differ by role no shared cache keeps them, whatever is set', (t) => {
  const service = ['cache-control', 'public, max-age=60', 'vary', 'accept']
  const of = (config: HeadersConfig) => whole(service, compileEdits(config, true, true))
  const NONE = 'no-store, max-age=0'
  for (const [config, expected] of [
    [settings('api'), NONE],
    [settings('asset'), NONE],
    [settings('api', { keep: ['cache-control'] }), NONE],
    [settings('api', { remove: ['cache-control'] }), NONE],
    [settings('api', { set: { 'cache-control': 'public, max-age=60' } }), NONE],
    [settings('api', { set: { 'cache-control': 'private, max-age=60' } }), 'private, max-age=60'],
  ] as const) {
    const out = of(config)
    t.same(valuesOf(out, 'cache-control'), [expected])
    t.same(valuesOf(out, 'vary'), ['accept', 'authorization, cookie'])
  }
  t.same(valuesOf(of(settings('api', { set: { vary: 'origin' } })), 'vary'), ['origin', 'authorization, cookie'])
  t.same(valuesOf(whole(service, compileEdits(settings('api'), true)), 'vary'), ['accept'])
  t.end()
})

t.test('settings that contradict themselves are told', (t) => {
  const origin = ['https://www.example.com']
  const policy = { 'content-security-policy': 'frame-ancestors *' }
  const cases: [HeadersConfig, RegExp | null][] = [
    [settings('embed'), /^frameAncestors: the profile "embed" needs the origins/],
    [settings('embed', { set: policy }), null],
    [settings('embed', { set: policy, frameAncestors: origin }), /^frameAncestors: "set" replaces the whole/],
    [
      settings('embed', { remove: ['content-security-policy'], frameAncestors: origin }),
      /^frameAncestors: "remove" leaves/,
    ],
    [
      settings('page', { frameAncestors: origin }),
      /^frameAncestors: only the profile "embed" may be framed, this is "page"/,
    ],
    [settings('page', { set: { server: 'x' } }), /^set: "server" reveals/],
    [settings('page', { set: { connection: 'close' } }), /^set: "connection" belongs to the single answer/],
    [settings('page', { set: { 'content-length': '0' } }), /^set: "content-length" belongs/],
    [settings('page', { set: { 'set-cookie': 'a=1' } }), /^set: "set-cookie" belongs/],
    [settings('page', { set: { 'x-request-id': '1' } }), /^set: "x-request-id" belongs/],
    [settings('page', { set: { 'x-a': ' ' } }), /^set: "x-a" is empty; to leave a header out, name it in "remove"/],
    [settings('page', { set: { 'x-a': '1' }, remove: ['x-a'] }), /^remove: "x-a" is also in "set"/],
    [settings('page', { remove: ['content-type'] }), /^remove: "content-type" belongs/],
    [
      settings('page', { keep: ['cache-control'], remove: ['cache-control'] }),
      /^keep: "cache-control" is also in "remove"/,
    ],
    [settings('page', { keep: ['x-powered-by'] }), /^keep: "x-powered-by" is not a header of the profile "page"/],
    [
      settings('embed', { frameAncestors: origin, keep: ['x-frame-options'] }),
      /^keep: "x-frame-options" is not a header/,
    ],
    [settings('asset', { keep: ['cache-control'] }), null],
    [settings('page', { set: { 'x-a': '1' }, keep: ['x-a'] }), null],
  ]
  for (const [config, expected] of cases) {
    const problems = headerProblems(config)
    if (expected === null) t.strictSame(problems, [], JSON.stringify(config))
    else t.match(problems, [expected], JSON.stringify(config))
    t.equal(problems.length, expected === null ? 0 : 1, JSON.stringify(problems))
  }
  t.end()
})

t.test('equal settings share one frozen result, others do not', (t) => {
  const one = compileEdits(settings('page'), true)
  t.equal(compileEdits(settings('page'), true), one)
  t.not(compileEdits(settings('page'), false), one)
  t.throws(() => (one.set as string[]).push('x', 'y'))
  for (let i = 0; i < 600; i++) compileEdits(settings('page', { set: { 'x-a': String(i) } }), true)
  t.strictSame(compileEdits(settings('page'), true), one, 'the same after the memory was emptied')
  t.end()
})

const profileNames = Object.keys(page)
const arbitrary: fc.Arbitrary<HeadersConfig> = fc.record({
  profile: fc.constantFrom(...HEADER_PROFILES),
  set: fc.dictionary(fc.constantFrom('x-a', 'x-b', ...profileNames), fc.constantFrom('one', 'two'), { maxKeys: 4 }),
  remove: fc.uniqueArray(fc.constantFrom('x-a', 'x-c', 'server', ...profileNames), { maxLength: 5 }),
  keep: fc.uniqueArray(fc.constantFrom('x-b', 'server', 'x-powered-by', 'via', ...profileNames), { maxLength: 5 }),
  frameAncestors: fc.constantFrom([], FRAMES),
})

t.test('for any setting, sound or not', (t) => {
  const check = (config: HeadersConfig, secure: boolean) => {
    const edits = compileEdits(config, secure)
    const names = (list: HeaderList) => list.filter((_, at) => at % 2 === 0)
    const set = names(edits.set)
    const fallback = names(edits.fallback)
    const all = [...set, ...fallback]
    if (new Set(all).size !== all.length) return 'a name is set twice'
    if (set.some((name) => !edits.drop.has(name))) return 'a name is set and let through'
    if (fallback.some((name) => edits.drop.has(name))) return 'a fallback is dropped'
    if (config.remove.some((name) => all.includes(name) || !edits.drop.has(name))) return 'a removed name is there'
    if (removed.headers.some((name) => !edits.drop.has(name.toLowerCase()))) return 'a revealing name passes'
    if ([...HOP_BY_HOP].some((name) => !edits.drop.has(name))) return 'a hop-by-hop name passes'
    if (all.some((name) => name !== name.toLowerCase())) return 'a name is not lower case'
    if (!secure && (all.includes('strict-transport-security') || !edits.drop.has('strict-transport-security')))
      return 'HSTS'
    const upstream = [...new Set([...profileNames, 'x-a', 'x-b'])].flatMap((name) => [name, 'theirs'])
    const out = whole(upstream, edits)
    for (const [name, value] of Object.entries(config.set)) {
      if (config.keep.includes(name) || config.remove.includes(name)) continue
      if (!secure && name === 'strict-transport-security') continue
      if (out.filter((each) => each === name).length !== 1 || out[out.indexOf(name) + 1] !== value) return `set ${name}`
    }
    for (const name of config.keep) {
      if (!fallback.includes(name)) continue
      if (out.filter((each) => each === name).length !== 1 || out[out.indexOf(name) + 1] !== 'theirs')
        return `keep ${name}`
    }
    return null
  }
  fc.assert(
    fc.property(arbitrary, fc.boolean(), (config, secure) => {
      const fault = check(config, secure)
      if (fault !== null) throw new Error(fault)
    }),
    { numRuns: 2000, seed: 20261101 },
  )
  t.end()
})
