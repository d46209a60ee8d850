// The documents say what is so: links lead somewhere, files that they name exist, every row of the contract has its line.
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t from 'tap'

const root = fileURLToPath(new URL('../../', import.meta.url))
const documents = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'certs/README.md',
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
]
const read = (path: string) => readFileSync(join(root, path), 'utf8')

for (const document of documents)
  t.test(document, async (t) => {
    const text = read(document)
    const links = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((found) => found[1]!)
    const here = dirname(join(root, document))
    const broken = links.filter((link) => !/^https?:/.test(link) && !existsSync(join(here, link)))
    t.same(broken, [], 'links lead somewhere')
    const named = [...text.matchAll(/`((?:src|test|scripts|deploy|bin)\/[\w./-]+\.(?:ts|js|sh|json|conf))`/g)]
    const missing = [...new Set(named.map((found) => found[1]!))].filter(
      (path) => !path.startsWith('deploy/secrets/') && !existsSync(join(root, path)),
    )
    t.same(missing, [], 'files that are named exist')
  })

t.test('README.md leads to every page', async (t) => {
  const readme = read('README.md')
  const pages = documents.filter((path) => path.startsWith('docs/'))
  t.same(
    pages.filter((path) => !readme.includes(`](${path})`)),
    [],
  )
})

t.test('compliance.md has one row for every id', async (t) => {
  const range = (letter: string, ...numbers: number[]) => numbers.map((number) => `${letter}${number}`)
  const ids = [
    ...range('A', 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13),
    ...range('C', 4, 5, 7),
    ...range('P', 1, 2, 3, 4, 6, 7, 8, 10, 11),
  ]
  const rows = read('docs/compliance.md')
    .split('\n')
    .map((line) => line.split('|').map((cell) => cell.trim()))
    .filter((cells) => /^[ACP]\d+$/.test(cells[1] ?? ''))
  t.same(
    rows.map((cells) => cells[1]),
    ids,
  )
  for (const cells of rows) {
    t.equal(cells.length, 8, `${cells[1]} has every column`)
    t.match(cells[2], /^(?:met|partly|not yet)/, `${cells[1]} says where it stands`)
    if (/^(?:met|partly)/.test(cells[2]!)) t.match(cells[5], /`test\/[^`]+`/, `${cells[1]} names its test`)
    t.not(cells[6], '', `${cells[1]} says what stays with the operator`)
  }
})

t.test('architecture.md: the map of files has every file of src, and no other', async (t) => {
  const [, map = ''] = (read('docs/architecture.md').split('## Files')[1] ?? '').split('```')
  const named: string[] = []
  let folder = ''
  for (const line of map.split('\n')) {
    folder = /^src\/\S*/.exec(line)?.[0] ?? folder
    const file = /^ {2}(\S+\.ts) +\S/.exec(line)?.[1]
    if (file !== undefined) named.push(folder + file)
  }
  const files = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `src/${name}`)
  t.same(named.toSorted(), files.toSorted())
})

t.test('CONTRIBUTING.md gives every dependency its reason, and no other', async (t) => {
  const { dependencies, devDependencies, optionalDependencies } = JSON.parse(read('package.json')) as Record<
    'dependencies' | 'devDependencies' | 'optionalDependencies',
    Record<string, string>
  >
  const declared = Object.keys({ ...dependencies, ...devDependencies, ...optionalDependencies })
  const [, section = ''] = read('CONTRIBUTING.md').split('## Dependencies')
  const listed = [...section.matchAll(/^\| ([^|]+) \|/gm)]
    .flatMap((found) => found[1]!.replace(' (optional)', '').split(', '))
    .filter((name) => name !== 'package')
  t.same(listed.toSorted(), declared.toSorted())
})
