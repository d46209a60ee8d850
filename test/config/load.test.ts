/** Loading a file: what cannot be read, defaults, warnings, secrets, files that are named, and no surprise for any input. */
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import t from 'tap'
import { type LoadOptions, loadConfiguration, parseConfiguration } from '../../src/config/load.ts'
import { readRedisAccess } from '../../src/config/redis-access.ts'
import { lookUpSecret, readSecret } from '../../src/config/secrets.ts'
import { summaryOf } from '../../src/config/summary.ts'
import { ConfigurationError } from '../../src/errors.ts'

const SMALL = {
  listeners: { public: { address: '127.0.0.1:8443' } },
  services: { chat: { endpoints: ['http://127.0.0.1:3000'] } },
  routes: [{ path: '/*', service: 'chat', profiles: ['internet'], purpose: 'chat' }],
}
const LOOSE: LoadOptions = { env: {}, checkFiles: false }

function problemsOf(work: () => unknown): readonly string[] {
  try {
    work()
    return []
  } catch (error) {
    if (error instanceof ConfigurationError) return error.problems
    throw error
  }
}

/** A configuration like the one a real site has. */
const SITE = `{
  "$schema": "./gateway.schema.json",
  "reviewed": "2026-11-01", // evidence warns after six months
  "listeners": {
    "public": { "address": "0.0.0.0:8443", "profile": "internet", "hosts": ["chat.example.com"],
      "tls": { "certificates": [{ "cert": "certs/chat.pem", "key": "certs/chat.key", "passphrase": { "env": "PASS" } }] },
      "redirectFrom": "0.0.0.0:8080", "trustedProxies": ["10.0.0.0/8"] },
    "agents": { "address": "10.1.0.5:8444", "profile": "internal", "hosts": ["agents.example.local"], "tls": "public" },
    "transcripts": { "address": "10.1.0.5:9443", "hosts": ["transcripts.example.local"], "tls": "public",
      "allow": ["10.0.0.0/8"], "signIn": { "accounts": "config/accounts.json" },
      "roles": { "reader": { "read": [{ "paths": ["**"] }] } }, "source": { "folder": "transcripts", "atRest": "plain" } },
    "admin": { "address": "127.0.0.1:9900" }
  },
  "services": {
    "chat": { "endpoints": ["http://10.2.0.11:3000", "http://10.2.0.12:3000"] },
    "files": { "endpoints": ["https://10.2.0.20:8443"], "tls": { "ca": "certs/internal-ca.pem" } }
  },
  "routes": [
    { "path": "/socket.io/*", "service": "chat", "profiles": ["internet"], "purpose": "customer web chat",
      "messages": "customer", "limits": ["per-customer", "per-message"], "webSocket": true, "socketIo": true,
      "origins": ["https://www.example.com"] },
    { "path": "/api/messages", "methods": ["POST"], "service": "chat", "profiles": ["internet"], "purpose": "message API",
      "messages": "customer", "limits": ["per-customer"], "headers": "api", "maxBody": "64 KB" },
    { "path": "/agent/*", "service": "chat", "profiles": ["internal"], "purpose": "agent desktop",
      "headers": { "profile": "embed", "frameAncestors": ["https://finesse.example.local"] } },
    { "path": "/*", "service": "files", "profiles": ["internet"], "purpose": "widget files", "headers": "asset" }
  ],
  "messages": {
    "customer": { "fields": ["$.text", "$..caption"], "events": { "message": ["$[0].text"] }, "html": "strip",
      "maxSize": "16 KB", "onViolation": "refuse" }
  },
  "limits": {
    "per-customer": { "by": "address", "rate": "120 per minute", "burst": 40, "block": "5 minutes" },
    "per-message": { "rate": "30 per minute" },
    "store": { "redis": { "url": { "env": "REDIS_URL" } }, "onOutage": "local" }
  },
  "log": { "access": "logs/access.log", "audit": "logs/audit.log" }
}`

