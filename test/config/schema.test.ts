/** The published schema and reference say what the loader does. */
import { readFileSync } from 'node:fs'
import t from 'tap'
import { referenceText } from '../../src/config/reference.ts'
import { jsonSchema, jsonSchemaText } from '../../src/config/schema.ts'

const published = (name: string): string => readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8')

t.test('the published files are current', async (t) => {
  const how = 'run: node scripts/generate.ts'
  t.ok(published('config/gateway.schema.json') === jsonSchemaText(), how)
  t.ok(published('docs/configuration.md') === referenceText(), how)
})

interface Part {
  type?: string
  properties?: Record<string, Part>
  additionalProperties?: unknown
  description?: string
  title?: string
  default?: unknown
  [more: string]: unknown
}

function visit(part: unknown, path: string, seen: (part: Part, path: string) => void): void {
  if (typeof part !== 'object' || part === null) return
  if (!Array.isArray(part)) seen(part as Part, path)
  for (const [key, each] of Object.entries(part)) if (key !== 'default') visit(each, `${path}/${key}`, seen)
}

t.test('the schema refuses unknown keys wherever keys are fixed', async (t) => {
  let objects = 0
  visit(jsonSchema(), '', (part, path) => {
    if (part.type !== 'object') return
    objects++
    t.not(part.additionalProperties, undefined, `${path || '/'} says what other keys mean`)
  })
  t.ok(objects > 20, `${objects} objects`)
})

t.test('the schema describes and gives defaults', async (t) => {
  const schema = jsonSchema() as Part
  t.equal(schema.$schema, 'https://json-schema.org/draft/2020-12/schema')
  t.equal(schema.title, 'portcullis configuration')
  visit(schema, '', (part, path) => {
    for (const [key, each] of Object.entries(part.properties ?? {})) {
      if (part.type === 'object') t.ok(each.description, `${path}/${key} is described`)
    }
  })
  const route = (schema.properties!.routes as { items: Part }).items.properties!
  t.equal(route.maxBody?.default, '64 KB', 'as it is written, not as it is kept')
  t.equal(route.maxBody?.title, 'size')
})

t.test('the reference has a line for every setting', async (t) => {
  const text = referenceText()
  for (const setting of [
    'listeners.NAME.timeouts.headers',
    'routes[].maxBody',
    'limits.store.redis.url',
    'drain.timeout',
  ]) {
    t.match(text, new RegExp(`^\\| \`${setting.replace(/[[\].]/g, '\\$&')}\` \\| [^|]+ \\| [^|]+ \\| [^|]+ \\|$`, 'm'))
  }
  t.notMatch(text, /\| {2}\|\n/, 'no setting without a meaning')
})
