/**
 * What an Engine.IO request says of itself in its query: version, transport, and whether it is an old client's form post.
 * Whatever a server could read in another way is no Engine.IO. It knows no body.
 */

export interface EngineRequest {
  readonly version: 3 | 4
  readonly transport: 'polling' | 'websocket'
  /** Long-polling by script tags and forms (`j`), of clients before Engine.IO 4. */
  readonly isJsonp: boolean
}

/** Query parsers stop at different counts. */
const MAX_PARAMETERS = 100
/** Names that steer a server; in another case or with brackets behind, some server might take them for the same. */
const STEERING = /^(?:eio|transport|sid|j|b64)(?:[^a-z0-9_-]|$)/i
const KNOWN: ReadonlySet<string> = new Set(['EIO', 'transport', 'sid', 'j', 'b64'])

/** Null for what is not clearly a request of Engine.IO 3 or 4; without `EIO` a server may take either version. */
export function readEngineQuery(query: string): EngineRequest | null {
  const parameters = new URLSearchParams(query)
  if (parameters.size > MAX_PARAMETERS) return null
  const seen = new Map<string, string>()
  for (const [name, value] of parameters) {
    if (!STEERING.test(name)) continue
    if (!KNOWN.has(name) || seen.has(name)) return null
    seen.set(name, value)
  }
  const version = seen.get('EIO')
  const transport = seen.get('transport')
  const index = seen.get('j')
  if (version !== '3' && version !== '4') return null
  if (transport !== 'polling' && transport !== 'websocket') return null
  if (index !== undefined && (version !== '3' || transport !== 'polling' || !/^\d{1,9}$/.test(index))) return null
  return { version: version === '3' ? 3 : 4, transport, isJsonp: index !== undefined }
}
