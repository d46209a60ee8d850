/**
 * Bodies of type application/x-www-form-urlencoded, cleaned by the rules. Pairs that do not change keep their bytes. It
 * knows no exchange.
 */
import { fold, isForbiddenKey } from './fields.ts'
import { AGAINST_RULE, type Cleaned, type MessageRules, UNREADABLE } from './rules.ts'

const MAX_PAIRS = 1000
/** A name may write a path: `message[text]`, `parts[0].body`. */
const BRACKETS = /[.[\]]+/

/**
 * Cleans the values whose name, or any part of it (`parts[0][body]`), is the last name of a field path, and all values
 * where no field is named. Refused: repeated names (but `name[]`), separators and escapes that parsers read differently.
 */
export function cleanForm(rules: MessageRules, body: string): Cleaned {
  if (body.includes(';')) return UNREADABLE
  const pairs = body.split('&', MAX_PAIRS + 1)
  if (pairs.length > MAX_PAIRS) return UNREADABLE
  const wanted = wantedNames(rules)
  const seen = new Set<string>()
  let changed = false
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    const equals = pair.indexOf('=')
    const name = decode(equals === -1 ? pair : pair.slice(0, equals))
    const value = decode(equals === -1 ? '' : pair.slice(equals + 1))
    if (name === null || value === null) return UNREADABLE
    if (seen.has(name) && !name.endsWith('[]')) return UNREADABLE
    seen.add(name)
    const parts = name.split(BRACKETS)
    if (parts.some(isForbiddenKey)) return UNREADABLE
    if (rules.visit(name) !== name) return AGAINST_RULE
    if (wanted !== null && !parts.some((part) => wanted.has(fold(part)))) continue
    const cleaned = rules.visit(value)
    if (cleaned === null) return AGAINST_RULE
    if (cleaned === value) continue
    changed = true
    pairs[i] = `${equals === -1 ? pair : pair.slice(0, equals)}=${encode(cleaned)}`
  }
  return changed ? { outcome: 'changed', text: pairs.join('&') } : { outcome: 'same', text: body }
}

const wantedByRules = new WeakMap<MessageRules, ReadonlySet<string> | null>()

/** The names at the ends of the paths; null for every name. */
function wantedNames(rules: MessageRules): ReadonlySet<string> | null {
  let names = wantedByRules.get(rules)
  if (names !== undefined) return names
  names = null
  if (rules.fields !== null) {
    const ends = rules.fields.map((path) => path.findLast((step) => step.folded !== '')?.folded)
    // A path without a name (`$[*]`, `$.*`) can mean any.
    if (!ends.includes(undefined)) names = new Set(ends as string[])
  }
  wantedByRules.set(rules, names)
  return names
}

const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f]/

/** Null where an escape is broken or not UTF-8, or a control character stands in it (some parsers end a name at NUL). */
function decode(text: string): string | null {
  if (/[^\x21-\x7e]/.test(text)) return null
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '))
    return CONTROL.test(decoded) ? null : decoded
  } catch {
    return null
  }
}

function encode(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+')
}
