/**
 * The file of the key ring, read and written: docs/keys.md describes it. Everything wrong with it is told by key id, never by
 * value. It derives nothing and seals nothing.
 */
import { readBounded } from '../config/file-reader.ts'
import { ConfigurationError } from '../errors.ts'
import { type KeyProvider, PLAIN } from './key-material.ts'
import { idOf, KeyRing, type RingKey } from './key-ring.ts'
import { weaknessOf } from './key-strength.ts'

const MAX_BYTES = 65_536
export const MAX_KEYS = 64
const KIND = 'key ring'
const VERSION = 1
const ID = /^[0-9a-f]{8}$/
const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,3})?Z$/

/** Reads and checks a ring. Throws ConfigurationError with every problem. */
export function loadKeyRing(path: string, provider: KeyProvider = PLAIN): KeyRing {
  const bytes = readBounded(path, { maxBytes: MAX_BYTES, isSecret: true })
  if (typeof bytes === 'string') {
    const hint = bytes.includes('no such file') ? '; make it with `portcullis keys init`' : ''
    throw new ConfigurationError([`${path}: ${bytes}${hint}`])
  }
  let value: unknown
  try {
    value = JSON.parse(bytes.toString('utf8'))
  } catch {
    // The parser's message would quote the file.
    throw new ConfigurationError([`${path}: is not valid JSON`])
  } finally {
    bytes.fill(0)
  }
  const problems: string[] = []
  const ring = readRing(value, provider, problems)
  if (ring === null) throw new ConfigurationError(problems.map((problem) => `${path}: ${problem}`))
  return ring
}

export function ringText(keys: readonly RingKey[], primary: RingKey, provider: KeyProvider = PLAIN): string {
  const entries = keys.map(({ id, created, key }) => ({
    id,
    created,
    material: { [provider.form]: provider.wrap(key) },
  }))
  return `${JSON.stringify({ portcullis: KIND, version: VERSION, primary: primary.id, keys: entries }, null, 2)}\n`
}

function readRing(value: unknown, provider: KeyProvider, problems: string[]): KeyRing | null {
  if (!isObject(value) || value.portcullis !== KIND) {
    problems.push('is no key ring; make one with `portcullis keys init`')
    return null
  }
  if (value.version !== VERSION) {
    problems.push(`is a key ring of version ${JSON.stringify(value.version)}; this program reads version ${VERSION}`)
    return null
  }
  refuseOthers(value, ['portcullis', 'version', 'primary', 'keys'], 'the ring', problems)
  if (!Array.isArray(value.keys) || value.keys.length === 0 || value.keys.length > MAX_KEYS) {
    problems.push(`must have a list "keys" of 1 to ${MAX_KEYS}`)
    return null
  }
  const keys = value.keys.map((each, i) => readKey(each, i, provider, problems)).filter((each) => each !== null)
  const ids = new Set(keys.map(({ id }) => id))
  if (ids.size < keys.length) problems.push('holds a key twice')
  const primary = keys.find(({ id }) => id === value.primary)
  if (primary === undefined) problems.push('"primary" names none of its keys')
  return primary === undefined || problems.length > 0 ? null : new KeyRing(keys, primary)
}

function readKey(value: unknown, index: number, provider: KeyProvider, problems: string[]): RingKey | null {
  const place = `keys[${index}]`
  const before = problems.length
  if (!isObject(value) || !isObject(value.material)) {
    problems.push(`${place} must be { "id", "created", "material" }`)
    return null
  }
  const { id, created, material } = value
  refuseOthers(value, ['id', 'created', 'material'], place, problems)
  refuseOthers(material, [provider.form], `${place}.material`, problems)
  if (typeof id !== 'string' || !ID.test(id)) problems.push(`${place}.id is not eight hex digits`)
  if (typeof created !== 'string' || !TIME.test(created)) problems.push(`${place}.created is not a time in UTC`)
  const text = material[provider.form]
  const key = typeof text === 'string' ? provider.unwrap(text) : `has no ${JSON.stringify(provider.form)}`
  if (typeof key === 'string') problems.push(`${place}.material ${key}`)
  if (typeof key === 'string' || problems.length > before) return null
  const weakness = weaknessOf(key)
  if (weakness !== null) problems.push(`${place}: the key ${weakness}; make another with \`portcullis keys rotate\``)
  else if (idOf(key) !== id) problems.push(`${place}: the key is not the one of its id: it was damaged or exchanged`)
  return problems.length > before ? null : { id: id as string, created: created as string, key }
}

function refuseOthers(value: object, known: readonly string[], place: string, problems: string[]): void {
  for (const name of Object.keys(value)) {
    if (known.includes(name)) continue
    problems.push(`${place} has an unknown member ${JSON.stringify(name.slice(0, 40))}`)
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
