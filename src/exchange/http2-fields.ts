/** Field lists as HTTP/2 may carry them, and as node wants them. It knows no stream. */
import { type HeaderList, TOKEN } from '../http/headers.ts'

/** Names lower-case tokens, values without control characters (RFC 9113, 8.2.1), no connection-specific fields (8.2.2). */
export function soundFields(headers: HeaderList): boolean {
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    if (!TOKEN.test(name) || name !== name.toLowerCase()) return false
    if (/[\0-\x08\x0a-\x1f\x7f]/.test(value) || /^[\t ]|[\t ]$/.test(value)) return false
    if (FORBIDDEN_FIELDS.has(name) || (name === 'te' && value !== 'trailers')) return false
  }
  return true
}

const FORBIDDEN_FIELDS = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade'])

/** One line for each name; of Set-Cookie, whose lines cannot be joined, all. */
export function joinLines(headers: HeaderList): HeaderList {
  const out: HeaderList = []
  const places = new Map<string, number>()
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const place = name === 'set-cookie' ? undefined : places.get(name)
    if (place !== undefined) out[place] += `, ${headers[i + 1]!}`
    else {
      places.set(name, out.length + 1)
      out.push(name, headers[i + 1]!)
    }
  }
  return out
}

/** An object, as node's functions for trailers and interim answers take it. */
export function record(headers: HeaderList): Record<string, string | string[]> {
  const out: Record<string, string | string[]> = {}
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i]!
    const value = headers[i + 1]!
    const before = out[name]
    if (before === undefined) out[name] = value
    else if (Array.isArray(before)) before.push(value)
    else out[name] = [before, value]
  }
  return out
}
