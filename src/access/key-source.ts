/** Where the keys of a provider come from: what it says of itself, a URL, or a file. It decides nothing about age. */
import type { IssuerConfig } from '../config/issuers-shape.ts'
import { fetchJson } from './https-request.ts'
import { type KeyTable, readKeySet } from './jws.ts'

/** `ca`: PEM, or null. Rejects with an Error whose message is for the log. */
export async function fetchKeys(config: IssuerConfig, ca: string | null): Promise<KeyTable> {
  const url = config.keys === 'discovery' ? await discoverKeys(config.issuer, ca) : new URL(urlOf(config.keys))
  return readKeySet(await fetchJson(url, ca), config.algorithms)
}

function urlOf(keys: Exclude<IssuerConfig['keys'], 'discovery'>): string {
  if ('url' in keys) return keys.url
  throw new Error('the keys are in a file')
}

/** OpenID Connect Discovery 1.0, 4: what calls itself by another name is not our provider. */
async function discover(issuer: string, ca: string | null): Promise<Readonly<Record<string, unknown>>> {
  const found = await fetchJson(new URL(`${issuer.replace(/\/$/, '')}/.well-known/openid-configuration`), ca)
  if (found.issuer !== issuer) throw new Error('the provider calls itself by another name than "issuer"')
  return found
}

async function discoverKeys(issuer: string, ca: string | null): Promise<URL> {
  const { jwks_uri: uri } = await discover(issuer, ca)
  const url = typeof uri === 'string' && URL.canParse(uri) ? new URL(uri) : null
  if (url === null || url.origin !== new URL(issuer).origin) {
    throw new Error('the key set is not where the issuer is; name it by "keys": { "url": ... }')
  }
  return url
}