t.test("a real site's file loads without a warning", async (t) => {
  const { configuration, warnings, source } = parseConfiguration('gateway.json', SITE, LOOSE)
  t.same(warnings, [])
  t.equal(summaryOf(configuration), '4 listeners, 2 services, 4 routes, 1 set of message rules, 2 limits')
  t.match(configuration.limits['per-customer'], {
    by: ['address'],
    rate: { points: 120, windowMs: 60_000 },
    burst: 40,
    block: [300_000],
    dryRun: false,
    exempt: [],
  })
  t.same(configuration.listeners.public?.address, { host: '0.0.0.0', port: 8443 })
  t.equal(source.locate(['listeners', 'agents', 'address']), 'gateway.json:8:28 listeners.agents.address')
  t.throws(() => {
    ;(configuration.routes as unknown[]).push(1)
  }, 'nothing may change it afterwards')
})

t.test('a short file gets the safe defaults', async (t) => {
  const { configuration } = parseConfiguration('gateway.json', JSON.stringify(SMALL), LOOSE)
  const [route] = configuration.routes
  t.equal(route?.maxBody, 65_536)
  t.same(route?.methods, ['GET', 'POST'])
  t.equal(route?.webSocket, false)
  t.equal(route?.headers.profile, 'api')
  t.same(configuration.listeners.admin.address, { host: '127.0.0.1', port: 9900 })
  t.equal(configuration.listeners.public?.timeouts.headers, 10_000)
  t.equal(configuration.limits.store.onOutage, 'local')
  t.equal(configuration.limits.store.ipv6Prefix, 64)
})

t.test('paths of events where no route speaks socket.io are a warning', async (t) => {
  const warningsFor = (more: object): readonly string[] => {
    const routes = [{ path: '/x', service: 'chat', purpose: 'x', profiles: ['internet'], messages: 'm', ...more }]
    const messages = { m: { events: { message: ['$[0].text'] } } }
    return parseConfiguration('g', JSON.stringify({ ...SMALL, routes, messages }), LOOSE).warnings
  }
  t.match(warningsFor({}), [/messages\.m\.events: has no effect: no route .* has "socketIo": true/])
  t.strictSame(warningsFor({ socketIo: true }), [])
})

t.test('a password that goes to a proxy in clear text is warned of', async (t) => {
  const warningsFor = (proxy: object): readonly string[] => {
    const services = { chat: { endpoints: ['http://10.2.0.11:3000'], proxy } }
    return parseConfiguration('g', JSON.stringify({ ...SMALL, services }), LOOSE).warnings
  }
  const auth = { user: 'u', password: { env: 'X' } }
  t.match(warningsFor({ url: 'http://proxy:3128', auth, ca: 'ca.pem' }), [
    /services\.chat\.proxy\.auth: goes over the network in clear text; write an https URL/,
    /services\.chat\.proxy\.ca: has no effect: the URL of the proxy is not https/,
  ])
  t.strictSame(warningsFor({ url: 'https://proxy:3128', auth, ca: 'ca.pem' }), [])
  t.strictSame(warningsFor({ url: 'http://127.0.0.1:3128', auth }), [])
  t.strictSame(warningsFor({ url: 'http://proxy:3128' }), [])
})

t.test('what is allowed but hardly meant is a warning with its place', async (t) => {
  const text = `{
  "listeners": { "public": { "address": "127.0.0.1:1", "redirectPort": 443, "trustedProxies": ["0.0.0.0/0"], "hosts": ["a.example"] } },
  "services": { "one": { "endpoints": ["http://a:1", "http://a:1"], "tls": { "serverName": "x" } }, "two": { "endpoints": ["http://b:2"] } },
  "routes": [{ "path": "/*", "hosts": ["b.example"], "service": "one", "purpose": "x" }],
  "messages": { "m": { "fields": ["$.a"] } }, "limits": { "l": { "rate": "1 per s" } }
}`
  const { warnings } = parseConfiguration('g', text, LOOSE)
  t.match(warnings, [
    /^g:2:18 listeners\.public: no route names the profile "internet", so this listener answers 404 to everything/,
    /^g:2:\d+ listeners\.public\.redirectPort: has no effect without "redirectFrom"/,
    /^g:2:\d+ listeners\.public\.trustedProxies\[0\]: trusts everybody/,
    /^g:3:\d+ services\.one\.endpoints\[1\]: is listed twice/,
    /^g:3:\d+ services\.one\.tls: has no effect/,
    /^g:3:\d+ services\.two: this service is used nowhere/,
    /^g:4:\d+ routes\[0\]\.hosts\[0\]: no listener serves this host; did you mean "a\.example"\?/,
    /^g:5:\d+ messages\.m: this set of message rules is used nowhere/,
    /^g:5:\d+ limits\.l: this limit is used nowhere/,
  ])
  t.equal(warnings.length, 9)
})

