/**
 * Texts that are JSON themselves, as programs put them into a field: their escapes could hide a tag or a card from who
 * reads the text as it stands, so the strings in them are cleaned too. It knows no rule but the one it is given.
 */
import { hasLongNumber, parseExact } from './exact-json.ts'
import { applyEverywhere, REFUSE, type Visit } from './fields.ts'
import { isJson, LOOKS_LIKE_JSON, parseStrict } from './strict-json.ts'

/** JSON in strings of JSON within one another. Each more doubles the backslashes. */
const MAX_NESTING = 4

/** Puts the reading of nested JSON before `visit`. Texts without a backslash have nothing to hide. */
export function withNestedJson(visit: Visit): Visit {
  const levels: Visit[] = [(text) => (mayHide(text) && isJson(text) ? REFUSE : visit(text))]
  for (let i = 0; i < MAX_NESTING; i++) {
    const inner = levels[i]!
    levels.push((text) => (mayHide(text) ? visitNested(text, inner, visit) : visit(text)))
  }
  return levels[MAX_NESTING]!
}

function mayHide(text: string): boolean {
  return text.includes('\\') && LOOKS_LIKE_JSON.test(text)
}

function visitNested(text: string, inner: Visit, visit: Visit): string | typeof REFUSE {
  const document = parseStrict(text)
  if (document === undefined) return isJson(text) ? REFUSE : visit(text)
  const visited = applyEverywhere(hasLongNumber(text) ? parseExact(text) : document, inner)
  if (visited.refused) return REFUSE
  // As it stands it is text as well: a tag may begin in one string and end in another.
  return visit(visited.changed ? JSON.stringify(visited.root) : text)
}
