/** Header fields as a flat list, and the facts about names that every HTTP version shares. Knows no gateway. */

/** [name, value, name, value, ...]: lower-case names, order and duplicates kept. */
export type HeaderList = string[]

/** The fields as HTTP/1.x writes them, each line with its CRLF. */
export function fieldLines(headers: HeaderList): string {
  let lines = ''
  for (let i = 0; i < headers.length; i += 2) lines += `${headers[i]!}: ${headers[i + 1]!}\r\n`
  return lines
}

/** First value of a field; null where there is none. `name` must be lower case. */
export function getHeader(headers: HeaderList, name: string): string | null {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return headers[i + 1]!
  return null
}

/** True where the field stands in the list at least once. */
export function hasHeader(headers: HeaderList, name: string): boolean {
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) return true
  return false
}

/** A list without the fields that `drops` names. */
export function withoutFields(headers: HeaderList, drops: (name: string) => boolean): HeaderList {
  const kept: HeaderList = []
  for (let i = 0; i < headers.length; i += 2) if (!drops(headers[i]!)) kept.push(headers[i]!, headers[i + 1]!)
  return kept
}

/** How often a field stands in the list. */
export function countHeader(headers: HeaderList, name: string): number {
  let found = 0
  for (let i = 0; i < headers.length; i += 2) if (headers[i] === name) found++
  return found
}

/** All values of a list-based field joined as RFC 9110, 5.3 allows; null where there is none. */
export function joinHeader(headers: HeaderList, name: string): string | null {
  let joined: string | null = null
  for (let i = 0; i < headers.length; i += 2) {
    if (headers[i] === name) joined = joined === null ? headers[i + 1]! : `${joined}, ${headers[i + 1]!}`
  }
  return joined
}

/** True when a comma-separated list holds the token, in any case (RFC 9110, 5.6.1). */
export function hasToken(list: string | null, token: string): boolean {
  if (list === null) return false
  if (list.length === token.length) return list.toLowerCase() === token
  for (const each of list.split(',')) if (each.trim().toLowerCase() === token) return true
  return false
}

/** Hop-by-hop fields of RFC 9110, 7.6.1, and the ones that older software treats so. */
export const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'http2-settings',
])

/** token of RFC 9110, 5.6.2. */
export const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/

/** Digests of a body (RFC 9530, RFC 3230, RFC 1864): not true any more of one that was decoded or changed. */
export const DIGESTS = ['content-digest', 'repr-digest', 'digest', 'content-md5'] as const

/**
 * Fields of an answer that are true only of the bytes as its service wrote them: its validator, its ranges (RFC 9110, 8.8.3 and
 * 14.3) and its digests.
 */
export const TRUE_OF_BYTES: ReadonlySet<string> = new Set(['etag', 'accept-ranges', ...DIGESTS])
