/** The JSON Schema of the configuration file, for editors. It says what the file may hold, not what the gateway makes of it. */
import { z } from 'zod'
import { configuration } from './shape.ts'

/** JSON Schema, draft 2020-12, of the file as it is written: units are texts, whatever has a default may be left out. */
export function jsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(configuration, { io: 'input', target: 'draft-2020-12', unrepresentable: 'throw' })
  return { ...schema, title: 'portcullis configuration' }
}

/** As it stands in config/gateway.schema.json. */
export function jsonSchemaText(): string {
  return `${JSON.stringify(jsonSchema(), null, 2)}\n`
}
