/** The key ring of a plan, and what is made with it. It knows no route. */
import type { Configuration } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import type { KeyRing } from '../keys/key-ring.ts'
import { loadKeyRing } from '../keys/ring-file.ts'
import { UrlTokens } from '../keys/url-token.ts'
import type { Findings } from './standing.ts'

export interface Keys {
  readonly ring: KeyRing
  readonly tokens: UrlTokens
  /** Kinds of sealed identifiers, and how long their tokens live, in milliseconds. */
  readonly kinds: ReadonlyMap<string, number>
}

/** Null where none is configured, or where its problem is told. */
export function openKeys(config: Configuration, findings: Findings): Keys | null {
  if (config.keys === undefined) return null
  const path = config.keys.ring
  findings.files.push(path)
  const ring = findings.attempt(() => loadKeyRing(path))
  if (ring === null) return null
  const kinds = new Map(Object.entries(config.sealed).map(([name, { expires }]) => [name, expires]))
  return { ring, tokens: new UrlTokens(ring), kinds }
}

/** Throws an empty ConfigurationError where there are none: why, is told already. */
export function neededKeys(keys: Keys | null): Keys {
  if (keys === null) throw new ConfigurationError([])
  return keys
}
