/** The structure that docs/architecture.md promises: who may import whom, and what a file may look like. */
import { readdirSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { dirname, join, posix, relative } from 'node:path'
import t from 'tap'

const ROOT = join(import.meta.dirname, '..')
const SRC = join(ROOT, 'src')

const FEATURES = [
  'upstream',
  'limits',
  'messages',
  'defend',
  'access',
  'keys',
  'responders',
  'observe',
  'acme',
  'coding',
] as const

const FACTS = ['errors', 'http', 'cards', 'pki']
const CONFIGURED = [...FACTS, 'config']
/** `exchange` is where features meet; `data` is what others wrote down. */
const MEETING = [...CONFIGURED, 'exchange', 'data']
const ASSEMBLED = [...MEETING, ...FEATURES, 'plan', 'pipeline']

/** A layer is a folder of src, or a file directly in it; it may import itself and what stands here. */
const LAYERS: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  cards: [],
  pki: FACTS,
  http: FACTS,
  config: CONFIGURED,
  exchange: MEETING,
  listen: MEETING,
  ...Object.fromEntries(FEATURES.map((feature) => [feature, MEETING])),
  // The plan holds what a listener is opened with, its certificates among it.
  plan: [...ASSEMBLED, 'listen'],
  pipeline: ASSEMBLED,
  gateway: ['*'],
  'helper-threads': [],
  'young-generation': [],
  cluster: ['*'],
  cli: ['*'],
  main: ['*'],
}

/** The one door of each outside library: a file, or a folder (ends in a slash). */
const DOORS: Readonly<Record<string, string>> = {
  undici: 'upstream/',
  ioredis: 'limits/',
  'sanitize-html': 'messages/html.ts',
  bcryptjs: 'access/bcrypt.ts',
  jose: 'access/jws.ts',
  'openid-client': 'access/provider-client.ts',
  pino: 'observe/log.ts',
  zod: 'config/',
  'jsonc-parser': 'config/',
  pkijs: 'listen/ocsp.ts',
}

/** What `npm start` needs for the chat service behind the gateway. No door in src opens to it. */
const FOR_THE_DEMO = ['socket.io', 'ws']

/** Node's modules that start programs or run text as code: no request may ever lead there. */
const FORBIDDEN_BUILTINS = ['child_process', 'vm', 'inspector', 'repl']

/** What src reaches outside itself. The demo is started by the command, and is no part of the gateway. */
const OUTSIDE: Readonly<Record<string, string>> = { '../demo/start.ts': 'main.ts' }

const MOST_LINES = 350

const VAGUE = /^(?:utils?|helpers?|commons?|types|misc|shared|lib)$/

interface Import {
  /** A path inside src, or a package, or `node:...`. */
  readonly target: string
  readonly typeOnly: boolean
}

