/** Resolves what the way to Redis needs besides the configuration: URL, passwords, certificates. It opens no connection. */
import { readFileSync } from 'node:fs'
import { ConfigurationError } from '../errors.ts'
import { type Environment, problemOfRedisUrl, readSecret } from './secrets.ts'
import type { SecretReference, StoreConfig } from './shape.ts'

/** Never logged. */
export interface RedisAccess {
  /** With its password; null with Sentinels or a Cluster. */
  readonly url: string | null
  readonly password: string | null
  readonly sentinelPassword: string | null
  /** PEM texts. */
  readonly ca: string | null
  readonly cert: string | null
  readonly key: string | null
  readonly passphrase: string | null
}

/** One server, and all that it needs stands in the URL. */
export function accessByUrl(url: string): RedisAccess {
  return { url, password: null, sentinelPassword: null, ca: null, cert: null, key: null, passphrase: null }
}

/** Null: counts are kept in memory. Throws ConfigurationError. */
export function readRedisAccess({ redis }: StoreConfig, env: Environment): RedisAccess | null {
  if (redis === undefined) return null
  const secret = (reference: SecretReference | undefined) =>
    reference === undefined ? null : readSecret(reference, env)
  const { url, tls } = redis
  const found = url === undefined || typeof url === 'string' ? (url ?? null) : readSecret(url, env)
  const problem = found === null ? null : problemOfRedisUrl(found)
  if (problem !== null) throw new ConfigurationError([`limits.store.redis.url: ${problem}`])
  if (found !== null && tls !== undefined && !found.startsWith('rediss:')) {
    throw new ConfigurationError(['limits.store.redis.tls: is for TLS, but the URL is not a rediss:// URL'])
  }
  return {
    url: found,
    password: secret(redis.password),
    sentinelPassword: secret(redis.sentinel?.password),
    ca: textOf(tls?.ca),
    cert: textOf(tls?.cert),
    key: textOf(tls?.key),
    passphrase: secret(tls?.passphrase),
  }
}

function textOf(file: string | undefined): string | null {
  if (file === undefined) return null
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new ConfigurationError([
      `limits.store.redis.tls: the file ${JSON.stringify(file)}: ${(error as Error).message}`,
    ])
  }
}
