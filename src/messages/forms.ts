/**
 * Bodies of type application/x-www-form-urlencoded, cleaned by the rules. Pairs that do not change keep their bytes. It
 * knows no exchange.
 */
import { fold, isForbiddenKey, visitNamed } from './fields.ts'
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
  const seen = new Set<string>()
  let changed = false
  for (let i = 0; i < pairs.length; i++) {
    const pair = pairs[i]!
    const equals = pair.indexOf('=')
    const name = decodeFormText(equals === -1 ? pair : pair.slice(0, equals))
    const value = decodeFormText(equals === -1 ? '' : pair.slice(equals + 1))
    if (name === null || value === null) return UNREADABLE
    if (seen.has(name) && !name.endsWith('[]')) return UNREADABLE
    seen.add(name)
    if (isForbiddenName(name)) return UNREADABLE
    const cleaned = cleanField(rules, name, value)
    if (cleaned.outcome === 'refused') return cleaned
    if (cleaned.outcome === 'same') continue
    changed = true
    pairs[i] = `${equals === -1 ? pair : pair.slice(0, equals)}=${encodeFormText(cleaned.text)}`
  }
  return changed ? { outcome: 'changed', text: pairs.join('&') } : { outcome: 'same', text: body }
}

/** A name that could reach a prototype in a careless service, or that says how the others are encoded. */
export function isForbiddenName(name: string): boolean {
  return name.toLowerCase() === '_charset_' || name.split(BRACKETS).some(isForbiddenKey)
}

/** Cleans one field of a form, whatever its encoding. */
export function cleanField(rules: MessageRules, name: string, value: string): Cleaned {
  if (rules.visit(name) !== name) return AGAINST_RULE
  const wanted = wantedNames(rules)
  if (wanted !== null && !name.split(BRACKETS).some((part) => wanted.has(fold(part)))) {
    return { outcome: 'same', text: value }
  }
  const cleaned = visitNamed(rules.visit, name.split(BRACKETS).findLast((part) => part !== '') ?? '', value)
  if (cleaned === null) return AGAINST_RULE
  return { outcome: cleaned === value ? 'same' : 'changed', text: cleaned }
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

/** What no text of a form needs; some parsers end a name or a value there. */
export const CONTROL = /[\x00-\x08\x0b\x0c\x0e-\x1f]/

/** Null where an escape is broken or not UTF-8, or a control character stands in it (some parsers end a name at NUL). */
export function decodeFormText(text: string): string | null {
  if (/[^\x21-\x7e]/.test(text)) return null
  try {
    const decoded = decodeURIComponent(text.replaceAll('+', ' '))
    return CONTROL.test(decoded) ? null : decoded
  } catch {
    return null
  }
}

/** As browsers write a form's names and values. */
export function encodeFormText(text: string): string {
  return encodeURIComponent(text.toWellFormed()).replaceAll('%20', '+')
}