t.test('forwarding settings that leave the client address to clients are warned of', async (t) => {
  const warningsFor = (more: object): readonly string[] => {
    const listeners = { public: { address: '127.0.0.1:1', profile: 'internal', ...more } }
    return parseConfiguration('g', JSON.stringify({ ...SMALL, listeners }), LOOSE).warnings
  }
  const proxyProtocol = { from: ['10.0.0.7', '10.1.0.0/16'] }
  t.strictSame(warningsFor({ proxyProtocol, trustedProxies: ['10.0.0.8'], forwardedBy: 'forwarded' }), [])
  t.match(warningsFor({ forwardedBy: 'forwarded' }), [/public\.forwardedBy: has no effect without "trustedProxies"/])
  t.match(warningsFor({ proxyProtocol: { from: ['0.0.0.0/0'] } }), [/proxyProtocol\.from\[0\]: lets everybody send/])
  t.match(warningsFor({ proxyProtocol, trustedProxies: ['10.1.0.0/16'] }), [/from\[1\]: is in "trustedProxies" too/])
})

t.test('the default address of the admin listener can be taken too', async (t) => {
  const text = JSON.stringify({ ...SMALL, listeners: { public: { address: '127.0.0.1:9900' } } })
  t.match(
    problemsOf(() => parseConfiguration('g', text, LOOSE)),
    [/127\.0\.0\.1:9900 is taken by the admin listener/],
  )
})

t.test('two routes on one path are no tie where host or method tells them apart', async (t) => {
  const route = SMALL.routes[0]!
  const routes = [
    { ...route, methods: ['GET'] },
    { ...route, methods: ['POST'] },
    { ...route, hosts: ['a.example'] },
    { ...route, hosts: ['*.example'] },
  ]
  t.same(
    problemsOf(() => parseConfiguration('g', JSON.stringify({ ...SMALL, routes }), LOOSE)),
    [],
  )
  const head = [
    { ...route, methods: ['GET'] },
    { ...route, methods: ['HEAD'] },
  ]
  const problems = problemsOf(() => parseConfiguration('g', JSON.stringify({ ...SMALL, routes: head }), LOOSE))
  t.match(problems, [/routes\[1\]\.path: HEAD "\/\*" belongs to routes\[0\] already/])
})

t.test('a file that cannot be read is told in one clear sentence', async (t) => {
  const dir = t.testdir({ 'empty.json': ' \n', 'latin1.json': Buffer.from([0x7b, 0xe9, 0x7d]), folder: {} })
  writeFileSync(join(dir, 'large.json'), Buffer.alloc(4 * 1024 ** 2 + 1, ' '))
  symlinkSync('circle', join(dir, 'circle'))
  const cases: [string, RegExp][] = [
    ['none.json', /none\.json: cannot be read: there is no such file$/],
    ['folder', /folder: cannot be read: it is a folder, not a file$/],
    ['empty.json', /empty\.json: is empty; write at least/],
    ['latin1.json', /latin1\.json: is not UTF-8 text/],
    ['large.json', /large\.json: is larger than 4 MB$/],
    ['empty.json/x', /x: cannot be read: a part of its path is not a folder$/],
    ['circle', /circle: cannot be read: its links go in a circle$/],
  ]
  for (const [name, says] of cases) {
    const problems = problemsOf(() => loadConfiguration(join(dir, name), LOOSE))
    t.equal(problems.length, 1, name)
    t.match(problems[0], says, name)
  }
})

t.test('a byte order mark is no mistake', async (t) => {
  const dir = t.testdir({ 'g.json': `\ufeff${JSON.stringify(SMALL)}` })
  t.equal(loadConfiguration(join(dir, 'g.json'), LOOSE).configuration.routes.length, 1)
})

