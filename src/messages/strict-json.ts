/** JSON that every reader takes for the same document: what parsers read in different ways is none. It knows no rule. */
import { countKeys, MAX_DEPTH } from './fields.ts'
import { countMembers } from './json-scan.ts'

/** Members of all objects of a document together. */
const MAX_MEMBERS = 10_000

/** The document; undefined for what is no JSON, nests too deep, repeats a key, or has a key that could reach a prototype. */
export function parseStrict(json: string): unknown {
  const members = countMembers(json, MAX_DEPTH)
  if (members === -1 || members > MAX_MEMBERS) return undefined
  let document: unknown
  try {
    document = JSON.parse(json)
  } catch {
    return undefined
  }
  return countKeys(document) === members ? document : undefined
}

/** True for what JSON.parse reads, strict or not. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

/** The beginning of a document that is no bare number or word. */
export const LOOKS_LIKE_JSON = /^[\s\ufeff]*["{[]/