/** Text without comments; strings and the rest stay. */
function withoutComments(source: string): string {
  const token =
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\[\s\S]|[^`\\])*`|\/(?![*/])(?:\\.|\[(?:\\.|[^\]\\\n])*\]|[^/\\[\n])+\/[dgimsuvy]*/g
  return source.replace(token, (found) => (found.startsWith('/*') || found.startsWith('//') ? ' ' : found))
}

function importsOf(file: string, source: string): Import[] {
  const text = withoutComments(source)
  const found: Import[] = []
  const add = (target: string, typeOnly: boolean) => {
    found.push({ target: target.startsWith('.') ? posix.join(dirname(file), target) : target, typeOnly })
  }
  const statement = /(?:^|[;\n])\s*(?:import|export)\s+(type\s+)?(?:[\w*{][^'";]*?\sfrom\s*)?['"]([^'"]+)['"]/g
  for (const [, type, target] of text.matchAll(statement)) add(target!, type !== undefined)
  for (const [, target] of text.matchAll(/\bimport\s*\(\s*([^)]*)\)/g)) {
    const literal = /^['"]([^'"]+)['"]/.exec(target!)
    add(literal === null ? `computed: ${target}` : literal[1]!, false)
  }
  for (const [, target] of text.matchAll(/\brequire\s*\(\s*([^)]*)\)/g)) add(`required: ${target}`, false)
  return found
}

const layerOf = (path: string): string => path.split('/')[0]!.replace(/\.ts$/, '')

function packageOf(target: string): string {
  const parts = target.split('/')
  return target.startsWith('@') ? `${parts[0]}/${parts[1]}` : parts[0]!
}

/** What an import breaks; null where it is allowed. */
function breach(file: string, { target }: Import): string | null {
  const layer = layerOf(file)
  const inside =
    !target.startsWith('..') && /^[\w-]+(?:\/[\w.-]+)*\.(?:ts|json)$/.test(target) && !target.startsWith('node:')
  if (inside) {
    const other = layerOf(target)
    const allowed = LAYERS[layer] ?? []
    return other === layer || allowed.includes(other) || allowed.includes('*') ? null : `${file} imports ${target}`
  }
  if (target.startsWith('computed:') || target.startsWith('required:')) return `${file} loads ${target}`
  if (target.startsWith('..')) return OUTSIDE[target] === file ? null : `${file} imports ${target}, outside src`
  if (target.startsWith('node:')) {
    return FORBIDDEN_BUILTINS.includes(target.slice(5)) ? `${file} imports ${target}` : null
  }
  if (isBuiltin(target)) return `${file} imports ${target} without "node:"`
  const door = DOORS[packageOf(target)]
  if (door === undefined) return `${file} imports ${target}, which has no door`
  return file === door || (door.endsWith('/') && file.startsWith(door))
    ? null
    : `${file} imports ${target}, whose door is ${door}`
}

/** The first cycle among imports that exist at run time; null where there is none. */
function cycleIn(graph: ReadonlyMap<string, readonly string[]>): string[] | null {
  const done = new Set<string>()
  const walk = (file: string, path: string[]): string[] | null => {
    const at = path.indexOf(file)
    if (at >= 0) return [...path.slice(at), file]
    if (done.has(file)) return null
    for (const next of graph.get(file) ?? []) {
      const cycle = walk(next, [...path, file])
      if (cycle !== null) return cycle
    }
    done.add(file)
    return null
  }
  for (const file of graph.keys()) {
    const cycle = walk(file, [])
    if (cycle !== null) return cycle
  }
  return null
}

const files = readdirSync(SRC, { recursive: true, withFileTypes: true })
  .filter((entry) => entry.isFile())
  .map((entry) => relative(SRC, join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
  .sort()
const sources = new Map(
  files.filter((file) => file.endsWith('.ts')).map((file) => [file, readFileSync(join(SRC, file), 'utf8')]),
)
const imports = new Map([...sources].map(([file, source]) => [file, importsOf(file, source)]))

t.test('every file is in a layer that is known', (t) => {
  t.ok(sources.size > 10)
  const known = new Set([...Object.keys(LAYERS), 'data'])
  t.strictSame(
    files.filter((file) => !known.has(layerOf(file))),
    [],
  )
  t.strictSame(
    files.filter((file) => layerOf(file) === 'data' && !/\.(?:json|md)$/.test(file)),
    [],
    'data is data',
  )
  t.strictSame(
    files.filter((file) => layerOf(file) !== 'data' && !file.endsWith('.ts')),
    [],
    'the rest is code',
  )
  t.end()
})

t.test('imports go down the layers, and each library has its one door', (t) => {
  const breaches = [...imports]
    .flatMap(([file, list]) => list.map((each) => breach(file, each)))
    .filter((each) => each !== null)
  t.strictSame(breaches, [])
  t.end()
})

t.test('features never import one another', (t) => {
  const own = (path: string) => FEATURES.find((feature) => path.startsWith(`${feature}/`))
  const crossed = [...imports].flatMap(([file, list]) =>
    list
      .filter(({ target }) => own(file) && own(target) && own(file) !== own(target))
      .map(({ target }) => `${file} ${target}`),
  )
  t.strictSame(crossed, [])
  t.end()
})

t.test('every import inside src leads to a file', (t) => {
  const there = new Set(files)
  const lost = [...imports].flatMap(([file, list]) =>
    list
      .filter(({ target }) => /\.(?:ts|json)$/.test(target) && !target.startsWith('..') && !there.has(target))
      .map(({ target }) => `${file} ${target}`),
  )
  t.strictSame(lost, [])
  t.end()
})

t.test('every dependency of the package has a door, and every door a dependency', (t) => {
  const { dependencies } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'))
  t.strictSame(Object.keys(dependencies).sort(), [...Object.keys(DOORS), ...FOR_THE_DEMO].sort())
  t.end()
})

t.test('nothing imports itself in a circle', (t) => {
  const graph = new Map(
    [...imports].map(([file, list]) => [file, list.filter(({ typeOnly }) => !typeOnly).map(({ target }) => target)]),
  )
  t.equal(cycleIn(graph), null)
  t.end()
})

t.test('names say what is inside', (t) => {
  const names = [...sources.keys()].flatMap((file) => file.replace(/\.ts$/, '').split('/'))
  t.strictSame(
    names.filter((name) => VAGUE.test(name)),
    [],
  )
  t.strictSame(
    names.filter((name) => name === 'index'),
    [],
    'no barrel files',
  )
  t.strictSame(
    names.filter((name) => !/^[a-z0-9]+(?:-[a-z0-9]+)*$/.test(name)),
    [],
    'kebab-case',
  )
  t.end()
})

t.test('every file begins by saying what it is', (t) => {
  const silent = [...sources]
    .filter(([, source]) => !/^(?:#!.*\n)?\/\*\*\s[\s\S]*?\w[\s\S]*?\*\//.test(source))
    .map(([file]) => file)
  t.strictSame(silent, [])
  t.end()
})

t.test('no file is too long to be read at once', (t) => {
  const length = (source: string) => source.trimEnd().split('\n').length
  const long = [...sources].filter(([, source]) => length(source) > MOST_LINES)
  t.strictSame(
    long.map(([file, source]) => `${file}: ${length(source)} lines`),
    [],
  )
  t.end()
})

t.test('no file passes on what others export', (t) => {
  const passing = [...sources].filter(([, source]) =>
    /^export\s+(?:type\s+)?(?:\*|\{[^}]*\})[^;\n]*\sfrom\s/m.test(withoutComments(source)),
  )
  t.strictSame(
    passing.map(([file]) => file),
    [],
  )
  t.end()
})

t.test('these tests can fail', (t) => {
  const read = (source: string) =>
    importsOf('limits/a.ts', source).map(({ target, typeOnly }) => (typeOnly ? `type ${target}` : target))
  t.strictSame(read("import { a,\n  b } from '../http/x.ts'\nimport type { C } from './c.ts'\nimport 'd'"), [
    'http/x.ts',
    'type limits/c.ts',
    'd',
  ])
  t.strictSame(read("import e, { type F } from 'e'\nexport * from './g.ts'\nexport type { H } from './h.ts'"), [
    'e',
    'limits/g.ts',
    'type limits/h.ts',
  ])
  t.strictSame(read("// import a from 'a'\n/* import b from 'b' */\nconst c = 'http://x' // from 'd'\n"), [])
  t.strictSame(read("import x from './x.json' with { type: 'json' }"), ['limits/x.json'])
  t.strictSame(read("await import('undici')\nawait import(name)\nrequire('y')"), [
    'undici',
    'computed: name',
    "required: 'y'",
  ])
  const broken = (file: string, target: string) => breach(file, { target, typeOnly: false }) !== null
  for (const [file, target] of [
    ['http/a.ts', 'config/b.ts'],
    ['config/a.ts', 'exchange/b.ts'],
    ['exchange/a.ts', 'limits/b.ts'],
    ['limits/a.ts', 'messages/b.ts'],
    ['listen/a.ts', 'observe/b.ts'],
    ['listen/a.ts', 'plan.ts'],
    ['pipeline.ts', 'listen/b.ts'],
    ['observe/a.ts', 'plan.ts'],
    ['exchange/a.ts', 'listen/b.ts'],
    ['plan.ts', 'main.ts'],
    ['errors.ts', 'http/headers.ts'],
    ['messages/a.ts', 'sanitize-html'],
    ['limits/a.ts', 'undici'],
    ['limits/a.ts', 'left-pad'],
    ['listen/self-signed.ts', '@peculiar/x509'],
    ['main.ts', 'node:child_process'],
    ['main.ts', 'fs'],
    ['main.ts', '../test/kit/redis.ts'],
    ['cli.ts', '../demo/start.ts'],
    ['main.ts', 'computed: name'],
  ] as const) {
    t.ok(broken(file, target), `${file} ${target}`)
  }
  for (const [file, target] of [
    ['limits/a.ts', 'exchange/contracts.ts'],
    ['limits/a.ts', 'limits/b.ts'],
    ['limits/a.ts', 'ioredis'],
    ['messages/html.ts', 'sanitize-html'],
    ['exchange/a.ts', 'data/owasp.json'],
    ['gateway.ts', 'listen/listener.ts'],
    ['main.ts', 'node:fs'],
  ] as const) {
    t.notOk(broken(file, target), `${file} ${target}`)
  }
  t.strictSame(
    cycleIn(
      new Map([
        ['a', ['b']],
        ['b', ['c']],
        ['c', ['b']],
      ]),
    ),
    ['b', 'c', 'b'],
  )
  t.equal(
    cycleIn(
      new Map([
        ['a', ['b', 'c']],
        ['b', ['c']],
      ]),
    ),
    null,
  )
  t.end()
})
