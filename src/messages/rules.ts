/**
 * The rules for a chat message, the same for every transport: text and JSON in, the cleaned form or a refusal out. It
 * knows no exchange, no packet and no frame.
 */
import type { OnHidden } from '../cards/mask.ts'
import type { MessagesConfig } from '../config/shape.ts'
import { ConfigurationError } from '../errors.ts'
import { withCards } from './cards.ts'
import { hasLongNumber, parseExact } from './exact-json.ts'
import { applyEverywhere, applyFields, compileField, type FieldPath, type Visit, type Visited } from './fields.ts'
import { htmlFilter } from './html.ts'
import { withNestedJson } from './nested-json.ts'
import { isJson, LOOKS_LIKE_JSON, parseStrict } from './strict-json.ts'

export type RefusalReason = 'unreadable' | 'rule'

export interface Refused {
  readonly outcome: 'refused'
  readonly reason: RefusalReason
  readonly text: ''
}

/** What became of a message. `text` is what may go on: for `same`, the very string that came. */
export type Cleaned = { readonly outcome: 'same' | 'changed'; readonly text: string } | Refused

export const UNREADABLE: Refused = Object.freeze({ outcome: 'refused', reason: 'unreadable', text: '' })
export const AGAINST_RULE: Refused = Object.freeze({ outcome: 'refused', reason: 'rule', text: '' })

/** Compiled, frozen message rules of a route. */
export interface MessageRules {
  /** Bytes of one message. */
  readonly maxBytes: number
  readonly closesOnViolation: boolean
  /** Null: every string of a document. */
  readonly fields: readonly FieldPath[] | null
  readonly events: ReadonlyMap<string, readonly FieldPath[]>
  readonly otherEvents: MessagesConfig['otherEvents']
  /** Attachments of socket.io events pass unread. */
  readonly passesBinary: boolean
  /** Files of forms pass unread. */
  readonly passesFiles: boolean
  /** A URL with a payment card in it is refused. */
  readonly refusesCardsInUrl: boolean
  /** Cleans one text, or refuses it. */
  readonly visit: Visit
}

/** Compiles one set of rules; throws ConfigurationError with a line per bad path. `onHidden` hears of every payment card. */
export function compileRules(config: MessagesConfig, onHidden: OnHidden = ignore): MessageRules {
  const problems: string[] = []
  const compile = (paths: readonly string[]): readonly FieldPath[] => {
    const compiled: FieldPath[] = []
    for (const path of paths) {
      try {
        compiled.push(compileField(path))
      } catch (error) {
        problems.push((error as Error).message)
      }
    }
    return Object.freeze(compiled)
  }
  const rules: MessageRules = {
    maxBytes: config.maxSize,
    closesOnViolation: config.onViolation === 'close',
    fields: config.fields.length === 0 ? null : compile(config.fields),
    events: new Map(Object.entries(config.events).map(([name, paths]) => [name, compile(paths)])),
    otherEvents: config.otherEvents,
    passesBinary: config.binary === 'pass',
    passesFiles: config.files === 'pass',
    refusesCardsInUrl: config.cards !== 'off',
    visit: withNestedJson(withCards(htmlFilter(config), config, onHidden)),
  }
  if (problems.length > 0) throw new ConfigurationError(problems)
  return Object.freeze(rules)
}

function ignore(): void {}

/** Cleans one plain text. */
function cleanText(rules: MessageRules, text: string): Cleaned {
  const result = rules.visit(text)
  if (result === null) return AGAINST_RULE
  return { outcome: result === text ? 'same' : 'changed', text: result }
}

/** Cleans a JSON document by the rules' fields, or every string where none are named. A document that is one string is text. */
export function cleanDocument(rules: MessageRules, json: string): Cleaned {
  const document = parseStrict(json)
  if (document === undefined) return UNREADABLE
  return finish(json, document, (root) => applyRules(rules, root))
}

/**
 * Cleans a message of which nobody says whether it is JSON (WebSocket): what parses as JSON is a document, anything else
 * plain text, cleaned whole. Text that a lenient parser could take for JSON with escapes in it is refused: the escapes
 * could hide a tag.
 */
export function cleanMessage(rules: MessageRules, text: string): Cleaned {
  if (LOOKS_LIKE_JSON.test(text)) {
    const cleaned = cleanDocument(rules, text)
    if (cleaned !== UNREADABLE) return cleaned
    // `[hello]` and `{x` are words; JSON that is read in two ways is not.
    if (isJson(text)) return UNREADABLE
  }
  return cleanPlain(rules, text)
}

/** Cleans text that is said to be plain; JSON with escapes in it is not, whoever reads it might see other words. */
export function cleanPlain(rules: MessageRules, text: string): Cleaned {
  if (HIDING.test(text) && JSON_INSIDE.test(text)) return UNREADABLE
  return cleanText(rules, text)
}

/** Applies the fields (or every string) to a parsed document, in place. */
function applyRules(rules: MessageRules, root: unknown): Visited {
  if (rules.fields === null) return applyEverywhere(root, rules.visit)
  if (typeof root === 'string') return applyEverywhere(root, rules.visit)
  return applyFields(root, rules.fields, rules.visit)
}

/**
 * Visits a parsed document and writes it again where that changed it. Numbers that do not fit a double keep their digits.
 */
export function finish(json: string, document: unknown, visit: (root: unknown) => Visited): Cleaned {
  // Digits that do not fit a double could be a card's, and are written again as they came.
  const visited = visit(hasLongNumber(json) ? parseExact(json) : document)
  if (visited.refused) return AGAINST_RULE
  if (!visited.changed) return { outcome: 'same', text: json }
  return { outcome: 'changed', text: JSON.stringify(visited.root) }
}

/**
 * What a lenient reader of something like JSON takes for a letter that does not stand there: escapes of a `<` or a digit, a
 * line that goes on, a backslash that means nothing before a tag's name.
 */
const HIDING =
  /\\(?:u[\da-f]{4}|u\{[\da-f]|U[\da-f]{8}|x[\da-f]{2}|0?(?:74|6[0-7]|7[01])|[\r\n\u2028\u2029])|<\\|\d\\[bfnrtv]\d/i
const JSON_INSIDE = /[{[]|^[\s\ufeff]*"/
