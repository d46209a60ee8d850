/**
 * Writes the files that are made from the configuration's declaration: the JSON Schema and the reference. With --check
 * it writes nothing and exits 1 where one of them is not what it would write.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { referenceText } from '../src/config/reference.ts'
import { jsonSchemaText } from '../src/config/schema.ts'

const FILES = [
  { name: 'config/gateway.schema.json', text: jsonSchemaText },
  { name: 'docs/configuration.md', text: referenceText },
]
const isCheck = process.argv.includes('--check')

for (const { name, text } of FILES) {
  const file = new URL(`../${name}`, import.meta.url)
  const wanted = text()
  let found = ''
  try {
    found = readFileSync(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
  if (found === wanted) continue
  if (isCheck) {
    console.error(`${name} is stale; run: npm run generate`)
    process.exitCode = 1
  } else {
    writeFileSync(file, wanted)
    console.log(`wrote ${name}`)
  }
}
