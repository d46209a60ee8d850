/** Resolves references to secrets. What it returns is never logged; what it says on failure never holds a secret. */
import { isUtf8 } from 'node:buffer'
import { ConfigurationError } from '../errors.ts'
import { readBounded } from './file-reader.ts'
import type { SecretReference } from './shape.ts'

export type Environment = Readonly<Record<string, string | undefined>>

const MAX_BYTES = 65_536

/** The secret, or a sentence that says why there is none. */
export type SecretResult =
  | { readonly value: string; readonly problem: null }
  | { readonly value: null; readonly problem: string }

const failed = (problem: string): SecretResult => ({ value: null, problem })

/** Looks a secret up without throwing. One line break at the end of a file is not part of the secret. */
export function lookUpSecret(reference: SecretReference, env: Environment): SecretResult {
  if ('env' in reference) {
    const value = Object.hasOwn(env, reference.env) ? env[reference.env] : undefined
    if (value === undefined) return failed(`the environment variable ${reference.env} is not set`)
    if (value === '') return failed(`the environment variable ${reference.env} is empty`)
    if (Buffer.byteLength(value) > MAX_BYTES)
      return failed(`the environment variable ${reference.env} is larger than 64 KB`)
    return { value, problem: null }
  }
  const bytes = readBounded(reference.file, { maxBytes: MAX_BYTES, isSecret: true })
  const file = JSON.stringify(reference.file)
  if (typeof bytes === 'string') return failed(`the file ${file} ${bytes}`)
  if (!isUtf8(bytes)) return failed(`the file ${file} is not UTF-8 text`)
  const value = bytes.toString('utf8').replace(/\r?\n$/, '')
  return value === '' ? failed(`the file ${file} is empty`) : { value, problem: null }
}

/** The secret; throws ConfigurationError with one sentence. */
export function readSecret(reference: SecretReference, env: Environment): string {
  const found = lookUpSecret(reference, env)
  if (found.problem !== null) throw new ConfigurationError([`secret: ${found.problem}`])
  return found.value
}

const REDIS_URL = /^(?:rediss?:\/\/|unix:\/\/\/)[^\s]+$/

/** A sentence where a secret is no Redis URL; null where it is one. It does not repeat the URL. */
export function problemOfRedisUrl(url: string): string | null {
  if (REDIS_URL.test(url) && URL.canParse(url) && /^\/?[0-9]{0,5}$/.test(databaseOf(new URL(url)))) return null
  return 'what the reference leads to is not a redis://, rediss:// or unix:/// URL'
}

function databaseOf(url: URL): string {
  return url.protocol === 'unix:' ? (url.searchParams.get('db') ?? '') : url.pathname
}
