/**
 * Makes URL tokens for the chat services: a list of values in, tokens out. It never says back what was sent, and writes no
 * value into any log.
 */
import { isUtf8 } from 'node:buffer'
import type { AuditLog, Metrics, Responder } from '../exchange/contracts.ts'
import type { Exchange } from '../exchange/exchange.ts'
import { problemOfValue, type UrlTokens } from './url-token.ts'

export const MAX_ENDPOINT_BYTES = 262_144
const MOST_VALUES = 100

export interface TokenEndpointOptions {
  readonly tokens: UrlTokens
  /** Kinds, and how long their tokens live, in milliseconds. */
  readonly kinds: ReadonlyMap<string, number>
  readonly audit: AuditLog
  readonly metrics: Metrics
}

/** Answers 200 `{ "tokens": [{ "token", "expires" }] }`, in the order of the values; 422 for anything else. */
export function makeTokenEndpoint(options: TokenEndpointOptions): Responder {
  return (x) => x.collectBody(MAX_ENDPOINT_BYTES, (body) => answer(x, body, options))
}

function answer(x: Exchange, body: Buffer, { tokens, kinds, audit, metrics }: TokenEndpointOptions): void {
  const asked = readRequest(body, kinds)
  const line = { user: x.user === '' ? '-' : x.user, address: x.clientAddress, requestId: x.id }
  if (typeof asked === 'string') {
    audit.record({ ...line, event: 'sensitive_create', outcome: 'failure', object: 'url tokens', reason: asked })
    return x.refuse('seal-refused', asked)
  }
  const { kind, values } = asked
  const lifeMs = kinds.get(kind)!
  audit.record({
    ...line,
    event: 'sensitive_create',
    outcome: 'success',
    object: `url tokens of kind ${kind}`,
    reason: `${values.length}`,
  })
  for (const _ of values) metrics.count('url_tokens_total', 'sealed')
  const expires = new Date(Date.now() + lifeMs).toISOString()
  const made = values.map((value) => ({ token: tokens.seal(kind, value, lifeMs), expires }))
  x.respond(
    200,
    ['content-type', 'application/json', 'cache-control', 'no-store'],
    Buffer.from(`${JSON.stringify({ tokens: made })}\n`),
  )
}

/** What was asked for, or what is wrong with it in words that hold nothing of it. */
function readRequest(
  body: Buffer,
  kinds: ReadonlyMap<string, number>,
): { readonly kind: string; readonly values: readonly string[] } | string {
  let value: unknown
  try {
    value = isUtf8(body) ? JSON.parse(body.toString()) : null
  } catch {
    value = null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return 'not a JSON object'
  const { kind, values, ...others } = value as Record<string, unknown>
  if (Object.keys(others).length > 0) return 'unknown members'
  if (typeof kind !== 'string' || !kinds.has(kind)) return 'no such kind'
  if (!Array.isArray(values) || values.length === 0 || values.length > MOST_VALUES) {
    return `"values" must be a list of 1 to ${MOST_VALUES}`
  }
  for (const each of values)
    if (typeof each !== 'string' || problemOfValue(each) !== null) return 'a value cannot be sealed'
  return { kind, values }
}
