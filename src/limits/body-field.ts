/**
 * One field of a request's body, for limits that count by it: a member of a JSON object, or of a form. Read so that two
 * spellings of one name count together, and nothing that another parser might read otherwise. Knows no limit.
 */
import type { Exchange } from '../exchange/exchange.ts'
import { mediaType } from '../exchange/guard.ts'
import { hasHeader } from '../http/headers.ts'

/** Bytes of a body that limits look into; a larger one is refused with 413. */
export const MAX_COUNTED_BODY = 64 * 1024

/**
 * The value, in lower case, normalised (NFKC) and trimmed; null where there is none. `repeated`: the field stands there
 * twice, and the service may take the other one.
 */
export function readBodyField(x: Exchange, name: string): { readonly value: string } | 'repeated' | null {
  const body = x.bodyBytes
  if (body === null || body.length === 0 || hasHeader(x.headers, 'content-encoding')) return null
  const type = mediaType(x)
  const text = body.toString('utf8')
  if (type === 'application/x-www-form-urlencoded') {
    const values = new URLSearchParams(text).getAll(name)
    return values.length > 1 ? 'repeated' : told(values[0])
  }
  if (type !== 'application/json' && !type.endsWith('+json')) return null
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return null
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null
  if (countMembers(text, name) > 1) return 'repeated'
  return told(Object.hasOwn(value, name) ? (value as Record<string, unknown>)[name] : undefined)
}

function told(value: unknown): { readonly value: string } | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null
  const normal = String(value).normalize('NFKC').trim().toLowerCase()
  return normal === '' ? null : { value: normal }
}

/** How often the outermost object has a member of this name, escapes and all. `text` is valid JSON. */
export function countMembers(text: string, name: string): number {
  const token = /"(?:[^"\\]|\\.)*"|[{}[\],]/gs
  let depth = 0
  let isKey = false
  let found = 0
  for (let match = token.exec(text); match !== null; match = token.exec(text)) {
    const each = match[0]
    if (each === '{' || each === '[') {
      depth++
      isKey = each === '{'
    } else if (each === '}' || each === ']') depth--
    else if (each === ',') isKey = depth === 1
    else {
      if (isKey && depth === 1 && JSON.parse(each) === name) found++
      isKey = false
    }
  }
  return found
}