t.test('files and secrets that are named must be there, and be private', async (t) => {
  const dir = t.testdir({ 'a.pem': 'x', 'a.key': 'x', 'empty.pem': '', 'accounts.json': '{}', file: 'x' })
  chmodSync(join(dir, 'a.key'), 0o644)
  chmodSync(join(dir, 'accounts.json'), 0o600)
  const file = (name: string): string => join(dir, name)
  const text = JSON.stringify(
    {
      listeners: {
        public: {
          address: '127.0.0.1:1',
          tls: {
            certificates: [
              { cert: file('a.pem'), key: file('a.key'), passphrase: { env: 'NOT_SET' } },
              { cert: file('empty.pem'), key: file('none.key') },
            ],
          },
        },
        transcripts: {
          address: '127.0.0.1:2',
          signIn: { accounts: file('accounts.json') },
          roles: { reader: { read: [{ paths: ['**'] }] } },
          source: { folder: file('file') },
        },
      },
      services: { chat: { endpoints: ['https://a:1'], tls: { ca: file('none.pem') } } },
      routes: SMALL.routes,
      limits: { store: { redis: { url: { env: 'REDIS_URL' } } } },
    },
    null,
    1,
  )
  const problems = problemsOf(() => parseConfiguration('g', text, { env: { REDIS_URL: 'http://:hunter2@x' } }))
  t.match(problems, [
    /^g:9:\d+ listeners\.public\.tls\.certificates\[0\]\.key: the file ".*a\.key" can be read by other users \(mode 0644\); run: chmod 600 /,
    /passphrase\.env: the environment variable NOT_SET is not set$/,
    /certificates\[1\]\.cert: the file ".*empty\.pem" is empty$/,
    /certificates\[1\]\.key: the file ".*none\.key" cannot be read: there is no such file$/,
    /transcripts\.source\.folder: ".*file" is not a folder$/,
    /services\.chat\.tls\.ca: the file ".*none\.pem" cannot be read/,
    /limits\.store\.redis\.url: what the reference leads to is not a redis:\/\/, rediss:\/\/ or unix:\/\/\/ URL$/,
  ])
  t.equal(problems.length, 7)
  t.notMatch(problems.join('\n'), 'hunter2')
  t.same(
    problemsOf(() => parseConfiguration('g', text, LOOSE)),
    [],
    'and only where they are asked for',
  )
})

t.test('a secret is read as it is meant, or not at all', async (t) => {
  const dir = t.testdir({
    unix: 'hunter2\n',
    windows: 'hunter2\r\n',
    two: 'hunter2\n\n',
    empty: '\n',
    binary: Buffer.from([0xff, 0xfe]),
    large: 'x'.repeat(65_537),
    open: 'hunter2',
  })
  const path = (name: string): string => join(dir, name)
  for (const name of ['unix', 'windows', 'two', 'empty', 'binary', 'large']) chmodSync(path(name), 0o600)
  chmodSync(path('open'), 0o640)
  mkdirSync(path('folder'))
  t.equal(readSecret({ file: path('unix') }, {}), 'hunter2')
  t.equal(readSecret({ file: path('windows') }, {}), 'hunter2')
  t.equal(readSecret({ file: path('two') }, {}), 'hunter2\n', 'one line break only')
  t.equal(readSecret({ env: 'S' }, { S: 'hunter2' }), 'hunter2')
  const refused: [string, RegExp][] = [
    ['empty', /is empty$/],
    ['binary', /is not UTF-8 text$/],
    ['large', /is larger than 64 KB$/],
    ['open', /can be read by other users \(mode 0640\); run: chmod 600 .*open$/],
    ['folder', /it is a folder/],
    ['none', /there is no such file/],
  ]
  for (const [name, says] of refused) {
    const problems = problemsOf(() => readSecret({ file: path(name) }, {}))
    t.match(problems, [says], name)
    t.notMatch(problems.join(), 'hunter2')
  }
  t.match(lookUpSecret({ env: 'S' }, {}).problem, /the environment variable S is not set/)
  t.match(lookUpSecret({ env: 'S' }, { S: '' }).problem, /the environment variable S is empty/)
  t.match(lookUpSecret({ env: 'toString' }, {}).problem, /toString is not set/, 'no inherited member')
})

t.test('the URL of Redis comes from the file or from a reference', async (t) => {
  const store = (url: string | { env: string } | null) => ({
    ...(url === null ? {} : { redis: { url, prefix: 'p', timeout: 50 } }),
    onOutage: 'local' as const,
    ipv6Prefix: 64,
  })
  t.equal(readRedisAccess(store(null), {}), null)
  t.equal(readRedisAccess(store('redis://127.0.0.1:6379'), {})?.url, 'redis://127.0.0.1:6379')
  t.equal(readRedisAccess(store({ env: 'R' }), { R: 'rediss://:hunter2@h' })?.url, 'rediss://:hunter2@h')
  const problems = problemsOf(() => readRedisAccess(store({ env: 'R' }), { R: 'hunter2' }))
  t.match(problems, [/limits\.store\.redis\.url: .* is not a redis:/])
  t.notMatch(problems.join(), 'hunter2')
})

/** Cuts, doubles, swaps and replaces pieces of a good file. */
const mutation = fc.array(
  fc.record({
    at: fc.nat(),
    length: fc.nat({ max: 60 }),
    by: fc.oneof(
      fc.constantFrom(
        '',
        '{',
        '}',
        '[',
        ']',
        ',',
        ':',
        '"',
        '\\',
        '//',
        '/*',
        'null',
        'true',
        '-1',
        '1e999',
        '""',
        '{}',
        '[]',
        '"__proto__": 1,',
        '"constructor": {},',
        '\u0000',
        '\ud800',
      ),
      fc.string({ unit: 'binary', maxLength: 8 }),
      fc.nat().map((at) => SITE.slice(at % SITE.length, (at % SITE.length) + 40)),
    ),
  }),
  { minLength: 1, maxLength: 6 },
)

t.test('nothing but a ConfigurationError is thrown, whatever the text', async (t) => {
  let refused = 0
  fc.assert(
    fc.property(mutation, (edits) => {
      let text = SITE
      for (const { at, length, by } of edits) {
        const start = at % (text.length + 1)
        text = text.slice(0, start) + by + text.slice(start + length)
      }
      const problems = problemsOf(() => parseConfiguration('g', text, LOOSE))
      refused += problems.length > 0 ? 1 : 0
      for (const problem of problems) {
        if (!/^g(?::\d+:\d+(?: \S.*?)?)?: ./s.test(problem)) throw new Error(`without a place: ${problem}`)
        if (problem.includes('undefined') || problem.includes('[object')) throw new Error(`no sentence: ${problem}`)
      }
    }),
    { numRuns: 1500, seed: 20_261_101 },
  )
  t.ok(refused > 500, `${refused} were refused`)
})

t.test('any value in the place of any other is refused or accepted, in words', async () => {
  const value = fc.jsonValue({ maxDepth: 2 })
  const paths: (string | number)[][] = []
  const walk = (node: unknown, path: (string | number)[]): void => {
    paths.push(path)
    if (typeof node !== 'object' || node === null) return
    for (const [key, each] of Object.entries(node)) walk(each, [...path, Array.isArray(node) ? Number(key) : key])
  }
  const site: unknown = JSON.parse(SITE.replace(/\/\/ .*/, ''))
  walk(site, [])
  fc.assert(
    fc.property(fc.constantFrom(...paths.filter((path) => path.length > 0)), value, (path, replacement) => {
      const copy = structuredClone(site)
      let parent = copy as Record<string | number, unknown>
      for (const segment of path.slice(0, -1)) parent = parent[segment] as Record<string | number, unknown>
      parent[path.at(-1)!] = replacement
      for (const problem of problemsOf(() => parseConfiguration('g', JSON.stringify(copy), LOOSE))) {
        if (problem.includes('undefined') || problem.includes('Invalid input')) throw new Error(problem)
      }
    }),
    { numRuns: 1500, seed: 20_261_101 },
  )
})
